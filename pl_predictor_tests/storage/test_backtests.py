"""Seasons forecast in retrospect: a season's rows are replaced whole, those of others stay."""

from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import CLOSING
from pl_predictor.core.slices import SCORE_COLUMNS
from pl_predictor.storage.backtests import BacktestStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.frames import forecast, matches, played

PAIRS = [("Leeds", "Wigan", "2023-08-12 15:00"), ("Stoke", "Derby", "2023-08-13 15:00")]


@pytest.fixture
def storage(engine: Engine) -> BacktestStorage:
    for season in (2022, 2023):
        known = matches(*(played(*pair, 1, 0, season=season) for pair in PAIRS))
        MatchStorage(engine).store_matches(known, "test")
    return BacktestStorage(engine)


def made(*pairs: tuple[str, str, str], season: int = 2023, **more: Any) -> pd.DataFrame:
    frame = pd.DataFrame([forecast(*pair, season=season) for pair in pairs])
    about = {"made_at": frame["kickoff"] - pd.Timedelta(hours=15), "result": "H", "model": "forecaster-1"}
    return frame.assign(**{**about, **dict.fromkeys((*MARKET, *CLOSING), float("nan")), **more})


def scored(*values: tuple[str, float], season: int = 2023) -> pd.DataFrame:
    rows = [(season, "all", metric, value, 2, 0.1, float("nan")) for metric, value in values]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def told(storage: BacktestStorage, season: int = 2023) -> tuple[list[str], dict[str, float]]:
    scores = storage.scores(season, season)
    teams = storage.forecasts(season, season)["home_team"].tolist()
    return teams, dict(zip(scores["metric"], scores["value"], strict=True))


def test_a_season_comes_back_as_it_was_written_with_who_wrote_it(storage: BacktestStorage) -> None:
    rows = made(*PAIRS)
    rows.loc[0, [*MARKET, *CLOSING]] = [0.5, 0.3, 0.2, 0.1 + 0.2, 0.4, 0.3]
    storage.replace(2023, rows, scored(("rps", 0.1 + 0.2)), code_version="abc", dagster_run_id="run")
    found = storage.forecasts(2023, 2023)
    columns = [name for name in found if name in rows]
    pd.testing.assert_frame_equal(found[columns], rows[columns], check_exact=True, check_dtype=False)
    scores = storage.scores(2023, 2023)
    assert scores[["value", "n", "low"]].to_dict("records") == [{"value": 0.1 + 0.2, "n": 2, "low": 0.1}]
    assert scores["high"].isna().all()
    for frame in (found, scores):
        assert set(frame["code_version"]) == {"abc"}
        assert set(frame["dagster_run_id"]) == {"run"}


def test_a_second_writing_leaves_nothing_of_the_first_and_all_of_other_seasons(storage: BacktestStorage) -> None:
    storage.replace(2022, made(PAIRS[0], season=2022), scored(("rps", 0.3), season=2022), code_version="1")
    storage.replace(2023, made(*PAIRS), scored(("rps", 0.2), ("brier", 0.5)), code_version="1")
    storage.replace(2023, made(PAIRS[1]), scored(("rps", 0.1)), code_version="2")
    assert told(storage) == (["Stoke"], {"rps": 0.1})
    assert told(storage, 2022) == (["Leeds"], {"rps": 0.3})


def test_frames_without_rows_leave_nothing_of_the_season(storage: BacktestStorage) -> None:
    storage.replace(2023, made(*PAIRS), scored(("rps", 0.2)), code_version="1")
    storage.replace(2023, made(*PAIRS).iloc[:0], scored(), code_version="2")
    assert told(storage) == ([], {})


@pytest.mark.parametrize(
    ("forecasts", "scores", "words"),
    [
        (made(PAIRS[1]), scored(("x" * 51, 0.1)), "value too long"),
        (made(PAIRS[1]), scored(("rps", 0.1), season=2022), "rows of other seasons than 2023"),
        (made(PAIRS[1], made_at=pd.Timestamp("2023-08-13 15:01", tz="UTC")), scored(), "made_before_kickoff"),
        (made(PAIRS[1], p_home=0.6), scored(), "probabilities_sum_to_one"),
        (made(("Stoke", "Arsenal", "2023-08-13 15:00")), scored(), "matches_fkey"),
    ],
    ids=["a score", "a score of another season", "made after kick-off", "no probabilities", "no such match"],
)
def test_what_cannot_be_written_whole_leaves_what_was_there(
    storage: BacktestStorage, forecasts: pd.DataFrame, scores: pd.DataFrame, words: str
) -> None:
    storage.replace(2023, made(*PAIRS), scored(("rps", 0.2)), code_version="1")
    with pytest.raises(Exception, match=words):
        storage.replace(2023, forecasts, scores, code_version="2")
    assert told(storage) == (["Leeds", "Stoke"], {"rps": 0.2})
