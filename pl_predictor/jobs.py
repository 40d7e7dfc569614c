"""What can be launched as one run."""

import dagster as dg

from pl_predictor.assets.season_backtest import season_backtest

loop = dg.define_asset_job(
    "loop",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(season_backtest),
    description="The whole loop once: matches, features, model, forecasts, performance, drift, and every check",
    executor_def=dg.in_process_executor,
)

backtest = dg.define_asset_job(
    "backtest",
    selection=dg.AssetSelection.assets(season_backtest),
    description="Seasons forecast as they would have been, and their scores; choose the seasons as partitions",
    executor_def=dg.in_process_executor,
)
