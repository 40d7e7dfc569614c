"""The system board on a real Dagster instance: runs that pass, fail, wait and hang; checks; a daemon that stopped."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.alerting import evaluate, rule
from pl_predictor_tests.grafana.grafana import answer, asked, questions, shape_faults
from pl_predictor_tests.grafana.world import BOARD, BY_HAND, EARLIER_CODE, World, today

LAST_RUNS = "How did the last run of each job go?"
FAILING, WHICH_CHECKS = "How many checks fail?", "Which checks fail, and what do they say?"
OF_THE_BOARD = [question for question in questions() if question.board == BOARD]


@pytest.fixture
def world(environment: Settings) -> Iterator[World]:
    with dg.DagsterInstance.get() as instance:
        yield World(environment, instance)


def test_the_share_of_runs_that_succeeded_counts_those_that_ended(world: World) -> None:
    assert world.value("Do the runs succeed?") is None
    for outcome in ("good", "good", "good", "broken"):
        world.run("steady", outcome)
    world.begin(dg.DagsterRunStatus.QUEUED)
    assert world.value("Do the runs succeed?") == 0.75
    assert answer(world.settings, asked("Do the runs succeed?", "mlops-overview"), today()).rows == [(0.75,)]


def test_the_last_run_of_each_job_is_shown_and_failures_come_first(world: World) -> None:
    for outcome in ("good", "broken"):
        world.run("shaky", outcome)
    passed, failed = world.run("steady"), world.run("shaky", "broken")
    frame = world.ask(LAST_RUNS)
    assert [row[:3] for row in frame.rows] == [("shaky", "FAILURE", 2), ("steady", "SUCCESS", 0)]
    assert frame.column("run") == [failed, passed]
    ended, succeeded = frame.column("ended"), frame.column("last success")
    assert all(abs(datetime.now(timezone.utc) - moment) < timedelta(minutes=1) for moment in ended)
    assert succeeded[0] < ended[0]
    assert succeeded[1] == ended[1]
    assert all(0 < seconds < 60 for seconds in frame.column("lasted"))


def test_a_job_that_fails_is_shown_for_as_long_as_its_alert_whatever_waits_or_was_canceled_since(world: World) -> None:
    failed = world.run("shaky", "broken")
    for status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.CANCELED):
        world.begin(status, job="shaky")
    assert [(row[:3], row[-1]) for row in world.ask(LAST_RUNS).rows] == [(("shaky", "FAILURE", 1), failed)]
    assert evaluate(world.settings, rule("pipeline-failing")).values == (1,)
    world.run("shaky")
    assert [row[:3] for row in world.ask(LAST_RUNS).rows] == [("shaky", "SUCCESS", 0)]
    assert evaluate(world.settings, rule("pipeline-failing")).values == ()


def test_what_a_person_materializes_by_hand_is_no_job_that_fails(world: World) -> None:
    world.run(BY_HAND, "broken")
    assert world.value("Do the runs succeed?") == 0
    assert world.ask(LAST_RUNS).rows == []
    assert evaluate(world.settings, rule("pipeline-failing")).values == ()


def test_the_queue_is_as_old_as_its_oldest_run(world: World) -> None:
    assert world.value("How old is the oldest queued run?") is None
    world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=20)
    world.begin(dg.DagsterRunStatus.QUEUED)
    assert world.value("How old is the oldest queued run?") == pytest.approx(1200, abs=30)
    listed = world.ask("Which runs are waiting or at work?")
    assert listed.column("state") == ["QUEUED", "QUEUED"]
    assert listed.column("age") == pytest.approx([1200, 0], abs=30)


def test_without_any_run_nobody_knows_whether_one_is_stuck(world: World) -> None:
    assert world.value("How many runs are stuck?") is None
    world.run("steady")
    assert world.value("How many runs are stuck?") == 0


@pytest.mark.parametrize(
    ("begun", "states"),
    [
        ([("STARTED", 29)], ["STARTED"]),
        ([("STARTED", 31)], ["STUCK"]),
        ([("QUEUED", 31)], ["STUCK"]),
        ([("QUEUED", 40), ("STARTED", 29)], ["QUEUED", "STARTED"]),
        ([("QUEUED", 40), ("STARTED", 31)], ["STUCK", "QUEUED"]),
    ],
    ids=["at work", "at work for long", "waiting for nothing", "waiting for work", "waiting for what is stuck"],
)
def test_a_run_is_stuck_in_the_number_and_in_the_list_if_the_alert_says_so(
    world: World, begun: list[tuple[str, int]], states: list[str]
) -> None:
    for status, minutes in begun:
        world.begin(dg.DagsterRunStatus[status], minutes_ago=minutes)
    assert world.ask("Which runs are waiting or at work?").column("state") == states
    assert world.value("How many runs are stuck?") == states.count("STUCK")
    assert len(evaluate(world.settings, rule("run-stuck")).fires) == states.count("STUCK")


def test_a_run_that_waited_for_long_and_starts_now_is_not_stuck(world: World) -> None:
    run = world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=40)
    world.execute(
        "UPDATE runs SET status = 'STARTING', update_timestamp = now() AT TIME ZONE 'UTC' WHERE run_id = :run", run=run
    )
    assert world.value("How many runs are stuck?") == 0


def test_a_daemon_that_stopped_falls_silent_and_one_that_lives_does_not(world: World) -> None:
    assert world.value("For how long is the daemon silent?") is None
    world.beat("SENSOR", seconds_ago=300)
    world.beat("SCHEDULER", seconds_ago=3600)
    assert world.value("For how long is the daemon silent?") == pytest.approx(300, abs=30)
    parts = world.ask("Which part of the daemon is silent?")
    assert parts.column("part") == ["scheduler", "sensor"]
    assert parts.column("silence") == pytest.approx([3600, 300], abs=30)
    world.beat("SENSOR", seconds_ago=0)
    assert world.value("For how long is the daemon silent?") == pytest.approx(0, abs=30)


def test_a_failing_check_is_shown_with_what_it_says_until_it_passes(world: World) -> None:
    assert world.ask(FAILING).rows == []
    world.run("steady", "wrong")
    assert world.ask(FAILING).rows == [(1, 0, 0)]
    run = world.run("steady", "warned")
    assert world.ask(FAILING).rows == [(0, 1, 0)]
    (row,) = world.ask(WHICH_CHECKS).rows
    assert row[:4] == ("thing", "sound", "WARN", "it's 3 % off")
    assert row[-1] == run
    world.run("steady")
    assert world.ask(FAILING).rows == [(0, 0, 0)]
    assert world.ask(WHICH_CHECKS).rows == []


def test_a_check_whose_run_failed_before_it_judged_has_no_verdict_until_it_judges(world: World) -> None:
    world.run("steady")
    assert world.ask(FAILING).rows == [(0, 0, 0)]
    run = world.run("steady", "broken")
    assert world.ask(FAILING).rows == [(0, 0, 1)]
    (row,) = world.ask(WHICH_CHECKS).rows
    assert row[:4] == ("thing", "sound", "NONE", "the run ended before it could judge")
    assert row[-1] == run
    world.run("steady", "warned")
    assert world.ask(FAILING).rows == [(0, 1, 0)]


def test_the_verdict_before_stands_while_a_run_is_at_work_and_if_it_is_canceled(world: World) -> None:
    world.run("steady", "warned")
    run = world.run("steady")
    world.execute("UPDATE asset_check_executions SET execution_status = 'PLANNED' WHERE run_id = :run", run=run)
    for status, found in (("STARTED", (0, 1, 0)), ("CANCELED", (0, 1, 0)), ("FAILURE", (0, 0, 1))):
        world.execute("UPDATE runs SET status = :status WHERE run_id = :run", status=status, run=run)
        assert world.ask(FAILING).rows == [found], status


def test_a_check_that_is_not_in_the_code_any_more_goes_when_its_asset_is_materialized(world: World) -> None:
    world.run("steady", "warned", EARLIER_CODE)
    assert world.ask(WHICH_CHECKS).column("check") == ["of_old", "sound"]
    world.run("look", "good", EARLIER_CODE)  # a look at one check says nothing of the other
    assert world.ask(WHICH_CHECKS).column("check") == ["of_old"]
    world.run("steady", "broken")  # nor does a run that materializes nothing
    assert world.ask(WHICH_CHECKS).column("check") == ["of_old", "sound"]
    world.run("steady")
    assert world.ask(FAILING).rows == [(0, 0, 0)]
    world.run("steady", "good", EARLIER_CODE)
    assert world.ask(WHICH_CHECKS).column("check") == ["of_old"]


def test_runs_are_counted_by_state_and_their_durations_by_job(world: World) -> None:
    for job, outcome, seconds in (("steady", "good", 10), ("steady", "good", 50), ("shaky", "broken", 99)):
        run = world.run(job, outcome)
        world.execute("UPDATE runs SET start_time = end_time - :lasted WHERE run_id = :run", lasted=seconds, run=run)
    world.begin(dg.DagsterRunStatus.FAILURE)  # it never came to its start
    frame = world.ask("How do the runs end?")
    counted: dict[str, int] = {}
    for status, n in zip(frame.column("metric"), frame.column("value"), strict=True):
        counted[status] = counted.get(status, 0) + n
    assert counted == {"success": 2, "failure": 2}
    durations = world.ask("How long do the jobs take?")
    assert durations.rows == [("steady", pytest.approx(30), pytest.approx(48))]


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
