"""The asset `matches`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.presentation import OWNERS, column_schema, rows, table
from pl_predictor.code_version import code_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.matches import season_name
from pl_predictor.intake import SeasonIntake
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
    """Premier League matches, one row each: results of those played, the others as fixtures, odds where they exist.

    The second division's matches are in the table, too, for the teams that come up.
    """
    from pl_predictor import plots

    moment = feed.moment(context)
    taken_in = feed.intake(postgres.matches, postgres.feed).seasons(
        feed.asked_at(moment), refetch=feed.refetch, accept_changed_results=feed.accept_changed_results
    )
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    if known.empty:
        raise PredictorError(_why_nothing(taken_in, moment.as_of))
    played = known[known["result"].notna()]
    latest = played[
        ["kickoff", "home_team", "away_team", "home_goals", "away_goals", "home_odds", "draw_odds", "away_odds"]
    ]
    return dg.MaterializeResult(
        metadata={
            **rows(known, preview=latest.iloc[::-1]),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "source": feed.source,
            **_counts(taken_in),
            "played": len(played),
            "fixtures": len(known) - len(played),
            "with_odds": int(known["home_odds"].notna().sum()),
            **(_newest(played, moment.as_of) if len(played) else {}),
            **({"results_by_season": dg.MetadataValue.md(plots.results_by_season(played))} if len(played) else {}),
        }
    )


def _counts(taken_in: Sequence[SeasonIntake]) -> dict[str, Any]:
    """How many rows were new, revised and unchanged, in all and by season; seasons that were refused, and why."""
    by_season = pd.DataFrame(
        [
            {
                "season": season_name(taken.file.season),
                "division": taken.file.division,
                "state": taken.file.state,
                "new": taken.changes.new,
                "revised": taken.changes.revised,
                "unchanged": taken.changes.unchanged,
                "new prices": taken.new_odds,
            }
            for taken in taken_in
        ]
    )
    problems = [taken.file.problem for taken in taken_in if taken.file.problem]
    return {
        **{
            f"rows_{name}": sum(getattr(taken.changes, name) for taken in taken_in)
            for name in ("new", "revised", "unchanged")
        },
        "files": len(taken_in),
        **({"by_season": dg.MetadataValue.md(table(by_season))} if taken_in else {}),
        **({"refused": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in problems))} if problems else {}),
    }


def _newest(played: pd.DataFrame, as_of: datetime) -> dict[str, Any]:
    newest = played["kickoff"].max()
    return {
        "newest_result": dg.MetadataValue.timestamp(newest),
        "age_days": round((as_of - newest).total_seconds() / 86400, 2),
    }


def _why_nothing(taken_in: Sequence[SeasonIntake], as_of: datetime) -> str:
    problems = [taken.file.problem for taken in taken_in if taken.file.problem]
    if problems:
        return f"no match is known, and {len(problems)} files were refused; the first: {problems[0]}"
    return f"no match is known at {as_of:%Y-%m-%d %H:%M} UTC: the source has none so early, or no file at all"
