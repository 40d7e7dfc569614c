"""Which matches a score speaks of: all of a season, or those that have something in common.

Here: the slices, and the scorecards of a season by slice. Not here: the scores (core/scoring.py).
"""

from typing import Final

import numpy as np
import pandas as pd

from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import PROBABILITIES, scorecard

ALL: Final = "all"
PROMOTED: Final = ("with a promoted team", "without a promoted team")
BAND_EDGES: Final = (0.45, 0.55, 0.65)
BANDS: Final = (
    *("favourite under 45 %", "favourite 45 to 55 %", "favourite 55 to 65 %"),
    "favourite 65 % or more",
)
SLICES: Final = (ALL, *PROMOTED, *BANDS)
SCORE_COLUMNS: Final = ("season", "slice", "metric", "value", "n", "low", "high")


def promoted(matches: pd.DataFrame, season: int) -> frozenset[str] | None:
    """The teams of a season that were not in the one before, by the matches known; None where none of it is known."""
    before, now = (_teams(matches, year) for year in (season - 1, season))
    return now - before if before else None


def slices(forecasts: pd.DataFrame, matches: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of a forecast frame of one season (with MARKET) in each of SLICES; those without a match are left out.

    A favourite's probability is the largest of the pre-match odds, or of the forecast where there are none; a band
    holds its lower edge. Whose teams are promoted is known only where the season before is.
    """
    found = {ALL: forecasts}
    if forecasts.empty:
        return {}
    newcomers = promoted(matches, int(forecasts["season"].iloc[0]))
    if newcomers is not None:
        newcomer = forecasts[["home_team", "away_team"]].isin(list(newcomers)).any(axis=1)
        found |= {PROMOTED[0]: forecasts[newcomer], PROMOTED[1]: forecasts[~newcomer]}
    market = forecasts[list(MARKET)].max(axis=1, skipna=False)
    favourite = market.where(market.notna(), forecasts[list(PROBABILITIES)].max(axis=1))
    band = np.digitize(favourite, BAND_EDGES)
    found |= {name: forecasts[band == number] for number, name in enumerate(BANDS)}
    return {name: rows for name, rows in found.items() if len(rows)}


def scores_by_slice(forecasts: pd.DataFrame, matches: pd.DataFrame) -> pd.DataFrame:
    """The scorecard of each slice of one season's forecasts with results: SCORE_COLUMNS, a row a slice and metric.

    low and high are NaN where there is no interval. matches: a match frame with the season and the one before.
    """
    rows = [
        (int(part["season"].iloc[0]), name, *(score.metric, score.value, score.n, score.low, score.high))
        for name, part in slices(forecasts, matches).items()
        for score in scorecard(part)
    ]
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    return frame.astype({"value": "float64", "low": "float64", "high": "float64"})


def _teams(matches: pd.DataFrame, season: int) -> frozenset[str]:
    rows = matches[matches["season"] == season]
    return frozenset(rows["home_team"]) | frozenset(rows["away_team"])
