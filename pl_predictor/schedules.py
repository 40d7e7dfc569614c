"""What runs by the clock, in UK time. But for what runs every hour, nothing is scheduled between 01:00 and 02:00, which
some nights do not have, and others have twice. Where time is lived again, the replay moves it, and the clock launches
nothing."""

from typing import Any

import dagster as dg

from pl_predictor import jobs
from pl_predictor.assets.occasion import decided
from pl_predictor.decisions import Decisions
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

LONDON = "Europe/London"
REPLAYED = "the source is of the past: the replay moves its time, and launches what the clock would"


def _by_the_clock(job: Any, cron: str, says: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone=LONDON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=says,
    )
    def scheduled(feed: MatchFeed) -> dg.RunRequest | dg.SkipReason:
        return dg.SkipReason(REPLAYED) if feed.of_the_past() else dg.RunRequest()

    return scheduled


monitoring = _by_the_clock(jobs.monitoring, "0 * * * *", "Every hour: results, scores, checks")
drift_analysis = _by_the_clock(jobs.drift_analysis, "15 */6 * * *", "Every six hours: drift")
daily_predictions = _by_the_clock(jobs.daily_predictions, "0 6 * * *", "At 06:00: forecasts")


@dg.schedule(
    name="weekly_retraining_evaluation_schedule",
    job=jobs.weekly_retraining_evaluation,
    cron_schedule="0 2 * * 1",
    execution_timezone=LONDON,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="On Mondays at 02:00: a routine training, if enough results are new",
)
def weekly_retraining_evaluation(
    context: dg.ScheduleEvaluationContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.RunRequest | dg.SkipReason:
    """Launches the training, or says why none is due."""
    if feed.of_the_past():
        return dg.SkipReason(REPLAYED)
    as_of = context.scheduled_execution_time
    decisions = Decisions(context.instance, postgres, registry, policy)
    decision = decisions.refresh(decisions.findings(), as_of)
    return dg.RunRequest(tags=decided(decision).as_tags()) if decision.retrain else dg.SkipReason(decision.reason)


SCHEDULES = [monitoring, drift_analysis, daily_predictions, weekly_retraining_evaluation]
