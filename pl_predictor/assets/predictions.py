"""The asset `predictions`."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.champion import champion
from pl_predictor.assets.features import features
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version, feature_version
from pl_predictor.core.matches import KEY, upcoming
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import ModelRegistry, ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    deps=[features, champion],
    group_name="forecasts",
    owners=OWNERS,
    kinds={"python", "scikitlearn", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.model_predictions),
    op_tags={"dagster/priority": "1"},  # before the drift report, which takes longer and which nobody waits for
)
def predictions(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """The champion's forecasts of the coming fixtures: append-only, sealed before kick-off, never changed.

    A challenger that shadows forecasts them, too, under its own version.
    """
    from pl_predictor import plots

    moment = feed.moment(context)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    # A match that kicks off while the run waits or works would be refused, and with it the forecasts of all others.
    coming = upcoming(known, feed.sealable_after(moment), moment.as_of + timedelta(days=policy.forecast_days))
    seen = postgres.matches.features(moment.as_of, code_version=feature_version(), exactly=moment.replay)
    rows_seen = seen.drop(columns="kickoff").merge(coming[[*KEY, "kickoff"]], on=list(KEY))
    if rows_seen.empty:
        return dg.MaterializeResult(
            metadata={"dagster/row_count": 0, "reason": _why_none(known, postgres, moment, policy)}
        )
    odds = known[[*KEY, "home_odds", "draw_odds", "away_odds", "odds_source"]]
    serving, shadow = registry.serving(moment.as_of), registry.shadow(moment.as_of)

    def seal(version: ModelVersion) -> tuple[pd.DataFrame, int]:
        made = registry.load(version).forecast(rows_seen)
        new = postgres.metrics.store_predictions(
            made.merge(odds, on=list(KEY)),
            as_of=moment.as_of,
            replay=moment.replay,
            model_version=version.version,
            code_version=code_version(),
            dagster_run_id=context.run.run_id,
        )
        return made, new

    forecasts, new = seal(serving)
    if shadow is not None:  # only now: whatever is wrong with it, the champion has forecast
        seal(shadow)
    shown = ["kickoff", "home_team", "away_team", "p_home", "p_draw", "p_away", "prediction", "information"]
    return dg.MaterializeResult(
        metadata={
            **rows(forecasts, preview=forecasts[shown]),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "new": new,
            "sealed_before": len(forecasts) - new,
            "model": dg.MetadataValue.url(registry.model_url(serving)),
            **({} if shadow is None else {"shadow": dg.MetadataValue.url(registry.model_url(shadow))}),
            "probabilities": dg.MetadataValue.md(plots.fixtures(forecasts)),
        }
    )


def _why_none(known: pd.DataFrame, postgres: Postgres, moment: Moment, policy: Policy) -> str:
    if not moment.replay and (listed := postgres.feed.fixture_state(moment.as_of)) is not None:
        return f"{listed.state}: {listed.reason}"
    later = known.loc[known["kickoff"] > moment.as_of, "kickoff"]
    if later.empty:
        return f"no fixture is known after {moment.as_of:%d %B %Y}"
    return f"no fixture within {policy.forecast_days} days; the next kick-off known is on {later.min():%d %B %Y}"
