"""The rule that decides when a model is trained again: evidence and history in, a decision with its reason out.

Here: whether to train. Not here: how evidence is judged (core/verdicts.py), who reads it (sensors.py), whether what was
trained may serve (core/promotion.py). Nothing here reads a clock: `as_of` is the moment that the evidence speaks of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Cause = Literal["degradation", "drift", "routine", "emergency", "by hand", "first"]
"""Why a model was trained. routine: enough new results; first: none could serve; emergency, by hand: a person did."""

CAUSES: Final[dict[Cause, str]] = {
    "degradation": "a check of the forecasts' quality failed beyond noise",
    "drift": "the check of drift failed, and none of quality did",
    "routine": "enough results are new since the last training",
    "emergency": "a person launched emergency_retraining",
    "by hand": "a person materialized trained_model",
    "first": "no model could serve",
}
MINUTE: Final = "%Y-%m-%d %H:%M"
DRIFT_CHECK: Final = "drift_share_below_threshold"


@dataclass(frozen=True)
class Finding:
    """The newest verdict of one check of quality or drift, and where it came from.

    severity: WARN (within noise) or ERROR (beyond it) of a failed check, None of a passed one. `crashed`: the check was
    launched again after this and never came to a verdict, so that this one is out of date.
    """

    check: str
    passed: bool
    severity: Literal["WARN", "ERROR"] | None
    words: str
    model_version: str
    as_of: datetime
    run_id: str
    crashed: bool = False

    def as_document(self) -> dict[str, str]:
        """What is kept of it beside a decision, as JSON's types."""
        return {"check": self.check, "words": self.words, "as_of": self.as_of.isoformat(), "run_id": self.run_id}


@dataclass(frozen=True)
class History:
    """What happened before the moment of a decision.

    champion: the version that serves, None before the first training. last_training: the moment (as_of) of the last
    decision about a trained model, whatever its cause and outcome. new_results: results known that it had not seen.
    training: a run that trains is queued or under way. close_season: no match of the running season is left.
    """

    champion: str | None
    last_training: datetime | None
    new_results: int
    training: bool
    close_season: bool


@dataclass(frozen=True)
class RetrainingPolicy:
    """When evidence is enough. `warnings`: a failure within noise is enough, too. `refresh_results`: new results after
    which a model is trained again without any failure."""

    cooldown: timedelta
    min_new_results: int
    refresh_results: int
    warnings: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether to train, why or why not (a sentence for a person), and the evidence that it rests on."""

    retrain: bool
    reason: str
    cause: Cause | None = None
    evidence: tuple[Finding, ...] = ()

    @property
    def key(self) -> str:
        """Names the evidence: the same evidence has the same key, and is acted upon once."""
        return " ".join(sorted(f"{one.check}:{one.run_id}" for one in self.evidence))


def decide(evidence: Sequence[Finding], history: History, policy: RetrainingPolicy, as_of: datetime) -> Decision:
    """Whether the newest verdicts call for a training at `as_of`. The first reason that applies refuses."""
    usable = [one for one in evidence if not one.crashed]
    if not usable:
        crashed = ", ".join(one.check for one in evidence)
        return _no(f"no verdict is usable: {crashed} crashed" if crashed else "no check has come to a verdict yet")
    ours = [one for one in usable if one.model_version == history.champion]
    if not ours:
        about = ", ".join(sorted({one.model_version for one in usable}))
        serves = "nobody" if history.champion is None else f"version {history.champion}"
        return _no(f"the newest verdicts are about version {about}, and {serves} serves")
    failed = tuple(one for one in ours if not one.passed and (policy.warnings or one.severity == "ERROR"))
    if not failed:
        return _no(_why_no_failure(ours))
    names = ", ".join(one.check for one in failed)
    if (refused := refusal(history, policy, as_of, min_new_results=policy.min_new_results)) is not None:
        return Decision(False, f"{names} failed, but {refused}", evidence=failed)
    cause: Cause = "drift" if all(one.check == DRIFT_CHECK for one in failed) else "degradation"
    return Decision(True, "; ".join(f"{one.check}: {one.words}" for one in failed), cause, failed)


def decide_refresh(history: History, policy: RetrainingPolicy, as_of: datetime) -> Decision:
    """Whether a routine training is due at `as_of`, without any failure."""
    if (refused := refusal(history, policy, as_of, min_new_results=policy.refresh_results)) is not None:
        return _no(refused)
    return Decision(True, f"{history.new_results} results are new since the last training", "routine")


def refusal(history: History, policy: RetrainingPolicy, as_of: datetime, *, min_new_results: int) -> str | None:
    """What stands against a training at `as_of`, whatever speaks for it; None if nothing does.

    Each way to train but a person's `force` asks here, so that no two trainings are closer than the cooldown.
    """
    if history.training:
        return "a training is under way"
    if history.close_season:
        return "it is the close season: nothing new can be learnt, or tried, before the next one begins"
    if history.last_training is not None and as_of < history.last_training + policy.cooldown:
        until = history.last_training + policy.cooldown
        return f"the last training was at {history.last_training:{MINUTE}} UTC; the cooldown ends at {until:{MINUTE}}"
    if history.last_training is not None and history.new_results < min_new_results:
        return f"{history.new_results} results are new since the last training, and {min_new_results} are needed"
    return None


def objection(
    cause: Cause, history: History, policy: RetrainingPolicy, as_of: datetime, *, force: bool = False
) -> str | None:
    """What stands against a training for this cause when its turn has come, which is later than it was decided."""
    if force or cause in {"first", "by hand"}:
        return None
    needed = policy.refresh_results if cause == "routine" else policy.min_new_results
    return refusal(history, policy, as_of, min_new_results=needed)


def _no(reason: str) -> Decision:
    return Decision(False, reason)


def _why_no_failure(ours: Sequence[Finding]) -> str:
    within_noise = [one.check for one in ours if not one.passed]
    if within_noise:
        return f"{', '.join(within_noise)} failed within noise: only a failure beyond it retrains"
    return f"all {len(ours)} checks with a verdict pass"
