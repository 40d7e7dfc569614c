"""Which facts are an alert, at which level, and which leave open whether there is one."""

from datetime import datetime, timedelta, timezone

import pytest

from pl_predictor import checks
from pl_predictor.core.alert_rules import (
    LEAK_CHECK,
    SOURCE_CHECKS,
    CheckOutcome,
    Facts,
    FinishedRun,
    RunState,
    Unforecast,
    Unjudged,
    judge,
)
from pl_predictor.core.alerts import Level
from pl_predictor.core.freshness import FixtureState

NOON = datetime(2024, 1, 13, 12, tzinfo=timezone.utc)


def failed(check: str, *, severe: bool = True) -> Facts:
    return Facts(verdicts=[CheckOutcome("an_asset", check, False, severe, f"{check} said no")])


def passed(check: str) -> Facts:
    return Facts(verdicts=[CheckOutcome("an_asset", check, True, True, f"{check} said yes")])


def listed(state: str) -> Facts:
    return Facts(listed=FixtureState(state, "so it is"))  # type: ignore[arg-type]


def unjudged(run: RunState, *, started: bool) -> Facts:
    return Facts(unjudged=[Unjudged("an_asset", "a_claim", "r1", run, started)])


def unforecast(count: int, *, forecasting: bool = False) -> Facts:
    soon = [Unforecast(f"Home {i:02}", "Away", NOON + timedelta(hours=i)) for i in range(count)]
    return Facts(unforecast=soon[::-1], forecasting=forecasting)


W, E, C = Level.WARNING, Level.ERROR, Level.CRITICAL
ACCURACY = "check_failed:an_asset:accuracy_above_threshold"


@pytest.mark.parametrize(
    ("facts", "alerts"),
    [
        (Facts(), {}),
        (Facts(runs=[FinishedRun("loop", "r1", True, "step x failed")]), {"run_failed:loop": E}),
        (Facts(runs=[FinishedRun("loop", "r1", False)]), {}),
        (failed("accuracy_above_threshold"), {ACCURACY: W}),
        (failed("accuracy_above_threshold", severe=False), {}),
        (passed("accuracy_above_threshold"), {}),
        (failed("drift_share_below_threshold"), {"check_failed:an_asset:drift_share_below_threshold": W}),
        (failed(LEAK_CHECK), {f"check_failed:an_asset:{LEAK_CHECK}": C}),
        (failed("files_arrive_whole"), {"source": C}),
        (failed("files_arrive_whole", severe=False), {}),
        (failed("results_are_fresh", severe=False), {"source": C}),
        (passed("results_are_fresh"), {}),
        (failed("fixture_list_is_sound"), {}),
        (listed("feed_broken"), {"source": C}),
        (listed("feed_stale"), {"source": C}),
        (listed("no_round_published"), {}),
        (listed("ok"), {}),
        (Facts(registry_problem="MLflow cannot be reached"), {"registry": C}),
        (unjudged("failed", started=True), {"check_crashed:an_asset:a_claim": E}),
        (unjudged("succeeded", started=False), {"check_crashed:an_asset:a_claim": E}),
        (unforecast(1), {"no_forecast": C}),
        (unforecast(0, forecasting=True), {}),
    ],
    ids=[
        "nothing",
        "a failed run",
        "a good run",
        "degradation",
        "within noise",
        "good enough",
        "drift",
        "a leak",
        "a refused file",
        "a file that still stands in the tables",
        "an overdue result, at any severity",
        "fresh results",
        "an old verdict on the list",
        "a broken list",
        "a stale list",
        "no round",
        "a list",
        "a dead or replaced registry",
        "a crashed check",
        "a check that a good run left out",
        "no forecast",
        "all forecast",
    ],
)
def test_each_fact_is_the_alert_of_its_level_or_none(facts: Facts, alerts: dict[str, Level]) -> None:
    judged = judge(facts)
    assert {condition.key: condition.level for condition in judged.conditions} == alerts
    assert not judged.undecided


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        (unjudged("at_work", started=False), "check_crashed:an_asset:a_claim"),
        (unjudged("at_work", started=True), "check_crashed:an_asset:a_claim"),
        (unjudged("failed", started=False), "check_crashed:an_asset:a_claim"),
        (unjudged("canceled", started=True), "check_crashed:an_asset:a_claim"),
        (unjudged("deleted", started=False), "check_crashed:an_asset:a_claim"),
        (unforecast(3, forecasting=True), "no_forecast"),
    ],
    ids=["not yet begun", "at work", "not reached", "canceled", "deleted", "about to be forecast"],
)
def test_what_nobody_can_tell_yet_is_undecided(facts: Facts, key: str) -> None:
    judged = judge(facts)
    assert judged.conditions == []
    assert judged.undecided == {key}


def test_all_that_is_wrong_with_the_source_is_one_alert_that_names_each_cause() -> None:
    verdicts = [*failed("teams_are_known").verdicts, *failed("results_are_fresh").verdicts]
    (condition,) = judge(Facts(verdicts=verdicts, listed=listed("feed_stale").listed)).conditions
    assert condition.message == "teams_are_known said no; results_are_fresh said no; feed_stale: so it is"


def test_the_matches_without_a_forecast_are_named_the_first_to_kick_off_first() -> None:
    (one,) = judge(unforecast(1)).conditions
    assert one.title == "1 match about to kick off without a forecast"
    assert one.message == "No forecast of Home 00 - Away (13 Jan 12:00 UTC)"
    (many,) = judge(unforecast(12)).conditions
    assert many.title == "12 matches about to kick off without a forecast"
    assert many.message.startswith("No forecast of Home 00 - Away (13 Jan 12:00 UTC), Home 01")
    assert many.message.endswith("Home 09 - Away (13 Jan 21:00 UTC) and 2 more")


def test_an_alert_about_a_run_names_it_and_why_it_failed() -> None:
    (condition,) = judge(Facts(runs=[FinishedRun("loop", "r1", True, "step x failed")])).conditions
    assert (condition.run_id, condition.message) == ("r1", "Run r1: step x failed")


def test_the_checks_that_the_rules_name_exist() -> None:
    assert {key.name for key in checks.KEYS} >= SOURCE_CHECKS | {LEAK_CHECK}
