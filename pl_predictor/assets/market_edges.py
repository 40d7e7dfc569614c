"""The asset `market_edges`."""

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.bettable import bettable
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.betting import VALUE, edges
from pl_predictor.core.matches import KEY
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
    found = bettable(version, moment, feed, postgres)
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


def best_of_each(worth: pd.DataFrame) -> pd.DataFrame:
    """Of each fixture the outcome to bet on, else the one that is worth most (rows of core.betting.edges), the next
    first."""
    order = worth.assign(chosen=worth["verdict"] == VALUE)
    order = order.sort_values(["chosen", "edge"], ascending=False, kind="stable", na_position="last")
    best = order.drop_duplicates(list(KEY)).sort_values(["kickoff", "home_team"], kind="stable")
    shown = (*KEY, "kickoff", "outcome", "probability", "market_probability", "odds", "edge")
    return best[[*shown, "verdict"]].reset_index(drop=True)
