"""The asset `betting_performance`."""

from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.bet_ledger import bet_ledger
from pl_predictor.assets.presentation import OWNERS, betting_table, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.betting import SETTLED_ORDER
from pl_predictor.core.betting_scores import ALL, METRICS, ONE_BOOKMAKER, blind_scores, ledger_scores, with_bookmaker
from pl_predictor.core.matches import KEY
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    deps=[bet_ledger],
    group_name="betting",
    owners=OWNERS,
    kinds={"python", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.betting_scores),
)
def betting_performance(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres
) -> dg.MaterializeResult[None]:
    """How the bets on paper did: return, yield, closing line value, and claimed against realised value, with intervals,
    in all, by outcome and by band of odds; and what blind betting on the same matches would have won.
    """
    from pl_predictor import plots

    moment = feed.moment(context)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    ledger = postgres.bets.ledger(replay=moment.replay)
    ledger = ledger[ledger["settled_at"] <= moment.as_of].sort_values(SETTLED_ORDER, kind="stable")
    decided = ledger.loc[ledger["settlement"] != "void", [*KEY, "outcome"]]
    about: dict[str, Any] = {
        "as_of": dg.MetadataValue.timestamp(moment.as_of),
        "void": int((ledger["settlement"] == "void").sum()),
    }
    if decided.empty:
        reason = "no bet was won or lost yet"
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, **about, "reason": reason})
    began_with = float(ledger["starting_bankroll"].iloc[0])
    scores = ledger_scores(ledger, known, moment.as_of, began_with=began_with)
    prices = pd.concat([postgres.feed.odds(int(season), first_seen=True) for season in sorted(set(decided["season"]))])
    blind = blind_scores(with_bookmaker(known, prices).merge(decided, on=list(KEY)))
    found = pd.concat([scores, blind], ignore_index=True)
    postgres.bets.store_scores(
        found,
        as_of=moment.as_of,
        replay=moment.replay,
        code_version=code_version(),
        dagster_run_id=context.run.run_id,
    )
    total: dict[str, Any] = dict(scores.loc[scores["slice"] == ALL, ["metric", "value"]].itertuples(index=False))
    return dg.MaterializeResult(
        metadata={
            **rows(found, preview=found[["slice", "metric", "value", "n"]]),
            **about,
            **{name: total[name] for name in METRICS if name in total},
            **({} if "clv" in total else {"clv": "no closing odds of these matches are known yet"}),
            "scores": dg.MetadataValue.md(betting_table(found)),
            "bankroll_over_time": dg.MetadataValue.md(plots.bankroll(ledger, began_with)),
            "claimed_against_realised": dg.MetadataValue.md(plots.claimed_against_realised(scores)),
            "one_bookmaker": ONE_BOOKMAKER,
        }
    )
