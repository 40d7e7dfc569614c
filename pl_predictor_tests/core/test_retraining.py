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
    SKILL_CHECK,
    Cause,
    Finding,
    History,
    RetrainingPolicy,
    decide,
    decide_refresh,
    objection,
    refresh_is_due,
)

NOW = datetime(2024, 1, 15, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
POLICY = RetrainingPolicy(cooldown=14 * DAY, min_new_results=20, refresh_results=100)
READY = History(
    champion="3", last_decision=NOW - 30 * DAY, new_results=40, unseen=40, training=False, close_season=False
)
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
    "no decision ever": ({"last_decision": None}, None),
    "under way": ({"training": True}, "a training is under way"),
    "close season": ({"close_season": True}, "it is the close season: nothing new can be learnt, or tried, before the"),
    "cooldown": (
        {"last_decision": NOW - 14 * DAY + SECOND},
        "the last decision was at 2024-01-01 12:00 UTC; the cooldown ends at 2024-01-15 12:00",
    ),
    "cooldown has just ended": ({"last_decision": NOW - 14 * DAY}, None),
    "too little is new": ({"new_results": 19}, "19 results are new since the last training, and 20 are needed"),
    "just enough is new": ({"new_results": 20}, None),
}


@pytest.mark.parametrize(("state", "refused"), AGAINST.values(), ids=AGAINST)
def test_what_stands_against_a_training_holds_whatever_failed(state: dict[str, Any], refused: str | None) -> None:
    history = replace(READY, **state)
    found = objection("degradation", history, POLICY, NOW)
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
        ({"unseen": 100}, True, "100 results are new since the champion's training"),
        ({"unseen": 100, "new_results": 0}, True, "100 results are new since the champion's training"),
        ({"unseen": 99}, False, "99 results are new since the champion's training, and 100 are needed"),
        ({"unseen": 100, "training": True}, False, "a training is under way"),
        ({"unseen": 100, "last_decision": NOW - 13 * DAY}, False, "the last decision was at 2024-01-02 12:00 UTC"),
    ],
    ids=["enough", "enough, though a refused one has seen them", "one too few", "under way", "cooldown"],
)
def test_a_routine_training_is_due_when_the_champion_has_not_seen_enough(
    state: dict[str, Any], due: bool, reason: str
) -> None:
    history = replace(READY, **state)
    decision = decide_refresh([], history, POLICY, NOW)
    assert refresh_is_due(history, POLICY) is (history.unseen >= 100)
    assert (decision.retrain, decision.cause) == (due, "routine" if due else None)
    assert decision.reason.startswith(reason)


@pytest.mark.parametrize(
    ("verdict", "unseen", "due"),
    [
        (said(SKILL_CHECK, "passed"), 100, True),
        (said(SKILL_CHECK, "WARN"), 199, False),
        (said(SKILL_CHECK, "WARN"), 200, True),
        (said(SKILL_CHECK, "WARN", model_version="2"), 100, True),
        (said(SKILL_CHECK, "WARN", crashed=True), 100, True),
        (said(ACCURACY, "WARN"), 100, True),
        (said(DRIFT_CHECK, "ERROR"), 100, True),
    ],
    ids=["passes", "fails", "fails for too long", "of another version", "crashed", "of accuracy", "of drift"],
)
def test_a_routine_training_is_put_off_while_skill_fails(verdict: Finding, unseen: int, due: bool) -> None:
    decision = decide_refresh([verdict], replace(READY, unseen=unseen), POLICY, NOW)
    assert decision.retrain is due
    assert due or decision.reason == f"199 results are unseen, but {SKILL_CHECK} fails: its evidence would be lost"


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
    history = replace(READY, new_results=new_results, unseen=new_results, last_decision=NOW - last * DAY)
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
    history, now, trained, keys = History("1", None, 0, 0, False, False), NOW, list[datetime](), list[str]()
    for number, look in enumerate(looks):
        now += timedelta(hours=look["hours"])
        new, unseen = history.new_results + look["results"], history.unseen + look["results"]
        history = replace(history, new_results=new, unseen=unseen)
        about = {"as_of": now, "last_kickoff": now, "model_version": str(history.champion)}
        verdicts = [said(ACCURACY, look["accuracy"], **about), said(DRIFT_CHECK, look["drift"], **about)]
        decisions = [decide(verdicts, history, policy, now)]
        decisions += [decide_refresh(verdicts, history, policy, now)] if look["routine"] else []
        for decision in decisions:
            if decision.retrain and decision.cause and objection(decision.cause, history, policy, now) is None:
                trained.append(now)
                keys += [decision.key] if decision.key else []
                champion = str(number + 2) if look["promoted"] else history.champion
                unseen = 0 if look["promoted"] else history.unseen
                history = replace(history, champion=champion, last_decision=now, new_results=0, unseen=unseen)
    assert all(later - earlier >= cooldown for earlier, later in pairwise(trained))
    assert len(set(keys)) == len(keys)


def test_a_model_that_goes_on_failing_is_trained_again_as_soon_as_it_may_be() -> None:
    history, trained = replace(READY, last_decision=None), list[int]()
    for day in range(50):
        now = NOW + day * DAY
        if decide([said(ACCURACY, "ERROR", as_of=now)], history, POLICY, now).retrain:
            trained.append(day)
            history = replace(history, last_decision=now)
    assert trained == [0, 14, 28, 42]


def test_the_same_evidence_has_the_same_key_in_any_order_and_other_evidence_another() -> None:
    one, other = said(ACCURACY, "ERROR"), said(DRIFT_CHECK, "ERROR")

    def key(*evidence: Finding) -> str:
        return decide(evidence, READY, POLICY, NOW).key

    assert key(one, other) == key(other, one) == key(replace(one, run_id="run-2", as_of=NOW + DAY), other)
    later = replace(one, last_kickoff=NOW)
    assert key(later) == f"{ACCURACY} of version 3 until 2024-01-15 12:00"
    assert len({key(one, other), key(one), key(other), key(later, other)}) == 4
