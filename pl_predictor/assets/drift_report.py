"""The asset `drift_report`."""

from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.champion import champion
from pl_predictor.assets.features import features
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version, feature_version
from pl_predictor.core.drift import comparable, compare, windows
from pl_predictor.core.features import FEATURES
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

PROBABILITIES = ("p_home", "p_draw", "p_away")
NUMERICAL = (*(name for name, feature in FEATURES.items() if not feature.calendar), *PROBABILITIES)
CATEGORICAL = ("result",)


@dg.asset(
    deps=[features, champion],
    group_name="monitoring",
    owners=OWNERS,
    kinds={"python", "evidently", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.drift_scores),
)
def drift_report(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """The latest matches against the champion's training window, column by column: features, probabilities, results.

    Columns that follow the calendar (rest days) are left out: they differ between any two windows.
    """
    from pl_predictor import plots

    moment = feed.moment(context)
    serving = registry.serving(moment.as_of)
    seen = postgres.matches.features(moment.as_of, code_version=feature_version(), exactly=moment.replay)
    played = seen[seen["result"].notna()].reset_index(drop=True)
    forecasts = registry.load(serving).forecast(played)
    played = pd.concat([played, forecasts[list(PROBABILITIES)]], axis=1)
    assert serving.trained_until is not None, "a version that serves says until when it was trained"
    reference, current = windows(played, trained_until=serving.trained_until, recent=policy.drift_window)
    about: dict[str, Any] = {
        "as_of": dg.MetadataValue.timestamp(moment.as_of),
        "model": dg.MetadataValue.url(registry.model_url(serving)),
        "reference_n": len(reference),
        "current_n": len(current),
    }
    if min(len(reference), len(current)) < policy.min_sample:
        reason = f"{len(reference)} and {len(current)} matches are too few to compare: {policy.min_sample} are needed"
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, **about, "reason": reason})
    numerical, categorical = (comparable(reference, current, names) for names in (NUMERICAL, CATEGORICAL))
    drift = compare(reference, current, numerical=numerical, categorical=categorical)
    report = registry.keep_drift_report(
        drift.html,
        version=serving.version,
        as_of=moment.as_of,
        share=drift.share,
        instance=context.instance,
        dagster_run_id=context.run.run_id,
    )
    postgres.metrics.store_drift(drift.columns, as_of=moment.as_of, model_version=serving.version)
    postgres.metrics.store_model_metric(
        "drift_share",
        drift.share,
        as_of=moment.as_of,
        model_version=serving.version,
        metadata={
            "n": len(current),
            "reference_n": len(reference),
            "columns": len(drift.columns),
            "report": report,
            "last_kickoff": current["kickoff"].max().isoformat(),
        },
    )
    return dg.MaterializeResult(
        metadata={
            **rows(drift.columns),
            **about,
            "drift_share": drift.share,
            "drifted": ", ".join(drift.columns.loc[drift.columns["drifted"], "column_name"]) or "none",
            "report": dg.MetadataValue.url(report),
            "effect_sizes": dg.MetadataValue.md(plots.drift(drift.columns)),
        }
    )
