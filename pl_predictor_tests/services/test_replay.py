"""Which moments a replay lives, and which replays are refused before anything is done."""

from collections.abc import Mapping
from datetime import datetime, timezone

import dagster as dg
import pytest
from sqlalchemy import text

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources.match_feed import AS_OF_TAG, REPLAY_TAG, TICK, newest_replayed
from pl_predictor.services.replay import moments, replay
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("first", "last", "step", "lived"),
    [
        ("2024-01-05", "2024-01-19", "week", ["2024-01-05", "2024-01-12", "2024-01-19"]),
        ("2024-01-05", "2024-01-21", "week", ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-21"]),
        ("2024-01-05", "2024-01-07", "day", ["2024-01-05", "2024-01-06", "2024-01-07"]),
        ("2024-01-05", "2024-01-06", "week", ["2024-01-05", "2024-01-06"]),
        ("2024-01-05", "2024-01-05", "week", ["2024-01-05"]),
    ],
    ids=["weeks", "and a rest", "days", "less than a step", "one moment"],
)
def test_a_replay_lives_each_step_and_the_last_moment(first: str, last: str, step: str, lived: list[str]) -> None:
    assert moments(at(first), at(last), step) == [at(day) for day in lived]


def test_a_replay_does_not_run_backwards() -> None:
    with pytest.raises(PredictorError, match=r"--last 2024-01-04T00:00:00.00:00 lies before --first .*: swap them"):
        moments(at("2024-01-05"), at("2024-01-04"), "week")


class Recorded:
    """A conductor that launches nothing: it says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def run(self, job: str, tags: Mapping[str, str]) -> None:
        self.asked.append((job, tags[AS_OF_TAG]))

    def retrain(self, request: dg.RunRequest) -> None:
        raise AssertionError(f"nothing failed, and yet {request} is asked for")


def lived(settings: Settings, instance: dg.DagsterInstance, *days: str) -> list[tuple[str, str]]:
    conductor = Recorded()
    ticks = [at(day) for day in days]
    said: list[str] = []
    assert list(replay(settings, conductor, instance, ticks, "week", said.append)) == ticks[-len(said) :]
    return conductor.asked


def test_a_replay_goes_on_where_it_was_killed(environment: Settings) -> None:
    with dg.DagsterInstance.get() as instance:
        assert newest_replayed(instance) is None
        for day, status in (("2024-01-05", dg.DagsterRunStatus.SUCCESS), ("2024-01-12", dg.DagsterRunStatus.FAILURE)):
            tags = {REPLAY_TAG: TICK, AS_OF_TAG: at(day).isoformat()}
            instance.add_run(dg.DagsterRun("loop", status=status, tags=tags))
        assert newest_replayed(instance) == at("2024-01-05")
        asked = lived(environment, instance, "2024-01-05", "2024-01-12", "2024-01-19")
    # What follows from the last moment may be missing, and is seen to; the moment itself is not lived again.
    assert [(job, day[:10]) for job, day in asked if job == "loop"] == [("loop", "2024-01-12"), ("loop", "2024-01-19")]


def test_time_does_not_go_back_in_a_home(environment: Settings) -> None:
    with dg.DagsterInstance.get() as instance:
        tags = {REPLAY_TAG: TICK, AS_OF_TAG: at("2024-01-05").isoformat()}
        instance.add_run(dg.DagsterRun("loop", status=dg.DagsterRunStatus.SUCCESS, tags=tags))
        with pytest.raises(PredictorError, match="has lived 2024-01-05 00:00 UTC already, and time does not go back"):
            lived(environment, instance, "2023-12-22", "2023-12-29")


def test_a_home_that_knows_later_forecasts_is_not_mixed_with_a_replay(environment: Settings) -> None:
    engine = open_engine(environment.database_url(environment.postgres_db))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO matches (season, home_team, away_team, kickoff, kickoff_time_known, source) VALUES "
                "(2023, 'Luton', 'Chelsea', '2023-12-30 12:30+00', true, 'test')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO model_predictions (season, home_team, away_team, kickoff, prediction, confidence, "
                "probabilities, information, as_of, replay, model_version, code_version) VALUES (2023, 'Luton', "
                "'Chelsea', '2023-12-30 12:30+00', 'H', 0.5, '{\"H\": 0.5, \"D\": 0.3, \"A\": 0.2}', 'no_odds', "
                "'2023-12-29 20:00+00', true, '1', 'test')"
            )
        )
    engine.dispose()
    with dg.DagsterInstance.get() as instance:
        with pytest.raises(PredictorError, match="has forecasts of 2023-12-29 20:00 UTC, which no replay made"):
            lived(environment, instance, "2023-12-22", "2023-12-29")
        assert [day[:10] for job, day in lived(environment, instance, "2024-01-05") if job == "loop"] == ["2024-01-05"]


def test_a_live_source_has_no_future_to_replay(environment: Settings) -> None:
    live = environment.model_copy(update={"source": "football-data"})
    with (
        dg.DagsterInstance.get() as instance,
        pytest.raises(
            PredictorError, match=r"--last 2999-01-01T00:00:00.00:00 is still to come: a replay lives the past"
        ),
    ):
        lived(live, instance, "2024-01-05", "2999-01-01")
