"""The rule that decides when a model is trained again: evidence and history in, a decision with its reason out.

Here: whether to train. Not here: how evidence is judged (core/verdicts.py), who reads it (sensors.py), whether what was
trained may serve (core/promotion.py). Nothing here reads a clock: `as_of` is the moment that the evidence speaks of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

Cause = Literal["degradation", "drift", "routine", "emergency", "by hand", "first"]
"""Why a model was trained. routine: enough new results; first: none could serve; emergency, by hand: a person did."""

CAUSES: Final[dict[Cause, str]] = {
    "degradation": "a check of the forecasts' quality failed beyond noise",
    "drift": "the check of drift failed, and none of quality did",
    "routine": "the champion has not seen enough results",
    "emergency": "a person launched emergency_retraining",
    "by hand": "a person materialized trained_model",
    "first": "no model could serve",
}
MINUTE: Final = "%Y-%m-%d %H:%M"
DRIFT_CHECK: Final = "drift_share_below_threshold"
SKILL_CHECK: Final = "skill_against_the_market_above_threshold"
"""The check that sees a change soonest."""
PUT_OFF_UNTIL: Final = 2
"""While skill fails a routine training waits until so many times `refresh_results` are unseen."""
UNDER_WAY: Final = "a training is under way"


@dataclass(frozen=True)
class Finding:
    """The newest verdict of one check of quality or drift, and where it came from.

    severity: WARN (within noise) or ERROR (beyond it) of a failed check, None of a passed one. last_kickoff: of the
    newest match that it rests on, None where there is none; two verdicts on one version with the same are the same
    evidence. `crashed`: the check was launched again after this and never came to a verdict, so that this one is out of
    date.
    """

    check: str
    passed: bool
    severity: Literal["WARN", "ERROR"] | None
    words: str
    model_version: str
    as_of: datetime
    run_id: str
    last_kickoff: datetime | None = None
    crashed: bool = False

    @property
    def evidence(self) -> str:
        """Names what it rests on."""
        until = "no match" if self.last_kickoff is None else f"{self.last_kickoff:{MINUTE}}"
        return f"{self.check} of version {self.model_version} until {until}"

    def as_document(self) -> dict[str, str]:
        """What is kept of it beside a decision, as JSON's types."""
        return {"check": self.check, "words": self.words, "as_of": self.as_of.isoformat(), "run_id": self.run_id}


class Serving(Protocol):
    """The model that serves, as far as a decision wants to know it."""

    @property
    def version(self) -> str:
        """Its version in the registry."""

    @property
    def last_match(self) -> datetime | None:
        """The kick-off of the newest match that it was trained on; None for a version of somebody else's."""


@dataclass(frozen=True)
class History:
    """What happened before the moment of a decision.

    champion: the version that serves, None before the first training. last_decision: the moment (as_of) of the last
    decision about who serves, whatever its cause and outcome. new_results: results known that the model which was
    trained last had not seen; unseen: that the champion had not. training: a run that trains is queued or under way.
    close_season: no match of the running season is left.
    """

    champion: str | None
    last_decision: datetime | None
    new_results: int
    unseen: int
    training: bool
    close_season: bool


@dataclass(frozen=True)
class RetrainingPolicy:
    """When evidence is enough. `warnings`: a failure within noise is enough, too. `refresh_results`: results that the
    champion has not seen after which a model is trained again without any failure."""

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
        return "; ".join(sorted(one.evidence for one in self.evidence))


def decide(evidence: Sequence[Finding], history: History, policy: RetrainingPolicy, as_of: datetime) -> Decision:
    """Whether the newest verdicts call for a training at `as_of`. The first reason that applies refuses."""
    usable = [one for one in evidence if not one.crashed]
    if not usable:
        crashed = ", ".join(one.check for one in evidence)
        return _no(f"no verdict is usable: {crashed} crashed" if crashed else "no check has come to a verdict yet")
    ours = _about(history.champion, evidence)
    if not ours:
        about = ", ".join(sorted({one.model_version for one in usable}))
        serves = "nobody" if history.champion is None else f"version {history.champion}"
        return _no(f"the newest verdicts are about version {about}, and {serves} serves")
    failed = tuple(one for one in ours if not one.passed and (policy.warnings or one.severity == "ERROR"))
    if not failed:
        return _no(_why_no_failure(ours))
    names = ", ".join(one.check for one in failed)
    cause: Cause = "drift" if all(one.check == DRIFT_CHECK for one in failed) else "degradation"
    if (refused := objection(cause, history, policy, as_of)) is not None:
        return Decision(False, f"{names} failed, but {refused}", evidence=failed)
    return Decision(True, "; ".join(f"{one.check}: {one.words}" for one in failed), cause, failed)


def decide_refresh(
    evidence: Sequence[Finding], history: History, policy: RetrainingPolicy, as_of: datetime
) -> Decision:
    """Whether a routine training is due at `as_of`, without any failure.

    While skill fails it is put off, until twice as many results are unseen: the record of a new champion begins anew,
    and what has just begun to show would be lost with the old one.
    """
    if (refused := objection("routine", history, policy, as_of)) is not None:
        return _no(refused)
    fails = any(one.check == SKILL_CHECK and not one.passed for one in _about(history.champion, evidence))
    if fails and history.unseen < PUT_OFF_UNTIL * policy.refresh_results:
        return _no(f"{history.unseen} results are unseen, but {SKILL_CHECK} fails: its evidence would be lost")
    return Decision(True, f"{history.unseen} results are new since the champion's training", "routine")


def refresh_is_due(history: History, policy: RetrainingPolicy) -> bool:
    """True if the champion has not seen as many results as a routine training waits for."""
    return history.unseen >= policy.refresh_results


def objection(
    cause: Cause, history: History, policy: RetrainingPolicy, as_of: datetime, *, force: bool = False
) -> str | None:
    """What stands against a training for this cause at `as_of`; None if nothing does.

    Each way to train but a person's `force` asks here, so that no two trainings are closer than the cooldown; and asks
    again when its turn has come, which is later than it was decided.
    """
    if force or cause in {"first", "by hand"}:
        return None
    if history.training:
        return UNDER_WAY
    if history.close_season:
        return "it is the close season: nothing new can be learnt, or tried, before the next one begins"
    if history.last_decision is not None and as_of < history.last_decision + policy.cooldown:
        until = history.last_decision + policy.cooldown
        return f"the last decision was at {history.last_decision:{MINUTE}} UTC; the cooldown ends at {until:{MINUTE}}"
    new, needed, since = history.new_results, policy.min_new_results, "the last training"
    if cause == "routine":
        new, needed, since = history.unseen, policy.refresh_results, "the champion's training"
    return None if new >= needed else f"{new} results are new since {since}, and {needed} are needed"


def _about(version: str | None, evidence: Sequence[Finding]) -> list[Finding]:
    """The usable verdicts on one version."""
    return [one for one in evidence if not one.crashed and one.model_version == version]


def _no(reason: str) -> Decision:
    return Decision(False, reason)


def _why_no_failure(ours: Sequence[Finding]) -> str:
    within_noise = [one.check for one in ours if not one.passed]
    if within_noise:
        return f"{', '.join(within_noise)} failed within noise: only a failure beyond it retrains"
    return f"all {len(ours)} checks with a verdict pass"
