"""The asset `market_edges`."""

import dagster as dg

from pl_predictor import tables
from pl_predictor.assets.bettable import bettable
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.betting import VALUE, best_of_each, edges
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    deps=[predictions],
    group_name="betting",
    owners=OWNERS,
    kinds={"python", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.market_edges),
)
def market_edges(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """What each outcome of the coming fixtures is worth: the champion's probability beside the market's and the price.

    Three rows a fixture; the verdict says which is worth a bet, and of every other why not. Without odds, or where they
    moved since the forecast was sealed, there is no value.
    """
    moment, staking = feed.moment(context), policy.betting()
    version = registry.serving(moment.as_of).version
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    found = bettable(version, known, moment, feed, postgres)
    worth = edges(found.forecasts, found.matches, staking)
    as_of = moment.as_of if worth.empty else found.forecasts["as_of"].iloc[0]
    postgres.bets.replace_edges(
        worth,
        prices=staking.prices,
        as_of=as_of,
        replay=moment.replay,
        model_version=version,
        code_version=code_version(),
        dagster_run_id=context.run.run_id,
    )
    about = {"as_of": dg.MetadataValue.timestamp(as_of), "prices": staking.prices}
    if worth.empty:
        reason = "no coming fixture was forecast within a day: predictions says why"
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, **about, "reason": reason})
    return dg.MaterializeResult(
        metadata={
            **rows(worth, preview=best_of_each(worth).drop(columns="season")),
            **about,
            "without_odds": int(worth["odds"].isna().sum()) // 3,
            "worth_a_bet": int((worth["verdict"] == VALUE).sum()),
        }
    )
