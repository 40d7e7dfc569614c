"""What can be bet on at a moment: the newest forecasts, and the prices that were there when they were sealed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import pandas as pd

from pl_predictor.core.matches import KEY, MAX_ODDS, PRE_MATCH_ODDS
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.postgres import Postgres

FRESH: Final = timedelta(days=1)
"""A forecast that is older is bet on no more: it is made again every day."""


@dataclass(frozen=True)
class Bettable:
    """forecasts: the newest of one version (columns of `model_predictions`), of matches that are still to come when the
    forecast says; matches: match frame as known now, without the prices that moved since a forecast was sealed."""

    forecasts: pd.DataFrame
    matches: pd.DataFrame


def bettable(version: str, known: pd.DataFrame, moment: Moment, feed: MatchFeed, postgres: Postgres) -> Bettable:
    """What a version's forecasts of the last day can be bet on by: those that were made together last.

    known: match frame of the moment.
    """
    made = postgres.metrics.get_predictions_by_date_range(
        moment.as_of - FRESH, moment.as_of, model_version=version, replay=moment.replay
    )
    newest = made[made["as_of"] == made["as_of"].max()]
    # What later code would have said at the same moment is no record.
    newest = newest.drop_duplicates(list(KEY), keep="first")
    now = newest[list(KEY)].merge(known, how="left", on=list(KEY), validate="one_to_one").set_index(newest.index)
    to_come = (newest["kickoff"] == now["kickoff"]) & now["result"].isna()
    newest, now = (rows[to_come & (newest["kickoff"] > feed.sealable_after(moment))] for rows in (newest, now))
    sealed, prices = (rows[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64) for rows in (newest, now))
    moved = ~((sealed == prices) | (np.isnan(sealed) & np.isnan(prices))).all(axis=1)
    now.loc[moved, [*PRE_MATCH_ODDS, *MAX_ODDS]] = np.nan
    return Bettable(newest.reset_index(drop=True), now.reset_index(drop=True))
