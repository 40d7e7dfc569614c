"""Bookmakers' prices to probabilities.

Here: arithmetic on decimal odds, arrays in, arrays out. Not here: which bookmaker counts (core/matches.py), blending a
market with a model (core/model.py), staking (core/betting.py).
"""

import numpy as np
from numpy.typing import NDArray

_MAX_STEPS = 200
_TOLERANCE = 1e-12


def overround(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the inverse odds of each row: 1.05 is a book with a margin of 5 %.

    odds: (n, 3) decimal odds. Returns (n,); NaN where any of the row is NaN. ValueError for odds of 1 or less.
    """
    total: NDArray[np.float64] = (1.0 / _checked(odds)).sum(axis=1)
    return total


def implied_probabilities(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities behind decimal odds, margin removed by the power method.

    Solves sum_i (1 / o_i)^k = 1 for k in each row and returns p_i = (1 / o_i)^k, which takes more of the margin from
    long shots than from favourites, as bookmakers put it there. Source: Clarke, Kovalchik, Ingram (2017), "Adjusting
    bookmaker's odds to allow for overround", American Journal of Sports Science 5(6).

    odds: (n, 3) decimal odds. Returns (n, 3), each row summing to 1; a row with any NaN is NaN throughout.
    ValueError for odds of 1 or less, or infinite.
    """
    log_odds = np.log(_checked(odds))
    power = np.zeros(len(log_odds))
    missing = np.isnan(log_odds).any(axis=1)
    log_odds[missing] = 1.0
    done = np.zeros(len(log_odds), dtype=bool)
    # The sum falls and is convex in k, and exceeds 1 at k = 0: from there Newton's steps never overshoot the root.
    for _ in range(_MAX_STEPS):
        terms = np.exp(-power[:, None] * log_odds)
        step = (terms.sum(axis=1) - 1.0) / (terms * log_odds).sum(axis=1)
        # A row that is done stays as it is: its probabilities must not depend on which rows stand beside it.
        power += np.where(done, 0.0, step)
        done |= np.abs(step) <= _TOLERANCE * np.maximum(power, 1.0)
        if done.all():
            break
    else:
        raise ValueError(f"the power method did not converge in {_MAX_STEPS} steps for odds {odds!r}")
    terms = np.exp(-power[:, None] * log_odds)
    probabilities: NDArray[np.float64] = terms / terms.sum(axis=1, keepdims=True)
    probabilities[missing] = np.nan
    return probabilities


def _checked(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.array(odds, dtype=np.float64)
    if odds.ndim != 2 or odds.shape[1] != 3:
        raise ValueError(f"odds have shape (n, 3), home, draw, away; these have {odds.shape}")
    wrong = (odds <= 1.0) | np.isinf(odds)
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        raise ValueError(f"decimal odds are finite and above 1; row {row} is {odds[row].tolist()}")
    return odds
