"""Decisions about who serves: one a version, in order, and what the next decision rests on."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from pl_predictor.core.promotion import Delta, Ruling, Windows
from pl_predictor.core.retraining import History
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.retraining import Decided, Occasion, RetrainingStorage
from pl_predictor_tests.core.league import rounds
from pl_predictor_tests.frames import fixture, matches, played

NOW = datetime(2024, 1, 15, 12, tzinfo=timezone.utc)
LAST_MATCH = datetime(2024, 1, 14, 16, tzinfo=timezone.utc)
DAY = timedelta(days=1)
PROMOTED, REFUSED = (Ruling(yes, "better", f"{yes}: as the interval says") for yes in (True, False))


@pytest.fixture
def storage(engine: Engine) -> RetrainingStorage:
    return RetrainingStorage(engine)


def occasion(as_of: datetime, cause: str = "degradation") -> Occasion:
    evidence = [{"check": "accuracy_above_threshold", "words": "0.4", "as_of": as_of.isoformat(), "run_id": "a"}]
    return Occasion(cause, "accuracy fell", as_of, True, "abc", "run-1", evidence)


def keep(
    storage: RetrainingStorage, challenger: str, verdict: Ruling = PROMOTED, as_of: datetime = NOW, **more: Any
) -> Decided:
    usual: dict[str, Any] = {"champion": None, "last_match": LAST_MATCH, "windows": Windows()}
    return storage.keep(verdict, occasion(as_of), challenger=challenger, **{**usual, **more})


def test_a_decision_comes_back_with_what_it_rests_on(storage: RetrainingStorage) -> None:
    windows = Windows(Delta(0.01, -0.002, 0.022, 1900, 5), live=Delta(0.1, None, None, 8, 1))
    decided = keep(storage, "2", REFUSED, champion="1", windows=windows)
    assert decided == Decided("refused", "accuracy fell", REFUSED.words, "1", "2", NOW, LAST_MATCH)
    assert not decided.promoted
    (row,) = storage.events().to_dict("records")
    assert row["evidence"] == occasion(NOW).evidence
    shown = ("event", "cause", "reason", "rule", "replay", "code_version", "dagster_run_id", "model_name")
    assert [row[name] for name in shown] == [
        *("refused", "degradation", "accuracy fell", "better"),
        *(True, "abc", "run-1", "premier_league_predictor"),
    ]
    assert [row[f"walk_forward_{name}"] for name in ("delta", "low", "high", "n")] == [0.01, -0.002, 0.022, 1900]
    assert (row["live_delta"], row["live_n"]) == (0.1, 8)
    assert pd.isna(row["live_low"])
    assert pd.isna(row["live_high"])


def test_a_version_has_one_verdict_and_the_first_stands(storage: RetrainingStorage) -> None:
    assert storage.decision("2") is None
    first = keep(storage, "2", REFUSED)
    assert keep(storage, "2", PROMOTED, NOW + DAY) == first == storage.decision("2")
    assert len(storage.events()) == 1
    assert keep(storage, "3").promoted, "another version has its own"


def test_a_version_that_is_put_back_keeps_its_verdict(storage: RetrainingStorage) -> None:
    for version in ("1", "2"):
        keep(storage, version)
    storage.keep_rollback(occasion(NOW + DAY, "rollback"), champion="2", previous="1")
    decided = storage.decision("1")
    assert decided is not None
    assert decided.event == "promoted"
    assert storage.events()["verdict"].tolist()[-1] == "version 1 serves again in the place of version 2: accuracy fell"


@pytest.mark.parametrize(
    ("days", "serves", "last_training"),
    [(-1, None, None), (0, "1", 0), (1, "1", 1), (2, "3", 2), (3, "1", 2), (4, "4", 4)],
    ids=["before the first", "promoted", "refused", "promoted again", "rolled back", "and again"],
)
def test_who_serves_and_the_last_training_are_those_of_the_moment(
    storage: RetrainingStorage, days: int, serves: str | None, last_training: int | None
) -> None:
    keep(storage, "1", PROMOTED, NOW)
    keep(storage, "2", REFUSED, NOW + DAY)
    keep(storage, "3", PROMOTED, NOW + 2 * DAY)
    storage.keep_rollback(occasion(NOW + 3 * DAY), champion="3", previous="1")
    keep(storage, "4", PROMOTED, NOW + 4 * DAY)
    as_of = NOW + days * DAY
    assert storage.champion(as_of) == serves
    assert storage.champion() == "4", "and by the newest decision"
    last, newest = storage.last_training(as_of), storage.newest(as_of)
    assert (last.as_of if last else None) == (None if last_training is None else NOW + last_training * DAY)
    assert (newest.as_of if newest else None) == (None if days < 0 else as_of), "a rollback is a decision, too"


@pytest.mark.parametrize("event", ["promoted", "refused", "rolled_back", "forgotten"])
def test_the_database_knows_three_kinds_of_events(engine: Engine, storage: RetrainingStorage, event: str) -> None:
    keep(storage, "1")
    copy = text(
        "INSERT INTO retraining_events (event, cause, reason, evidence, verdict, challenger_version, as_of, replay, "
        "code_version) SELECT :event, cause, reason, evidence, verdict, '2', as_of, replay, code_version "
        "FROM retraining_events"
    )
    with engine.connect() as connection:
        if event == "forgotten":
            with pytest.raises(IntegrityError, match="event_is_known"):
                connection.execute(copy, {"event": event})
        else:
            assert connection.execute(copy, {"event": event}).rowcount == 1


@dataclass
class Champion:
    """Who serves (core.retraining.Serving)."""

    version: str
    last_match: datetime | None


# --- what a decision rests on ----------------------------------------------------------------------------------------


def test_without_any_match_or_decision_nothing_is_known(storage: RetrainingStorage) -> None:
    assert storage.history(NOW, None, training=True) == History(None, None, 0, 0, True, False)
    assert storage.champion() is None


def test_results_are_new_that_the_last_training_had_not_seen_and_that_are_known(
    engine: Engine, storage: RetrainingStorage
) -> None:
    store = MatchStorage(engine)
    store.store_matches(
        matches(
            played("Chelsea", "Fulham", "2024-01-13 15:00", 1, 0),
            played("Arsenal", "Leeds", "2024-01-14 16:00", 1, 0),
            played("Everton", "Fulham", "2024-01-15 11:00", 1, 0),
            played("Leeds", "Chelsea", "2024-01-16 15:00", 1, 1),
            fixture("Burnley", "Luton", "2024-01-15 10:00"),
        ),
        "test",
    )
    store.store_matches(matches(played("Watford", "Stoke", "2024-01-15 11:30", 0, 0)), "test", division="E1")

    champion = Champion("1", LAST_MATCH)

    def new_results(as_of: datetime, serves: Champion | None = champion) -> int:
        return storage.history(as_of, serves, training=False).new_results

    assert [new_results(NOW + days * DAY, None) for days in (-5, -1, 0, 9)] == [0, 1, 3, 4]
    assert [new_results(NOW), new_results(NOW + 9 * DAY)] == [1, 2], "of a version that no decision knows"
    keep(storage, "1", last_match=LAST_MATCH, as_of=NOW - timedelta(hours=1))
    assert [new_results(NOW), new_results(NOW + 9 * DAY)] == [1, 2]
    keep(storage, "2", REFUSED, NOW + 2 * DAY, last_match=LAST_MATCH + 2 * DAY)
    assert new_results(NOW + 9 * DAY) == 0, "what was refused had seen them, too"
    assert storage.history(NOW + 9 * DAY, champion, training=False).unseen == 2, "and the champion has not"


def test_the_close_season_is_from_the_last_result_to_the_first_kick_off_of_the_next(
    engine: Engine, storage: RetrainingStorage
) -> None:
    teams = [f"Team {number:02d}" for number in range(20)]
    weekly = [
        played(home, away, f"{pd.Timestamp('2022-08-13 15:00') + week * 7 * DAY}", 1, 0, season=2022)
        for week, pairs in enumerate(rounds(teams))
        for home, away in pairs
    ]
    last = weekly.pop()
    end = last["kickoff"].to_pydatetime()
    begins = datetime(2023, 8, 12, 15, tzinfo=timezone.utc)
    store = MatchStorage(engine)
    store.store_matches(
        matches(
            *weekly,
            fixture(last["home_team"], last["away_team"], str(end.replace(tzinfo=None)), season=2022),
            fixture("Team 00", "Team 01", str(begins.replace(tzinfo=None)), season=2023),
        ),
        "test",
    )

    def closed(as_of: datetime) -> bool:
        return storage.history(as_of, None, training=False).close_season

    assert not closed(end + 30 * DAY), "a result is missing: the season is not over"
    store.store_matches(matches(last), "test")
    moments = [end - timedelta(hours=1), end, end + 30 * DAY, begins - timedelta(seconds=1), begins, begins + 30 * DAY]
    assert [closed(moment) for moment in moments] == [False, True, True, True, False, False]
