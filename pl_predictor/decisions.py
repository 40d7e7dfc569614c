"""The decisions to train a model: what the checks said, what the tables and the registry know, and the rule on it.

Here: the facts of a decision, gathered at one moment. Not here: the rule (core/retraining.py), who asks
(sensors.py, schedules.py, services/replay.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import dagster as dg

from pl_predictor.assets.occasion import CAUSE_TAG, RUN_KEY_TAG, decided
from pl_predictor.core.retraining import CAUSES, Decision, Finding, History, decide, decide_refresh
from pl_predictor.findings import finding
from pl_predictor.quality_checks import QUALITY_KEYS
from pl_predictor.resources.match_feed import AS_OF_TAG
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

TRAINING: Final[dict[str, Any]] = {
    "statuses": [
        *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING),
        *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
    ],
    "tags": {CAUSE_TAG: list(CAUSES)},
}
"""The filter of the runs that train, queued or under way. One that was only created may never be queued."""


def launched(instance: dg.DagsterInstance, run_key: str | None) -> dg.DagsterRun | None:
    """The newest run that retraining_sensor asked for by this key (`Decision.key`); None before there is one."""
    return next(iter(instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: str(run_key)}), limit=1)), None)


@dataclass(frozen=True)
class Decisions:
    """Where the facts of a decision are. Moments are UTC."""

    instance: dg.DagsterInstance
    postgres: Postgres
    registry: ModelRegistry
    policy: Policy

    def findings(self) -> list[Finding]:
        """The newest verdict of each check of quality and drift that has come to one on a model."""
        return [one for key in QUALITY_KEYS if (one := finding(self.instance, key)) is not None]

    def retraining(self, found: Sequence[Finding], as_of: datetime) -> Decision:
        """Whether what the checks found (`findings`) calls for a training at `as_of`."""
        if not found:
            return Decision(False, "no check has come to a verdict on a model yet")
        return decide(found, self._history(as_of), self.policy.retraining(), as_of)

    def refresh(self, found: Sequence[Finding], as_of: datetime) -> Decision:
        """Whether a routine training is due at `as_of`, where the checks found that."""
        return decide_refresh(found, self._history(as_of), self.policy.retraining(), as_of)

    def request(self, decision: Decision) -> dg.RunRequest:
        """The run that a decision to train asks for: at the moment of its newest evidence, and once for it."""
        newest = max(decision.evidence, key=lambda one: one.as_of)
        judged = self.instance.get_run_by_id(newest.run_id)
        moment = {name: judged.tags[name] for name in (AS_OF_TAG,) if judged is not None and name in judged.tags}
        return dg.RunRequest(run_key=decision.key, tags={**decided(decision).as_tags(), **moment})

    def _history(self, as_of: datetime) -> History:
        training = self.instance.get_runs_count(dg.RunsFilter(**TRAINING)) > 0
        return self.postgres.retraining.history(as_of, self.registry.server(as_of), training=training)
