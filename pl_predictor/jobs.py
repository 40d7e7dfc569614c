"""What can be launched as one run. Its cause is a tag: it decides whether, and why, a model is trained."""

from typing import Any

import dagster as dg

from pl_predictor.assets.bet_ledger import bet_ledger
from pl_predictor.assets.betting_performance import betting_performance
from pl_predictor.assets.champion import champion
from pl_predictor.assets.drift_report import drift_report
from pl_predictor.assets.features import features
from pl_predictor.assets.fixtures import fixtures
from pl_predictor.assets.market_edges import market_edges
from pl_predictor.assets.matches import matches
from pl_predictor.assets.occasion import CAUSE_TAG, LOOP, ROLLBACK
from pl_predictor.assets.performance_metrics import performance_metrics
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.season_backtest import season_backtest
from pl_predictor.assets.trained_model import trained_model


def _job(name: str, description: str, *assets: dg.AssetsDefinition, cause: str | None = None) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        tags={CAUSE_TAG: cause} if cause else None,
        executor_def=dg.in_process_executor,
    )


DATA = (matches, fixtures, features)
FORECASTS = (predictions, market_edges, bet_ledger)
TRAINING = (features, trained_model, champion, *FORECASTS)

loop = _job(
    "loop",
    "The whole loop once: matches, features, forecasts, scores, bets, drift, and every check; trains if none serves",
    *(*DATA, trained_model, champion, *FORECASTS, performance_metrics, betting_performance, drift_report),
    cause=LOOP,
)
monitoring = _job(
    "monitoring",
    "New results, the forecasts and bets that they settle, their scores, and the checks on them",
    *(matches, performance_metrics, bet_ledger, betting_performance),
)
drift_analysis = _job(
    "drift_analysis", "The latest matches against the champion's training window", features, drift_report
)
daily_predictions = _job(
    "daily_predictions",
    "New matches and odds, their features, the forecasts, and bets on them; completes a decision that was interrupted",
    *(*DATA, trained_model, champion, *FORECASTS),
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
rollback = _job(
    "rollback",
    "The previous champion serves again, and forecasts; give a `reason` in the launchpad",
    *(features, champion, *FORECASTS),
    cause=ROLLBACK,
)


JOBS = [
    *(loop, monitoring, drift_analysis, daily_predictions),
    *(weekly_retraining_evaluation, retraining, emergency_retraining, rollback, backtest),
]
