"""The system board on a real Dagster instance: runs that pass, fail, wait and hang; checks; a daemon that stopped."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.grafana import answer, questions, shape_faults
from pl_predictor_tests.grafana.world import BOARD, World, today

OF_THE_BOARD = [question for question in questions() if question.board == BOARD]


@pytest.fixture
def world(environment: Settings) -> Iterator[World]:
    with dg.DagsterInstance.get() as instance:
        yield World(environment, instance)


def test_the_share_of_runs_that_succeeded_counts_those_that_ended(world: World) -> None:
    assert world.value("What share of the runs succeeded?") is None
    for outcome in ("good", "good", "good", "broken"):
        world.run("steady", outcome)
    world.begin(dg.DagsterRunStatus.QUEUED)
    assert world.value("What share of the runs succeeded?") == 0.75


def test_the_last_run_of_each_job_is_shown_and_failures_come_first(world: World) -> None:
    world.run("shaky", "broken")
    passed, failed = world.run("steady"), world.run("shaky", "broken")
    frame = world.ask("How did the last run of each job go?")
    assert [row[:2] for row in frame.rows] == [("shaky", "FAILURE"), ("steady", "SUCCESS")]
    assert frame.column("run") == [failed, passed]
    began = frame.column("began")
    assert all(abs(datetime.now(timezone.utc) - moment) < timedelta(minutes=1) for moment in began)
    assert all(0 < seconds < 60 for seconds in frame.column("lasted"))


def test_the_queue_is_as_old_as_its_oldest_run(world: World) -> None:
    assert world.value("How long has the oldest queued run waited?") is None
    world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=20)
    world.begin(dg.DagsterRunStatus.QUEUED)
    assert world.value("How long has the oldest queued run waited?") == pytest.approx(1200, abs=30)
    assert world.ask("Which runs are waiting or at work?").column("status") == ["QUEUED", "QUEUED"]


def test_a_run_that_began_long_ago_is_stuck_and_one_at_work_is_not(world: World) -> None:
    world.begin(dg.DagsterRunStatus.STARTED, minutes_ago=29)
    assert world.value("How many runs are stuck?") == 0
    world.begin(dg.DagsterRunStatus.STARTED, minutes_ago=31)
    assert world.value("How many runs are stuck?") == 1


def test_a_daemon_that_stopped_falls_silent_and_one_that_lives_does_not(world: World) -> None:
    assert world.value("When did the daemon last give a sign of life?") is None
    world.beat("SENSOR", seconds_ago=300)
    world.beat("SCHEDULER", seconds_ago=3600)
    assert world.value("When did the daemon last give a sign of life?") == pytest.approx(300, abs=30)
    parts = world.ask("Which part of the daemon is silent?")
    assert parts.column("part") == ["scheduler", "sensor"]
    world.beat("SENSOR", seconds_ago=0)
    assert world.value("When did the daemon last give a sign of life?") == pytest.approx(0, abs=30)


def test_a_failing_check_is_shown_with_what_it_says_until_it_passes(world: World) -> None:
    assert world.value("How many checks fail?") is None
    run = world.run("steady", "warned")
    assert world.value("How many checks fail?") == 1
    (row,) = world.ask("Which checks fail, and what do they say?").rows
    assert row[:4] == ("thing", "sound", "WARN", "it's 3 % off")
    assert row[-1] == run
    world.run("steady")
    assert world.value("How many checks fail?") == 0
    assert world.ask("Which checks fail, and what do they say?").rows == []


def test_a_check_that_crashed_leaves_the_verdict_before_it(world: World) -> None:
    world.run("steady")
    world.run("steady", "broken")  # its check is planned, and never judged
    assert world.value("How many checks fail?") == 0


def test_runs_are_counted_by_state_and_their_durations_by_job(world: World) -> None:
    for job, outcome in (("steady", "good"), ("steady", "good"), ("shaky", "broken")):
        world.run(job, outcome)
    frame = world.ask("How do the runs end?")
    counted: dict[str, int] = {}
    for status, n in zip(frame.column("metric"), frame.column("value"), strict=True):
        counted[status] = counted.get(status, 0) + n
    assert counted == {"success": 2, "failure": 1}
    durations = world.ask("How long do the jobs take?")
    assert durations.column("job") == ["steady"]
    assert durations.rows[0][1] <= durations.rows[0][2]


def test_ticks_are_counted_by_their_outcome(world: World) -> None:
    broken = SerializableErrorInfo("it broke", [], "ValueError")
    for status, error in ((TickStatus.SKIPPED, None), (TickStatus.SKIPPED, None), (TickStatus.FAILURE, broken)):
        tick = TickData("origin", "alert_sensor", InstigatorType.SENSOR, status, time.time(), error=error)
        world.instance.create_tick(tick)
    frame = world.ask("Do sensors and schedules tick?")
    assert sorted(row[1:] for row in frame.rows) == [("sensor failure", 1), ("sensor skipped", 2)]


def test_an_asset_is_as_old_as_its_last_materialization(world: World) -> None:
    run = world.run("steady")
    world.run("steady", "broken")
    (row,) = world.ask("How old is each asset?").rows
    assert (row[0], row[3]) == ("thing", run)
    assert abs(datetime.now(timezone.utc) - row[1]) < timedelta(minutes=1)


def test_in_a_database_of_another_time_zone_the_answers_are_the_same(world: World) -> None:
    world.run("steady", "warned")
    world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=20)
    world.beat("SENSOR", seconds_ago=300)
    view = today()
    here = [answer(world.settings, question, view) for question in OF_THE_BOARD]
    world.execute(f"ALTER DATABASE \"{world.settings.dagster_db}\" SET timezone = 'America/St_Johns'")
    for question, before in zip(OF_THE_BOARD, here, strict=True):
        there = answer(world.settings, question, view)
        assert shape_faults(question, there) == []
        assert len(there.rows) == len(before.rows)
        for row, same in zip(there.rows, before.rows, strict=True):
            assert list(row) == [pytest.approx(it, abs=60) if isinstance(it, float) else it for it in same]
