"""What can be launched as one run. Its cause is a tag: it decides whether, and why, a model is trained."""

from typing import Any

import dagster as dg

from pl_predictor.assets.champion import champion
from pl_predictor.assets.drift_report import drift_report
from pl_predictor.assets.features import features
from pl_predictor.assets.fixtures import fixtures
from pl_predictor.assets.matches import matches
from pl_predictor.assets.occasion import CAUSE_TAG, LOOP
from pl_predictor.assets.performance_metrics import performance_metrics
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.season_backtest import season_backtest
from pl_predictor.assets.trained_model import trained_model
from pl_predictor.code_version import code_version
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import VERDICT_TAG, ModelRegistry
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.retraining import Occasion


def _job(name: str, description: str, *assets: dg.AssetsDefinition, cause: str | None = None) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        tags={CAUSE_TAG: cause} if cause else None,
        executor_def=dg.in_process_executor,
    )


DATA = (matches, fixtures, features)
TRAINING = (features, trained_model, champion, predictions)

loop = _job(
    "loop",
    "The whole loop once: matches, features, forecasts, performance, drift, and every check; trains if no model serves",
    *(*DATA, trained_model, champion, predictions, performance_metrics, drift_report),
    cause=LOOP,
)
monitoring = _job(
    "monitoring",
    "New results, the forecasts that they settle, their scores, and the checks on them",
    *(matches, performance_metrics),
)
drift_analysis = _job(
    "drift_analysis", "The latest matches against the champion's training window", features, drift_report
)
daily_predictions = _job(
    "daily_predictions",
    "New matches and odds, their features, and the forecasts; completes a decision that was interrupted",
    *(*DATA, trained_model, champion, predictions),
    cause=LOOP,
)
weekly_retraining_evaluation = _job(
    "weekly_retraining_evaluation",
    "A routine training, if enough results are new; promoted if it is not worse",
    *(matches, fixtures, *TRAINING),
    cause="routine",
)
retraining = _job(
    "retraining", "What retraining_sensor launches: train, compare with the champion, promote or refuse", *TRAINING
)
emergency_retraining = _job(
    "emergency_retraining",
    "The same by hand: give a `reason` in the launchpad; `force` trains in spite of the cooldown",
    *(matches, fixtures, *TRAINING),
    cause="emergency",
)
backtest = _job(
    "backtest",
    "Seasons forecast as they would have been, and their scores; choose the seasons as partitions",
    season_backtest,
)


class Rollback(dg.Config):
    """What a person says of it."""

    reason: str


@dg.op
def put_previous_back(
    context: dg.OpExecutionContext, config: Rollback, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry
) -> None:
    """Let the previous champion serve again, and record it."""
    moment = feed.moment(context)
    with postgres.one_at_a_time("champion"):
        serving, previous = registry.rollback()
        occasion = Occasion("rollback", config.reason, moment.as_of, moment.replay, code_version(), context.run.run_id)
        if serving.version != previous.version:  # else an interrupted rollback, which is recorded, is completed
            postgres.retraining.keep_rollback(occasion, champion=serving.version, previous=previous.version)
            registry.note(serving, {VERDICT_TAG: "rolled_back", "verdict_words": config.reason})
        registry.roll_back()
        postgres.alerts.inform(
            f"rollback:{context.run.run_id}",
            f"Version {previous.version} serves again",
            f"Version {serving.version} was taken back: {config.reason}",
            as_of=moment.as_of,
            replay=moment.replay,
            dagster_run_id=context.run.run_id,
        )


@dg.job(
    executor_def=dg.in_process_executor,
    description="The previous champion serves again; give a `reason` in the launchpad",
)
def rollback() -> None:
    """See `put_previous_back`."""
    put_previous_back()


JOBS = [
    *(loop, monitoring, drift_analysis, daily_predictions),
    *(weekly_retraining_evaluation, retraining, emergency_retraining, rollback, backtest),
]
