"""What can be launched as one run."""

import dagster as dg

loop = dg.define_asset_job(
    "loop",
    selection=dg.AssetSelection.all(),
    description="The whole loop once: matches, features, model, forecasts, performance, drift, and every check",
    executor_def=dg.in_process_executor,
)
