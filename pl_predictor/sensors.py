"""What watches, and acts: a retraining for failed checks."""

from collections.abc import Sequence

import dagster as dg

from pl_predictor import jobs
from pl_predictor.assets.occasion import CAUSE_TAG, decided
from pl_predictor.core.retraining import CAUSES, Decision, Evidence, decide
from pl_predictor.evidence import evidence
from pl_predictor.quality_checks import QUALITY_KEYS
from pl_predictor.resources.match_feed import AS_OF_TAG
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

UNFINISHED = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
]
LOOK_SECONDS = 30


def retraining_decision(instance: dg.DagsterInstance, postgres: Postgres, policy: Policy) -> Decision:
    """What the newest verdicts of the checks and the record of trainings say about a training now."""
    found: Sequence[Evidence] = [one for key in QUALITY_KEYS if (one := evidence(instance, key)) is not None]
    if not found:
        return Decision(False, "no check has come to a verdict on a model yet")
    as_of = max(one.as_of for one in found)
    training = instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED, tags={CAUSE_TAG: list(CAUSES)})) > 0
    history = postgres.retraining.history(as_of, champion=postgres.retraining.champion(as_of), training=training)
    return decide(found, history, policy.retraining(), as_of)


def retraining_request(instance: dg.DagsterInstance, decision: Decision) -> dg.RunRequest:
    """The run that a decision to train asks for: at the moment of its newest evidence, and once for it."""
    newest = max(decision.evidence, key=lambda one: one.as_of)
    judged = instance.get_run_by_id(newest.run_id)
    moment = {name: judged.tags[name] for name in (AS_OF_TAG,) if judged is not None and name in judged.tags}
    return dg.RunRequest(run_key=decision.key, tags={**decided(decision).as_tags(), **moment})


@dg.sensor(
    job=jobs.retraining,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a retraining when a check of quality or drift failed beyond noise; else says why not",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext, postgres: Postgres, policy: Policy
) -> dg.RunRequest | dg.SkipReason:
    """One run for one piece of evidence, and none within the cooldown."""
    decision = retraining_decision(context.instance, postgres, policy)
    if not decision.retrain:
        return dg.SkipReason(decision.reason)
    context.log.info(decision.reason)
    return retraining_request(context.instance, decision)


SENSORS = [retraining_sensor]
