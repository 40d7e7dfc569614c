"""What the clock launches, in UK time, whatever the clocks do; and nothing where time is lived again."""

from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from pl_predictor import schedules
from pl_predictor.assets.occasion import CAUSE_TAG, REASON_TAG
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.frames import matches, played
from pl_predictor_tests.versions import bare_version, first_promoted

LONDON = ZoneInfo("Europe/London")
MONDAY = datetime(2023, 10, 2, 2, tzinfo=LONDON)
DAY = timedelta(days=1)
RESOURCES: dict[str, Any] = {"postgres": Postgres, "registry": ModelRegistry, "policy": Policy}
SNAPSHOT, LIVE = MatchFeed(source="snapshot"), MatchFeed(source="football-data")
STANDING_STILL = MatchFeed(source="football-data", as_of="2023-02-03")

CRONS = {
    "monitoring_schedule": "0 * * * *",
    "drift_analysis_schedule": "15 */6 * * *",
    "daily_predictions_schedule": "0 6 * * *",
    "weekly_retraining_evaluation_schedule": "0 2 * * 1",
}
BY_NAME = {schedule.name: schedule for schedule in schedules.SCHEDULES}
WITHOUT_A_REASON = [name for name in CRONS if not name.startswith("weekly")]


def test_every_schedule_runs_by_itself_at_its_time_in_the_uk() -> None:
    assert {name: schedule.cron_schedule for name, schedule in BY_NAME.items()} == CRONS
    assert {schedule.execution_timezone for schedule in BY_NAME.values()} == {"Europe/London"}
    assert {schedule.default_status for schedule in BY_NAME.values()} == {dg.DefaultScheduleStatus.RUNNING}
    assert {f"{schedule.job_name}_schedule" for schedule in BY_NAME.values()} == set(CRONS)


def ticks(name: str, begin: datetime, end: datetime) -> list[datetime]:
    times = schedule_execution_time_iterator(begin.timestamp(), CRONS[name], "Europe/London")
    return list(takewhile(lambda moment: moment < end, times))


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 29), 23), ((2026, 6, 1), 24), ((2026, 10, 25), 25)],
    ids=["clocks go forward", "usual", "clocks go back"],
)
def test_on_every_day_each_schedule_runs_as_often_as_it_says(day: tuple[int, int, int], hours: int) -> None:
    """On a day of 23 hours, or of 25, nothing runs twice or not at all, but for what runs every hour."""
    begin, end = datetime(*day, tzinfo=LONDON), datetime(*day[:2], day[2] + 1, tzinfo=LONDON)
    counts = {name: len(ticks(name, begin, end)) for name in WITHOUT_A_REASON}
    assert list(counts.values()) == [hours, 4, 1]


def test_nothing_with_an_hour_of_its_own_is_between_one_and_two() -> None:
    begin = datetime(2026, 1, 1, tzinfo=LONDON)
    for name in set(CRONS) - {"monitoring_schedule"}:
        found = ticks(name, begin, begin + 365 * DAY)
        assert len(found) >= 52
        assert 1 not in {moment.astimezone(LONDON).hour for moment in found}


@pytest.fixture
def database(environment: Settings) -> Postgres:
    """Version 1 was trained on the first of August; since then a match was played every day until the Monday."""
    engine = open_engine(environment.database_url(environment.postgres_db))
    begin = datetime(2023, 8, 1, 12, tzinfo=timezone.utc)
    rows = [played(f"Home {day:02d}", "Away", f"{(begin + day * DAY).date()} 15:00", 1, 0) for day in range(62)]
    MatchStorage(engine).store_matches(matches(*rows), "test")
    first_promoted(engine, begin, begin, replay=False)
    engine.dispose()
    return Postgres.from_settings(environment)


@pytest.fixture
def registry(environment: Settings) -> ModelRegistry:
    """Version 1 serves."""
    found = ModelRegistry.from_settings(environment)
    found.promote(bare_version(found, datetime(2023, 8, 1, 12, tzinfo=timezone.utc)))
    return found


def evaluated(name: str, at: datetime = MONDAY, **resources: Any) -> dg.RunRequest | str:
    """What a schedule does at a moment: a run that it asks for, or its reason not to."""
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=at, resources=resources) as context,
    ):
        found = BY_NAME[name].evaluate_tick(context)
    if found.run_requests:
        (request,) = found.run_requests
        return request
    return found.skip_message or ""


@pytest.mark.parametrize("feed", [SNAPSHOT, STANDING_STILL], ids=["snapshot", "a moment of the past"])
@pytest.mark.parametrize("name", CRONS)
def test_where_time_is_lived_again_the_clock_launches_nothing_and_says_why(
    environment: Settings, name: str, feed: MatchFeed
) -> None:
    made = {each: kind.from_settings(environment) for each, kind in RESOURCES.items()}
    found = evaluated(name, feed=feed, **made)
    assert found == "the source is of the past: the replay moves its time, and launches what the clock would"


@pytest.mark.parametrize("name", WITHOUT_A_REASON)
def test_on_a_live_source_the_clock_launches_what_needs_no_reason(name: str) -> None:
    request = evaluated(name, feed=LIVE)
    assert isinstance(request, dg.RunRequest)
    assert CAUSE_TAG not in request.tags


@pytest.mark.parametrize(
    ("refresh", "at", "reason"),
    [
        (62, MONDAY, None),
        (63, MONDAY, "62 results are new since the champion's training, and 63 are needed"),
        (
            *(1, datetime(2023, 8, 14, 2, tzinfo=LONDON)),
            "the last decision was at 2023-08-01 12:00 UTC; the cooldown ends at 2023-08-15 12:00",
        ),
    ],
    ids=["due", "too few results", "cooldown"],
)
def test_a_weekly_training_is_launched_if_it_is_due_and_otherwise_the_reason_is_said(
    database: Postgres, registry: ModelRegistry, refresh: int, at: datetime, reason: str | None
) -> None:
    policy = Policy.from_settings(Settings().model_copy(update={"refresh_results": refresh}))
    resources = {"feed": LIVE, "postgres": database, "registry": registry, "policy": policy}
    found = evaluated("weekly_retraining_evaluation_schedule", at, **resources)
    if reason is not None:
        assert found == reason
        return
    assert isinstance(found, dg.RunRequest)
    told = {name: found.tags[name] for name in (CAUSE_TAG, REASON_TAG)}
    assert told == {CAUSE_TAG: "routine", REASON_TAG: "62 results are new since the champion's training"}
