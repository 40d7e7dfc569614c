"""The asset `features`."""

import dagster as dg

from pl_predictor import tables
from pl_predictor.assets.fixtures import fixtures
from pl_predictor.assets.matches import matches
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version, feature_version
from pl_predictor.core.features import FEATURES, from_ratings
from pl_predictor.core.ratings import rate_divisions
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    deps=[matches, fixtures],
    group_name="data",
    owners=OWNERS,
    kinds={"python", "pandas", "postgres"},
    code_version=code_version(),
    metadata={
        **column_schema(tables.match_features),
        "features": dg.MetadataValue.md(
            "\n".join(["| feature | unit | meaning | source |", "|---|---|---|---|"])
            + "".join(f"\n| {name} | {f.unit} | {f.description} | {f.source} |" for name, f in FEATURES.items())
        ),
    },
)
def features(context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres) -> dg.MaterializeResult[None]:
    """What a model sees of each match, one row each: built only from results known when its odds were collected."""
    from pl_predictor import plots

    moment = feed.moment(context)
    as_of = moment.as_of
    known = postgres.matches.matches(as_of, replay=moment.replay)
    below = postgres.matches.matches(as_of, replay=moment.replay, division="E1")
    ratings = rate_divisions(known, below)
    built = from_ratings(known, ratings.per_match)
    postgres.matches.store_features(built, as_of=as_of, code_version=feature_version())
    return dg.MaterializeResult(
        metadata={
            **rows(built, preview=built.drop(columns=["season"]).iloc[::-1]),
            "as_of": dg.MetadataValue.timestamp(as_of),
            "strengths": dg.MetadataValue.md(plots.strengths(ratings.per_team)),
        }
    )
