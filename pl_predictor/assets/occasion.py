"""Why a run was launched: what its tags say, and what a person typed. Not here: whether that is reason enough
(core/retraining.py)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.retraining import CAUSES, Cause, Decision

RUN_KEY_TAG = "dagster/run_key"
"""Where Dagster keeps what a sensor calls the run that it asks for."""
CAUSE_TAG, REASON_TAG, EVIDENCE_TAG = "pl_predictor/cause", "pl_predictor/reason", "pl_predictor/evidence"
ROLLBACK = "rollback"
"""The cause of a run that lets the previous champion serve again, and trains nothing."""
LOOP = "loop"
"""The cause of a run that trains only where no model can serve."""


@dataclass(frozen=True)
class Why:
    """cause: one of core/retraining.py's; None for the loop and a rollback, which bring none. evidence: as
    Finding.as_document gives it."""

    cause: Cause | None
    reason: str
    evidence: Sequence[Mapping[str, str]] = ()

    def as_tags(self) -> dict[str, str]:
        """The same as tags of a run, or of a version."""
        return {
            CAUSE_TAG: self.cause or LOOP,
            REASON_TAG: self.reason,
            EVIDENCE_TAG: json.dumps([dict(one) for one in self.evidence]),
        }


def decided(decision: Decision) -> Why:
    """What a decision to train gives as its cause."""
    return Why(decision.cause, decision.reason, [one.as_document() for one in decision.evidence])


def why(tags: Mapping[str, str], typed: str = "") -> Why:
    """Why the run, or the version, with these tags came to be; `typed`: the reason that a person gave."""
    named = tags.get(CAUSE_TAG, "by hand")
    if named in {LOOP, ROLLBACK}:
        return Why(None, "")
    if named not in CAUSES:
        raise PredictorError(f"run tag {CAUSE_TAG}={named!r} is none of {', '.join([LOOP, ROLLBACK, *CAUSES])}")
    cause: Cause = named
    reason = typed or tags.get(REASON_TAG) or CAUSES[cause]
    return Why(cause, reason, json.loads(tags.get(EVIDENCE_TAG, "[]")))
