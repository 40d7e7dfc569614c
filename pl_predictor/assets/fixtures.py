"""The asset `fixtures`."""

from datetime import timedelta

import dagster as dg

from pl_predictor import tables
from pl_predictor.assets.matches import matches
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.freshness import FixtureState
from pl_predictor.core.matches import upcoming
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.postgres import Postgres

FAR = timedelta(days=365)


@dg.asset(
    deps=[matches],
    group_name="data",
    owners=OWNERS,
    kinds={"python", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.fixture_lists),
)
def fixtures(context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres) -> dg.MaterializeResult[None]:
    """What is coming: the next Premier League matches that are known, and whether the list of them can be trusted.

    A state with a reason: ok, no_round_published, feed_stale, or feed_broken. A postponed match moves and stays one.
    """
    moment = feed.moment(context)
    # A list of today says nothing of a moment of the past, whose matches to come are among the matches.
    listed = None if moment.replay else feed.intake(postgres.matches, postgres.feed).fixtures(moment.as_of)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    coming = upcoming(known, moment.as_of, moment.as_of + FAR)
    if listed is not None:
        postgres.feed.store_fixture_state(listed, as_of=moment.as_of, fixtures=len(coming))
    found = listed or _of_a_replay(len(coming))
    shown = ["kickoff", "home_team", "away_team", "home_odds", "draw_odds", "away_odds", "odds_source"]
    return dg.MaterializeResult(
        metadata={
            **rows(coming, preview=coming[shown]),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "state": found.state,
            "reason": found.reason,
        }
    )


def _of_a_replay(coming: int) -> FixtureState:
    if coming:
        return FixtureState("ok", f"{coming} matches of the past that are still to come at this moment")
    return FixtureState("no_round_published", "no match to come is known at this moment")
