"""A proof on the very rows that are used: nothing that was computed for a match knows what was not known then.

Here: everything that was not known at a moment is changed, features and forecasts are made again, and those of every
match whose odds had been collected by then must be equal: features bit by bit, forecasts but for rounding. Not here:
the moments and rows of a run (checks.py). The moment of odds being the moment of scrambling, features that pass know
nothing of after their odds: feature time <= odds time <= kick-off.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from pl_predictor.core import features as real
from pl_predictor.core.features import FEATURES, MARKET
from pl_predictor.core.matches import (
    CLOSING_ODDS,
    KEY,
    MAX_ODDS,
    PRE_MATCH_ODDS,
    STATISTICS,
    odds_known_from,
    result_known_from,
)
from pl_predictor.core.scoring import MODEL, PROBABILITIES
from pl_predictor.core.walk_forward import seasons_with_history

Build = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""(matches, those of the division below) -> feature frame."""
Forecast = Callable[[pd.DataFrame, datetime], pd.DataFrame]
"""(feature frame, moment) -> forecast frame of the matches whose odds were collected then."""

ROUNDING: Final = 1e-8
"""Two fits of the same numbers differ by this at most: sums depend, in their last digits (1e-13 was seen), on where in
memory their terms lie. Of what a model should not know even one match moves a forecast by far more."""
_OTHER_RESULT: Final = {"H": "A", "D": "H", "A": "D", None: "H"}


class Leak(NamedTuple):
    """A value of a match that changed although nothing that was known had changed."""

    season: int
    home_team: str
    away_team: str
    name: str
    value: float
    with_another_future: float


def rounds_to_look_at(features: pd.DataFrame, as_of: datetime) -> list[datetime]:
    """The newest round whose odds were collected by `as_of`, and one of the past that is another every day.

    features: a feature frame. Rounds are of seasons with a season before them that can be tried; the newest may be a
    season's opening. Empty where there is no such round.
    """
    possible = seasons_with_history(features)
    if not possible:
        return []
    collected = odds_known_from(features["kickoff"])
    rounds = sorted(set(collected[(collected <= as_of) & (features["season"] > possible[0])]))
    if not rounds:
        return []
    past = rounds[crc32(as_of.date().isoformat().encode()) % len(rounds)]
    return sorted({past, rounds[-1]})


def scramble(matches: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """The match frame with another future: whatever was not known at `moment` has another value, in every cell.

    Goals, result and statistics of matches whose results were not known, odds that were not collected, and closing odds
    throughout, since they never are an input. Teams, seasons and kick-offs are the list of fixtures, and stay.
    """
    unplayed = result_known_from(matches["kickoff"]) > moment
    unpriced = odds_known_from(matches["kickoff"]) > moment
    everything = pd.Series(True, index=matches.index)
    other = matches.copy()
    for hidden, names, step in (
        (unplayed, ("home_goals",), 1),
        (unplayed, ("away_goals",), 2),  # another one, so that the margin changes, too
        (unplayed, STATISTICS, 3),
        (unpriced, (*PRE_MATCH_ODDS, *MAX_ODDS), 1.0),
        (everything, CLOSING_ODDS, 1.0),
    ):
        for name in names:
            other[name] = matches[name].where(~hidden, (matches[name] + step).fillna(3))
    for hidden, name in ((unpriced, "odds_source"), (everything, "closing_source")):
        other[name] = matches[name].where(~hidden, "another")
    other["result"] = matches["result"].where(~unplayed, matches["result"].map(_OTHER_RESULT))
    return other


def feature_leaks(
    stored: pd.DataFrame, matches: pd.DataFrame, below: pd.DataFrame, moment: datetime, *, build: Build = real.build
) -> tuple[list[Leak], pd.DataFrame]:
    """Where features and market of the matches priced by `moment` change with the future, and what was rebuilt.

    stored: the feature frame in use, built from `matches` and `below` (match frames). The rebuilt feature frame has
    another future than the stored one, and its rows in the order of the stored.
    """
    rebuilt = build(scramble(matches, moment), scramble(below, moment))
    rebuilt = rebuilt.set_index(list(KEY)).loc[pd.MultiIndex.from_frame(stored[list(KEY)])].reset_index()
    priced = (odds_known_from(stored["kickoff"]) <= moment).to_numpy()
    return unequal(stored[priced], rebuilt[priced], (*FEATURES, *MARKET)), rebuilt


def forecast_leaks(stored: pd.DataFrame, rebuilt: pd.DataFrame, moment: datetime, *, forecast: Forecast) -> list[Leak]:
    """Where forecasts of the round at `moment` change with the future by more than ROUNDING (feature frames, of
    feature_leaks).

    The model's own probabilities, too: the market's weight may hide what the model knows.
    """
    return unequal(forecast(stored, moment), forecast(rebuilt, moment), (*PROBABILITIES, *MODEL), by=ROUNDING)


def unequal(one: pd.DataFrame, two: pd.DataFrame, names: tuple[str, ...], *, by: float = 0.0) -> list[Leak]:
    """The values in which two frames of the same matches in the same order differ by more than that; NaN equals NaN."""
    values, others = (frame[list(names)].to_numpy(dtype=np.float64) for frame in (one, two))
    alike = (np.abs(values - others) <= by) | (np.isnan(values) & np.isnan(others))
    rows, columns = np.nonzero(~alike)
    keys = _keys(one)
    return [
        Leak(*keys[row], names[column], float(values[row, column]), float(others[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def _keys(frame: pd.DataFrame) -> list[tuple[int, str, str]]:
    return list(zip(*(frame[name].tolist() for name in KEY), strict=True))
