"""The platform's tables, as SQLAlchemy Core. The rows are the contract: Grafana and analysts read these same tables.

The tables are created and changed by `migrations` only; a test holds the two together. Triggers that guard the
forecasts and the bets are in the migrations that create `model_predictions` and `bets`. Everything is imported from
here, so that `metadata` knows every table.
"""

from pl_predictor.tables.betting import bets, betting_scores, market_edges
from pl_predictor.tables.columns import metadata
from pl_predictor.tables.decisions import alerts, retraining_events
from pl_predictor.tables.feed import downloads, feed_files, fixture_lists, match_odds, match_revisions, matches
from pl_predictor.tables.forecasts import (
    backtest_forecasts,
    backtest_scores,
    drift_scores,
    match_features,
    model_metrics,
    model_predictions,
)

__all__ = [
    "alerts",
    "backtest_forecasts",
    "backtest_scores",
    "bets",
    "betting_scores",
    "downloads",
    "drift_scores",
    "feed_files",
    "fixture_lists",
    "market_edges",
    "match_features",
    "match_odds",
    "match_revisions",
    "matches",
    "metadata",
    "model_metrics",
    "model_predictions",
    "retraining_events",
]
