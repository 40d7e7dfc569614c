"""Scores and de-vigging against penaltyblog, which shares no code with core/scoring.py and core/market.py.

The definitions differ in two ways. Its ignorance score is in bits, ours in nats, so a factor of ln 2 lies between them;
and it takes a forecast of 0 for what happened as 1e-15, where log_loss takes 2**-52. It has averages only of ignorance
and Brier score, so a match's own is the average of that match alone. Its power method is scipy's Ridder on the exponent
from 0 to 100, to 2e-12 in the exponent: enough for 1e-9, but not for books of odds that need a higher exponent.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from penaltyblog.implied import calculate_implied
from penaltyblog.metrics import ignorance_score, multiclass_brier_score, rps_array

from pl_predictor.core.market import implied_probabilities, overround
from pl_predictor.core.matches import OUTCOMES
from pl_predictor.core.scoring import Floats, brier, log_loss, rps

AGREED = 1e-9
REAL_LOOKING = [
    [2.10, 3.40, 3.60],
    [1.07, 13.00, 34.00],
    [26.00, 10.50, 1.10],
    [2.68, 3.30, 2.68],
    [1.95, 3.95, 4.10],  # the best prices of many bookmakers: less than a fair book
]


def forecasts(n: int = 500) -> tuple[Floats, NDArray[np.int64]]:
    """Probabilities from the undecided to the nearly certain, and what happened as 0, 1, 2 for H, D, A."""
    rng = np.random.default_rng(29)
    return rng.dirichlet([0.8, 0.8, 0.8], size=n), rng.integers(0, 3, size=n)


def certainties() -> tuple[Floats, NDArray[np.int64]]:
    """Every certain forecast with every result."""
    return np.repeat(np.eye(3), 3, axis=0), np.tile(np.arange(3), 3)


def letters(outcome: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.array(OUTCOMES, dtype=object)[outcome]


def books(n: int = 500) -> Floats:
    """Books with margins from -10 % (the best prices of many bookmakers) to 20 %, and some written by hand."""
    rng = np.random.default_rng(31)
    odds = 1.0 / (rng.dirichlet([2.0, 1.5, 1.0], size=n) * rng.uniform(0.9, 1.2, size=(n, 1)))
    return np.vstack([REAL_LOOKING, odds[(odds > 1.001).all(axis=1)]])


@pytest.mark.parametrize("made", [forecasts(), certainties()], ids=["forecasts", "certainties"])
def test_the_ranked_probability_and_brier_scores_of_a_match_are_those_of_penaltyblog(
    made: tuple[Floats, NDArray[np.int64]],
) -> None:
    p, outcome = made
    assert_allclose(rps(p, letters(outcome)), rps_array(p, outcome), rtol=0, atol=AGREED)
    theirs = [multiclass_brier_score(p[[i]], outcome[[i]]) for i in range(len(p))]
    assert_allclose(brier(p, letters(outcome)), theirs, rtol=0, atol=AGREED)


def test_log_loss_is_the_ignorance_of_penaltyblog_in_nats() -> None:
    p, outcome = forecasts()
    bits = np.array([ignorance_score(p[[i]], outcome[[i]]) for i in range(len(p))])
    assert_allclose(log_loss(p, letters(outcome)), bits * np.log(2.0), rtol=0, atol=AGREED)


def test_log_loss_and_ignorance_part_only_where_a_forecast_of_zero_is_cut_off() -> None:
    p, outcome = np.array([[1.0, 0.0, 0.0]]), np.array([2])
    assert_allclose(log_loss(p, letters(outcome)), -np.log(2.0**-52), rtol=0, atol=AGREED)
    assert_allclose(ignorance_score(p, outcome), -np.log2(1e-15), rtol=0, atol=AGREED)


def test_implied_probabilities_and_overround_are_those_of_penaltyblog() -> None:
    odds = books()
    theirs = [calculate_implied(book.tolist(), method="power") for book in odds]
    assert_allclose(implied_probabilities(odds), [book.probabilities for book in theirs], rtol=0, atol=AGREED)
    assert_allclose(overround(odds), [1.0 + book.margin for book in theirs], rtol=0, atol=AGREED)
