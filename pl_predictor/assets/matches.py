"""The asset `matches`."""

import dagster as dg

from pl_predictor import tables
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    group_name="data",
    owners=OWNERS,
    kinds={"python", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.matches),
)
def matches(context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres) -> dg.MaterializeResult[None]:
    """Premier League matches, one row each: results of those played, the others as fixtures, odds where they exist."""
    from pl_predictor import plots

    moment = feed.moment(context)
    known = feed.matches(moment)
    changes = postgres.matches.store_matches(known, feed.source)
    played = known[known["result"].notna()]
    latest = played[
        ["kickoff", "home_team", "away_team", "home_goals", "away_goals", "home_odds", "draw_odds", "away_odds"]
    ]
    return dg.MaterializeResult(
        metadata={
            **rows(known, preview=latest.iloc[::-1]),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "source": feed.source,
            "rows_new": changes.new,
            "rows_revised": changes.revised,
            "rows_unchanged": changes.unchanged,
            "played": len(played),
            "fixtures": len(known) - len(played),
            "with_odds": int(known["home_odds"].notna().sum()),
            **({"newest_result": dg.MetadataValue.timestamp(played["kickoff"].max())} if len(played) else {}),
            **({"results_by_season": dg.MetadataValue.md(plots.results_by_season(played))} if len(played) else {}),
        }
    )
