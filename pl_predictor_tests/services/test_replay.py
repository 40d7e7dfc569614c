"""Which moments a replay lives, which it tries again, and which replays are refused before anything is done."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

import dagster as dg
import pytest
from sqlalchemy import text

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources.match_feed import AS_OF_TAG, REPLAY_TAG, TICK, newest_replayed
from pl_predictor.services.replay import TickFailed, live_under_the_daemon, moments, paced, replay
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.versions import first_promoted


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
    """A conductor that launches nothing: it says what it was asked for. fails: which of the runs of the loop do."""

    def __init__(self, fails: Sequence[int] = ()) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails = fails

    def run(self, job: str, tags: Mapping[str, str]) -> None:
        self.asked.append((job, tags[AS_OF_TAG]))
        if job == "loop" and len(self.loops) in self.fails:
            raise PredictorError(f"run {len(self.loops)} ended as FAILURE: see it at http://127.0.0.1/runs/r")

    @property
    def loops(self) -> list[str]:
        return [as_of[:10] for job, as_of in self.asked if job == "loop"]

    def waited(self) -> bool:
        return False

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


def forecast_at(settings: Settings, as_of: datetime) -> None:
    """A forecast that was made at that moment."""
    engine = open_engine(settings.database_url(settings.postgres_db))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO matches (season, home_team, away_team, kickoff, kickoff_time_known, source) VALUES "
                "(2023, 'Luton', 'Chelsea', :as_of + interval '16 hours', true, 'test')"
            ),
            {"as_of": as_of},
        )
        connection.execute(
            text(
                "INSERT INTO model_predictions (season, home_team, away_team, kickoff, prediction, confidence, "
                "probabilities, information, as_of, replay, model_version, code_version) VALUES (2023, 'Luton', "
                "'Chelsea', :as_of + interval '16 hours', 'H', 0.5, '{\"H\": 0.5, \"D\": 0.3, \"A\": 0.2}', 'no_odds', "
                ":as_of, true, '1', 'test')"
            ),
            {"as_of": as_of},
        )
    engine.dispose()


def test_a_home_that_knows_later_forecasts_is_not_mixed_with_a_replay(environment: Settings) -> None:
    forecast_at(environment, at("2023-12-29"))
    with dg.DagsterInstance.get() as instance:
        with pytest.raises(
            PredictorError, match="has forecasts or decisions of 2023-12-29 00:00 UTC, which no replay made"
        ):
            lived(environment, instance, "2023-12-22", "2023-12-29")
        assert [day[:10] for job, day in lived(environment, instance, "2024-01-05") if job == "loop"] == ["2024-01-05"]


def test_a_tick_that_failed_after_it_had_forecast_is_lived_again_but_none_before_it(environment: Settings) -> None:
    forecast_at(environment, at("2024-01-12"))
    with dg.DagsterInstance.get() as instance:
        for day, status in (("2024-01-05", dg.DagsterRunStatus.SUCCESS), ("2024-01-12", dg.DagsterRunStatus.FAILURE)):
            tags = {REPLAY_TAG: TICK, AS_OF_TAG: at(day).isoformat()}
            instance.add_run(dg.DagsterRun("loop", status=status, tags=tags))
        with pytest.raises(
            PredictorError, match="has forecasts or decisions of 2024-01-12 00:00 UTC, which no replay made"
        ):
            lived(environment, instance, "2024-01-06", "2024-01-12")
        asked = lived(environment, instance, "2024-01-05", "2024-01-12")
    assert [day[:10] for job, day in asked if job == "loop"] == ["2024-01-12"]


TWO = ["2024-01-05", "2024-01-12"]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("fails", "tried"),
    [
        ((), TWO),
        ((1,), [TWO[0], *TWO]),
        ((1, 2), [TWO[0], TWO[0], *TWO]),
        ((1, 2, 4, 5), [TWO[0]] * 3 + [TWO[1]] * 3),
    ],
    ids=["never", "once", "twice", "twice, and twice at the next"],
)
def test_a_replay_that_keeps_a_pace_says_what_failed_and_tries_the_same_moment_again(
    environment: Settings, said: list[str], fails: tuple[int, ...], tried: list[str]
) -> None:
    conductor = Recorded(fails)
    with dg.DagsterInstance.get() as instance:
        paced(environment, conductor, instance, [at(day) for day in TWO], "week", said.append, seconds=0.01)
    assert conductor.loops == tried
    told = [line for line in said if "failed" in line]
    assert [line.split("see it at ")[0] for line in told] == [
        f"{at(tried[n - 1]):%a %d %b %Y %H:%M}  failed, and is tried again in 0.01 s: run {n} ended as FAILURE: "
        for n in fails
    ]
    assert all(line.endswith("http://127.0.0.1/runs/r") and "\n" not in line for line in told)


@pytest.mark.parametrize(
    ("fails", "moment"), [((1, 2, 3), "2024-01-05"), ((1, 3, 4, 5), "2024-01-12")], ids=["the first", "a later one"]
)
def test_a_moment_that_fails_three_times_in_a_row_ends_the_replay_which_says_how_to_go_on(
    environment: Settings, said: list[str], fails: tuple[int, ...], moment: str
) -> None:
    conductor = Recorded(fails)
    with dg.DagsterInstance.get() as instance, pytest.raises(PredictorError) as stopped:
        paced(environment, conductor, instance, [at(day) for day in TWO], "week", said.append, seconds=0.01)
    assert conductor.loops[-3:] == [moment] * 3
    assert len(conductor.loops) == fails[-1]
    message = str(stopped.value)
    assert message.startswith(f"the replay stops: {moment} 00:00 UTC failed 3 times in a row, at last because run ")
    assert "http://127.0.0.1/runs/r" in message
    assert f"go on with `pl-predictor replay --step week --every 0.01 --first {at(moment).isoformat()}`" in message


def test_a_replay_without_a_pace_stops_at_the_first_failure(environment: Settings, said: list[str]) -> None:
    conductor = Recorded([1])
    with dg.DagsterInstance.get() as instance, pytest.raises(TickFailed, match=r"^run 1 ended as FAILURE"):
        list(replay(environment, conductor, instance, [at(day) for day in TWO], "week", said.append))
    assert (conductor.loops, said) == (TWO[:1], [])


def test_what_no_second_try_can_mend_ends_a_replay_that_keeps_a_pace_at_once(
    environment: Settings, said: list[str]
) -> None:
    forecast_at(environment, at("2024-01-12"))
    conductor = Recorded()
    with dg.DagsterInstance.get() as instance, pytest.raises(PredictorError, match="which no replay made"):
        paced(environment, conductor, instance, [at(day) for day in TWO], "week", said.append, seconds=0.01)
    assert (conductor.asked, said) == ([], [])


def test_a_home_that_decided_later_who_serves_is_not_mixed_with_a_replay(environment: Settings) -> None:
    """A live one that has trained, and had no fixture to forecast."""
    engine = open_engine(environment.database_url(environment.postgres_db))
    first_promoted(engine, at("2024-01-12"), at("2024-01-01"), replay=False)
    engine.dispose()
    with (
        dg.DagsterInstance.get() as instance,
        pytest.raises(PredictorError, match="has forecasts or decisions of 2024-01-12 00:00 UTC, which no replay made"),
    ):
        lived(environment, instance, "2024-01-05", "2024-01-19")


def test_the_past_of_a_live_source_is_not_lived_by_its_servers(environment: Settings, said: list[str]) -> None:
    live = environment.model_copy(update={"source": "football-data"})
    with pytest.raises(PredictorError, match=r"the servers of the source football-data live the present: .*--in-proc"):
        live_under_the_daemon(live, at("2024-01-05"), at("2024-01-12"), "week", said.append)


def test_a_live_source_has_no_future_to_replay(environment: Settings) -> None:
    live = environment.model_copy(update={"source": "football-data"})
    with (
        dg.DagsterInstance.get() as instance,
        pytest.raises(
            PredictorError, match=r"--last 2999-01-01T00:00:00.00:00 is still to come: a replay lives the past"
        ),
    ):
        lived(live, instance, "2024-01-05", "2999-01-01")
