"""The packaged matches: complete, true to the real files where these are, and honest about what was known when."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.matches import (
    KEY,
    MAX_ODDS,
    PRE_MATCH_ODDS,
    SHOTS,
    Where,
    check_full_season,
    match_day,
    validate,
)
from pl_predictor.sources import MatchSource, get_source
from pl_predictor.sources.layout import parse, season_folder
from pl_predictor.sources.snapshot import PACKAGED, SEASONS, Snapshot
from pl_predictor_tests.football_data import mirror

END = datetime(2026, 8, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def everything() -> pd.DataFrame:
    return Snapshot().matches(END)


def test_the_snapshot_is_a_source_by_name() -> None:
    source: MatchSource = get_source("snapshot")
    assert source.name == "snapshot"
    assert source.default_as_of() == datetime(2023, 12, 29, 20, tzinfo=timezone.utc)


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        PredictorError, match="no match source 'snapshots'; set PL_SOURCE to one of: football-data, snapshot"
    ):
        get_source("snapshots")


def test_it_holds_twelve_full_seasons(everything: pd.DataFrame) -> None:
    validate(everything, Where("snapshot"))
    assert sorted(set(everything["season"])) == list(range(2014, 2026))
    for season, matches in everything.groupby("season"):
        check_full_season(matches, str(season), teams=20)
    assert {folder.name for folder in PACKAGED.iterdir()} == {season_folder(season) for season in SEASONS}


def test_it_has_odds_of_one_season_and_times_since_2019(everything: pd.DataFrame) -> None:
    assert set(everything["season"][everything["odds_source"] == "Avg"]) == {2023}
    assert everything["odds_source"].notna().sum() == everything["max_home_odds"].notna().sum() == 380
    assert set(everything["season"][everything["kickoff_time_known"]]) == set(range(2019, 2026))
    assert everything[[*SHOTS, "closing_source"]].isna().all(axis=None)


def test_its_own_moment_is_mid_season_with_odds_of_the_weekend() -> None:
    source = Snapshot()
    as_of = source.default_as_of()
    matches = source.matches(as_of)
    validate(matches, Where("snapshot"))
    assert matches["season"].max() == 2023
    to_come = matches[matches["result"].isna()]
    assert set(to_come["season"]) == {2023}
    assert 150 < len(to_come) < 230
    weekend = to_come[to_come["odds_source"].notna()]
    assert 5 <= len(weekend) <= 10
    assert weekend["kickoff"].between(as_of, pd.Timestamp(as_of) + timedelta(days=4)).all()


def test_asking_twice_gives_equal_frames_apart() -> None:
    source = Snapshot()
    first = source.matches(END)
    first["season"] = 0
    assert_frame_equal(source.matches(END), Snapshot().matches(END))


def test_a_moment_before_its_first_match_is_refused() -> None:
    first = Snapshot().matches(END)["kickoff"].min()
    with pytest.raises(PredictorError, match="from 16 August 2014 to 24 May 2026, none before 2014-08-15T22:59:59"):
        Snapshot().matches(first - timedelta(seconds=1))
    assert len(Snapshot().matches(first)) == 380


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A snapshot of one season, to be damaged."""
    folder = tmp_path / "mmz4281"
    shutil.copytree(PACKAGED / "2324", folder / "2324")
    return folder


def test_another_folder_and_other_seasons_can_be_read(copy: Path) -> None:
    assert len(Snapshot(copy, [2023]).matches(END)) == 380


def test_a_missing_season_is_refused_by_its_file(copy: Path) -> None:
    with pytest.raises(FeedError, match=r"2425/E0\.csv cannot be read \(No such file or directory\); restore the file"):
        Snapshot(copy, [2023, 2024]).matches(END)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-5], "line 381: the file ends within the line"),
        (lambda raw: raw[: raw.rindex(b"\nE0") + 1], "20 teams, 379 matches, 0 without a result"),
        (lambda _: b"", "the file is empty"),
        (lambda raw: raw.replace(b",3,A,", b",,,", 1), "line 2: FTHG, FTAG, FTR are"),
        (lambda raw: raw.replace(b",0,3,A,", b",,,,", 1), "380 matches, 1 without a result"),
    ],
)
def test_a_damaged_file_is_refused(copy: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    file = copy / "2324" / "E0.csv"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(FeedError, match=message) as refusal:
        Snapshot(copy, [2023]).matches(END)
    assert str(refusal.value).startswith(str(file))


def test_it_agrees_with_the_real_files(everything: pd.DataFrame) -> None:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    files = {season: folder / "mmz4281" / season_folder(season) / "E0.csv" for season in range(2014, 2024)}
    real = pd.concat(
        [parse(file.read_bytes(), file=str(file), season=season).matches for season, file in files.items()]
    )
    ours = everything[everything["season"] <= 2023].set_index(list(KEY)).sort_index()
    theirs = real.set_index(list(KEY)).sort_index()
    columns = ["kickoff_time_known", "home_goals", "away_goals", "result"]
    assert_frame_equal(ours[columns], theirs[columns])
    assert match_day(ours["kickoff"]).equals(match_day(theirs["kickoff"]))
    priced = [*PRE_MATCH_ODDS, "odds_source", *MAX_ODDS]
    assert_frame_equal(ours.loc[[2023], priced], theirs.loc[[2023], priced])
    # Four matches began a quarter or half an hour late: the snapshot has when they began, the site when they were due.
    delay = ours["kickoff"] - theirs["kickoff"]
    assert sorted(delay[delay != timedelta(0)]) == [timedelta(minutes=minutes) for minutes in (15, 15, 15, 30)]
