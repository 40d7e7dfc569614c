"""The rule of retraining: which evidence is enough, what stands against it, and that it never storms."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pl_predictor.core.retraining import (
    CAUSES,
    DRIFT_CHECK,
    Cause,
    Finding,
    History,
    RetrainingPolicy,
    decide,
    decide_refresh,
    objection,
    refusal,
)

NOW = datetime(2024, 1, 15, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
POLICY = RetrainingPolicy(cooldown=14 * DAY, min_new_results=20, refresh_results=100)
READY = History(champion="3", last_training=NOW - 30 * DAY, new_results=40, training=False, close_season=False)
ACCURACY, F1 = "accuracy_above_threshold", "weighted_f1_above_threshold"
Outcome = Literal["passed", "WARN", "ERROR"]


def said(check: str, outcome: Outcome, **more: Any) -> Finding:
    """A verdict on version 3, as of now."""
    severity = None if outcome == "passed" else outcome
    usual = {"words": "0.400 is below 0.55", "model_version": "3", "as_of": NOW, "run_id": "run-1"}
    return Finding(check=check, passed=outcome == "passed", severity=severity, **{**usual, **more})


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ([], "no check has come to a verdict yet"),
        ([said(ACCURACY, "ERROR", crashed=True)], "no verdict is usable: accuracy_above_threshold crashed"),
        (
            [said(ACCURACY, "ERROR", model_version="2"), said(F1, "ERROR", model_version="1")],
            "the newest verdicts are about version 1, 2, and version 3 serves",
        ),
        ([said(ACCURACY, "passed"), said(DRIFT_CHECK, "passed")], "all 2 checks with a verdict pass"),
        (
            [said(ACCURACY, "WARN"), said(DRIFT_CHECK, "passed")],
            "accuracy_above_threshold failed within noise: only a failure beyond it retrains",
        ),
        ([said(ACCURACY, "passed"), said(F1, "ERROR", crashed=True)], "all 1 checks with a verdict pass"),
        ([said(ACCURACY, "passed"), said(F1, "ERROR", model_version="2")], "all 1 checks with a verdict pass"),
    ],
    ids=["none", "crashed only", "of other versions", "pass", "within noise", "failed, then crashed", "failed before"],
)
def test_what_is_no_failure_of_who_serves_beyond_noise_trains_nothing(evidence: list[Finding], reason: str) -> None:
    decision = decide(evidence, READY, POLICY, NOW)
    assert (decision.retrain, decision.reason, decision.cause, decision.key) == (False, reason, None, "")


def test_where_nobody_serves_by_the_record_the_reason_says_nobody() -> None:
    decision = decide([said(ACCURACY, "ERROR")], replace(READY, champion=None), POLICY, NOW)
    assert decision.reason == "the newest verdicts are about version 3, and nobody serves"


@pytest.mark.parametrize(
    ("evidence", "warnings", "cause", "failed"),
    [
        ([said(ACCURACY, "ERROR"), said(DRIFT_CHECK, "passed")], False, "degradation", [ACCURACY]),
        ([said(ACCURACY, "passed"), said(DRIFT_CHECK, "ERROR")], False, "drift", [DRIFT_CHECK]),
        ([said(ACCURACY, "WARN"), said(DRIFT_CHECK, "ERROR")], False, "drift", [DRIFT_CHECK]),
        ([said(ACCURACY, "ERROR"), said(DRIFT_CHECK, "ERROR")], False, "degradation", [ACCURACY, DRIFT_CHECK]),
        ([said(ACCURACY, "WARN"), said(F1, "passed")], True, "degradation", [ACCURACY]),
        ([said(DRIFT_CHECK, "WARN")], True, "drift", [DRIFT_CHECK]),
    ],
    ids=["quality", "drift", "drift, quality within noise", "both", "within noise, asked for", "drift within noise"],
)
def test_a_failure_trains_and_its_cause_and_evidence_say_which(
    evidence: list[Finding], warnings: bool, cause: Cause, failed: list[str]
) -> None:
    decision = decide(evidence, READY, replace(POLICY, warnings=warnings), NOW)
    assert (decision.retrain, decision.cause, [one.check for one in decision.evidence]) == (True, cause, failed)
    assert decision.reason == "; ".join(f"{name}: 0.400 is below 0.55" for name in failed)


AGAINST: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing": ({}, None),
    "no training ever": ({"last_training": None, "new_results": 0}, None),
    "under way": ({"training": True}, "a training is under way"),
    "close season": ({"close_season": True}, "it is the close season: nothing new can be learnt, or tried, before the"),
    "cooldown": (
        {"last_training": NOW - 14 * DAY + SECOND},
        "the last training was at 2024-01-01 12:00 UTC; the cooldown ends at 2024-01-15 12:00",
    ),
    "cooldown has just ended": ({"last_training": NOW - 14 * DAY}, None),
    "too little is new": ({"new_results": 19}, "19 results are new since the last training, and 20 are needed"),
    "just enough is new": ({"new_results": 20}, None),
}


@pytest.mark.parametrize(("state", "refused"), AGAINST.values(), ids=AGAINST)
def test_what_stands_against_a_training_holds_whatever_failed(state: dict[str, Any], refused: str | None) -> None:
    history = replace(READY, **state)
    found = refusal(history, POLICY, NOW, min_new_results=20)
    decision = decide([said(ACCURACY, "ERROR"), said(DRIFT_CHECK, "ERROR")], history, POLICY, NOW)
    assert decision.retrain is (refused is None)
    if refused is None:
        assert found is None
    else:
        assert (found or "").startswith(refused)
        assert decision.reason == f"{ACCURACY}, {DRIFT_CHECK} failed, but {found}"
        assert [one.check for one in decision.evidence] == [ACCURACY, DRIFT_CHECK]


@pytest.mark.parametrize(
    ("state", "due", "reason"),
    [
        ({"new_results": 100}, True, "100 results are new since the last training"),
        ({"new_results": 99}, False, "99 results are new since the last training, and 100 are needed"),
        ({"new_results": 100, "training": True}, False, "a training is under way"),
        ({"new_results": 100, "last_training": NOW - 13 * DAY}, False, "the last training was at 2024-01-02 12:00 UTC"),
    ],
    ids=["enough", "one too few", "under way", "cooldown"],
)
def test_a_routine_training_is_due_when_enough_is_new(state: dict[str, Any], due: bool, reason: str) -> None:
    decision = decide_refresh(replace(READY, **state), POLICY, NOW)
    assert (decision.retrain, decision.cause) == (due, "routine" if due else None)
    assert decision.reason.startswith(reason)


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize(
    ("new_results", "last", "force", "allowed"),
    [
        (150, 30, False, set(CAUSES)),
        (40, 30, False, set(CAUSES) - {"routine"}),
        (0, 30, False, {"first", "by hand"}),
        (150, 1, False, {"first", "by hand"}),
        (0, 1, True, set(CAUSES)),
    ],
    ids=["enough for all", "too little for a routine", "nothing new", "cooldown", "forced"],
)
def test_what_is_decided_is_asked_again_when_its_turn_comes(
    cause: Cause, new_results: int, last: int, force: bool, allowed: set[str]
) -> None:
    history = replace(READY, new_results=new_results, last_training=NOW - last * DAY)
    assert (objection(cause, history, POLICY, NOW, force=force) is None) is (cause in allowed)


# --- in the long run -------------------------------------------------------------------------------------------------

OUTCOMES: list[Outcome] = ["passed", "WARN", "ERROR"]
LOOK = st.fixed_dictionaries(
    {
        "hours": st.sampled_from([1, 24, 168]),
        "accuracy": st.sampled_from(OUTCOMES),
        "drift": st.sampled_from(OUTCOMES),
        "results": st.integers(0, 60),
        "routine": st.booleans(),
        "promoted": st.booleans(),
    }
)


@given(st.lists(LOOK, max_size=60), st.sampled_from([DAY, 7 * DAY, 14 * DAY]), st.booleans())
def test_no_two_trainings_are_within_a_cooldown_whatever_the_checks_say(
    looks: list[dict[str, Any]], cooldown: timedelta, warnings: bool
) -> None:
    """Each look sees new verdicts on who serves; a training may change who does, and restarts the count of results."""
    policy = RetrainingPolicy(cooldown, min_new_results=20, refresh_results=100, warnings=warnings)
    history, now, trained, keys = History("1", None, 0, False, False), NOW, list[datetime](), list[str]()
    for number, look in enumerate(looks):
        now += timedelta(hours=look["hours"])
        history = replace(history, new_results=history.new_results + look["results"])
        about = {"as_of": now, "run_id": f"run-{number}", "model_version": str(history.champion)}
        verdicts = [said(ACCURACY, look["accuracy"], **about), said(DRIFT_CHECK, look["drift"], **about)]
        decisions = [decide(verdicts, history, policy, now)]
        decisions += [decide_refresh(history, policy, now)] if look["routine"] else []
        for decision in decisions:
            if decision.retrain and decision.cause and objection(decision.cause, history, policy, now) is None:
                trained.append(now)
                keys += [decision.key] if decision.key else []
                champion = str(number + 2) if look["promoted"] else history.champion
                history = replace(history, champion=champion, last_training=now, new_results=0)
    assert all(later - earlier >= cooldown for earlier, later in pairwise(trained))
    assert len(set(keys)) == len(keys)


def test_a_model_that_goes_on_failing_is_trained_again_as_soon_as_it_may_be() -> None:
    history, trained = replace(READY, last_training=None), list[int]()
    for day in range(50):
        now = NOW + day * DAY
        if decide([said(ACCURACY, "ERROR", as_of=now)], history, POLICY, now).retrain:
            trained.append(day)
            history = replace(history, last_training=now)
    assert trained == [0, 14, 28, 42]


def test_the_same_evidence_has_the_same_key_in_any_order_and_other_evidence_another() -> None:
    one, other = said(ACCURACY, "ERROR"), said(DRIFT_CHECK, "ERROR")

    def key(*evidence: Finding) -> str:
        return decide(evidence, READY, POLICY, NOW).key

    assert key(one, other) == key(other, one) == key(replace(one, words="in other words"), other)
    keys = {key(one, other), key(one), key(other), key(replace(one, run_id="run-2"), other)}
    assert len(keys) == 4
