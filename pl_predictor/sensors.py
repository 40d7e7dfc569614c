"""What the platform does by itself when it sees something: facts to a pure rule, the rule's decision to an action."""

import dagster as dg

from pl_predictor import jobs
from pl_predictor.alert_facts import gather
from pl_predictor.core.alert_rules import judge
from pl_predictor.core.alerts import Alert, Changes, reconcile
from pl_predictor.decisions import Decisions, launched
from pl_predictor.resources.alert_channel import AlertChannel, Round
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

LOOK_SECONDS = 30


@dg.sensor(
    job=jobs.retraining,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a retraining when a check of quality or drift failed beyond noise; else says why not",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext, postgres: Postgres, registry: ModelRegistry, feed: MatchFeed, policy: Policy
) -> dg.RunRequest | dg.SkipReason:
    """One run for one piece of evidence, and none within the cooldown."""
    decisions = Decisions(context.instance, postgres, registry, policy)
    found = decisions.findings()
    moment = feed.standing(max((one.as_of for one in found), default=None))
    decision = decisions.retraining(found, moment.as_of)
    if not decision.retrain:
        return dg.SkipReason(decision.reason)
    run = launched(context.instance, decision.key)
    if run is not None:
        ended = f"ended as {run.status.value}: repeat it there, or wait for new results"
        said = ended if run.is_finished else "has yet to begin"
        return dg.SkipReason(f"{decision.reason}; but run {run.run_id} was launched for it, and {said}")
    context.log.info(decision.reason)
    return decisions.request(decision)


@dg.sensor(
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Opens and resolves alerts by what is true now, and sends those that wait; launches nothing",
)
def alert_sensor(
    context: dg.SensorEvaluationContext,
    postgres: Postgres,
    registry: ModelRegistry,
    feed: MatchFeed,
    policy: Policy,
    alerts: AlertChannel,
) -> dg.SkipReason:
    """One look. A channel that is down is noted and tried again by the next; a database that is down fails the tick."""
    repository = context.repository_def
    if repository is None:
        raise RuntimeError("alerts need the code location that they watch")
    # Two looks at once would each send what waits.
    with postgres.one_at_a_time("alerts"):
        moment = feed.standing(postgres.matches.newest_as_of())
        facts = gather(
            context.instance,
            repository,
            moment,
            postgres=postgres,
            registry=registry,
            policy=policy,
            forecasting_jobs=set(repository.job_names) - {jobs.backtest.name},
        )
        judged = judge(facts)
        changes = reconcile(postgres.alerts.open_alerts(), judged.conditions, judged.undecided)
        postgres.alerts.apply(changes, moment.as_of, moment.replay)
        told = alerts.deliver_waiting(postgres.alerts)
    return dg.SkipReason(in_words(postgres.alerts.open_alerts(), changes, told))


def in_words(open_alerts: list[Alert], changes: Changes, told: Round) -> str:
    """What is open, what changed, what was sent, and what could not be sent and why."""
    listed = ", ".join(f"{alert.level.word} {alert.key}" for alert in open_alerts)
    said = [
        f"{len(open_alerts)} open: {listed}" if open_alerts else "Nothing is open",
        *([f"{len(changes.opened)} opened"] if changes.opened else []),
        *([f"{len(changes.resolved)} resolved"] if changes.resolved else []),
        *([f"{told.sent} sent"] if told.sent else []),
        *([f"could not be sent, and waits: {'; '.join(told.errors)}"] if told.errors else []),
    ]
    return ". ".join(said)


SENSORS = [retraining_sensor, alert_sensor]
