"""The asset `performance_metrics`."""

from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.matches import matches
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.settlement import official_forecasts
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.metrics import EARLIEST


@dg.asset(
    deps=[matches, predictions],
    group_name="monitoring",
    owners=OWNERS,
    kinds={"python", "scikitlearn", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.model_metrics),
)
def performance_metrics(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """How the champion's official forecasts (the last before kick-off) did: scores with n and 95 % interval."""
    from pl_predictor import plots
    from pl_predictor.core.scoring import rps_by_match, scorecard

    moment = feed.moment(context)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    postgres.metrics.settle(known[known["result"].notna()])
    champion = registry.serving(moment.as_of)
    made = postgres.metrics.get_predictions_by_date_range(
        EARLIEST, moment.as_of, model_version=champion.version, replay=moment.replay
    )
    official = official_forecasts(made, known)
    settled = official[official["result"].notna()].tail(policy.performance_window).reset_index(drop=True)
    about: dict[str, Any] = {
        "as_of": dg.MetadataValue.timestamp(moment.as_of),
        "model": dg.MetadataValue.url(registry.model_url(champion)),
        "settled": len(settled),
        "waiting_for_results": int(official["result"].isna().sum()),
    }
    if settled.empty:
        reason = f"no official forecast of model version {champion.version} has a result yet"
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, **about, "reason": reason})
    window = {
        "first_kickoff": settled["kickoff"].min().isoformat(),
        "last_kickoff": settled["kickoff"].max().isoformat(),
    }
    scores = scorecard(settled)
    metrics = pd.DataFrame(
        {
            "metric_type": [score.metric for score in scores],
            "value": [score.value for score in scores],
            "metadata": [{"n": score.n, "low": score.low, "high": score.high, **window} for score in scores],
        }
    )
    postgres.metrics.store_model_metrics(metrics, as_of=moment.as_of, model_version=champion.version)
    return dg.MaterializeResult(
        metadata={
            **rows(metrics, preview=pd.DataFrame([vars(score) for score in scores])),
            **about,
            "rolling_rps": dg.MetadataValue.md(plots.rolling_score(rps_by_match(settled), window=40)),
        }
    )
