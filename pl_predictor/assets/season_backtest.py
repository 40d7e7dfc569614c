"""The asset `season_backtest`."""

import warnings
from datetime import datetime
from typing import Any, Final

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.features import features
from pl_predictor.assets.matches import matches
from pl_predictor.assets.presentation import OWNERS, column_schema, rows, scores_table, slices_table
from pl_predictor.code_version import code_version, feature_version, forecaster_name
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.matches import UK, season_name
from pl_predictor.core.slices import ALL, scores_by_slice
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.postgres import Postgres

# Ten seasons as one run take seconds, as ten runs minutes. Every process that loads this would be told that it is beta.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)

SEASONS: Final = dg.TimeWindowPartitionsDefinition(
    # The first season of football-data.co.uk's files is 1993/94, and a forecast needs one before its own.
    start="1994",
    fmt="%Y",
    cron_schedule="0 0 1 1 *",
    timezone=UK,
    # A partition is the calendar year in which its season begins; the running year is one, too.
    end_offset=1,
)
ROLLING_WINDOW: Final = 40
_SHOWN: Final = (
    *("kickoff", "home_team", "away_team", "p_home", "p_draw", "p_away", "prediction", "result", "information"),
)


@dg.asset(
    deps=[features, matches],
    partitions_def=SEASONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="evaluation",
    owners=OWNERS,
    kinds={"python", "scikitlearn", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.backtest_forecasts),
)
def season_backtest(context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres) -> None:
    """Every finished match of a season as the platform would have forecast it, one row each, beside result and odds.

    The model is fitted anew every four weeks on what was known, and its features know the results known when the odds
    of their round were collected. Scores, in all and by slice, are in `backtest_scores`. A partition is a season, named
    by its first year.
    """
    from pl_predictor.core.backtest import backtest
    from pl_predictor.core.scoring import with_closing_odds

    moment = feed.moment(context)
    seen = postgres.matches.features(moment.as_of, code_version=feature_version(), exactly=moment.replay)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    seasons = sorted(int(key) for key in context.partition_keys)
    results = {"matches": int(known["result"].notna().sum()), "features": int(seen["result"].notna().sum())}
    if results["matches"] != results["features"]:
        raise PredictorError(
            f"the features know {results['features']} results and the matches {results['matches']}: materialize "
            "features first"
        )
    newest = seen.loc[seen["result"].notna(), "season"].max()
    begun = [season for season in seasons if season <= newest]
    forecasts = pd.DataFrame({"season": []})
    if begun:
        forecasts = backtest(seen, first_season=begun[0], last_season=begun[-1])
        forecasts = with_closing_odds(forecasts, known, moment.as_of).assign(model=forecaster_name())
    for season in seasons:
        made = forecasts[forecasts["season"] == season].reset_index(drop=True)
        if made.empty:  # what was kept stays: a replay of an earlier moment does not undo a later season
            shown = _nothing_yet(season, moment.as_of)
        else:
            scores = scores_by_slice(made, known)
            about_the_run = {"code_version": code_version(), "dagster_run_id": context.run.run_id}
            postgres.backtests.replace(season, made, scores, **about_the_run)
            shown = _about(made, scores)
        context.add_asset_metadata(
            {"season": season_name(season), "as_of": dg.MetadataValue.timestamp(moment.as_of), **shown},
            partition_key=str(season),
        )


def _about(made: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Any]:
    from pl_predictor import plots
    from pl_predictor.core.scoring import CLOSING, calibration_table, rps_by_match

    rolling = rps_by_match(made)
    with_odds = int(made["market_home"].notna().sum())
    return {
        **rows(made, preview=made[list(_SHOWN)].iloc[::-1]),
        "first_kickoff": dg.MetadataValue.timestamp(made["kickoff"].min()),
        "last_kickoff": dg.MetadataValue.timestamp(made["kickoff"].max()),
        "with_odds": with_odds,
        "with_closing_odds": int(made[list(CLOSING)].notna().all(axis=1).sum()),
        "scorecard": dg.MetadataValue.md(scores_table(scores[scores["slice"] == ALL])),
        "slices": dg.MetadataValue.md(slices_table(scores)),
        "reliability": dg.MetadataValue.md(plots.reliability(calibration_table(made))),
        "rolling_rps": dg.MetadataValue.md(plots.rolling_score(rolling, ROLLING_WINDOW)),
        **(
            {"rolling_skill": dg.MetadataValue.md(plots.rolling_skill(rolling, ROLLING_WINDOW))}
            if with_odds >= ROLLING_WINDOW
            else {}
        ),
    }


def _nothing_yet(season: int, as_of: datetime) -> dict[str, Any]:
    reason = f"no match of {season_name(season)} is finished at {as_of:%Y-%m-%d %H:%M} UTC"
    return {"dagster/row_count": 0, "reason": reason}
