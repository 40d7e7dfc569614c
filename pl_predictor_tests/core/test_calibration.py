"""Whether forecast probabilities mean what they say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pl_predictor.core.calibration import (
    FEWEST_EVENTS,
    bin_number,
    binned_gaps,
    calibration_error,
    calibration_slope,
)

Floats = NDArray[np.float64]
ALTERNATELY = np.tile([0.0, 1.0], 20)


def logit(p: Floats) -> Floats:
    odds: Floats = np.log(p / (1 - p))
    return odds


def simulated(slope: float, n: int, seed: int = 11) -> tuple[Floats, Floats]:
    """Forecasts, and outcomes that happen with the probability whose logit is `slope` times that of the forecast."""
    rng = np.random.default_rng(seed)
    p = rng.beta(3, 4, size=n)
    happened = rng.random(n) < 1 / (1 + np.exp(-slope * logit(p)))
    return p, happened.astype(np.float64)


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_the_slope_that_outcomes_were_made_with_is_found(slope: float) -> None:
    p, happened = simulated(slope, 200_000)
    assert calibration_slope(p, happened, np.ones((1, len(p))))[0] == pytest.approx(slope, abs=0.02)


def test_the_slope_is_that_of_scikit_learns_logistic_regression() -> None:
    p, happened = simulated(0.8, 300)
    counts = np.random.default_rng(1).integers(0, 4, size=(60, 300)).astype(np.float64)  # more than a chunk
    theirs = [
        LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        .fit(logit(p)[:, None], happened, sample_weight=count)
        .coef_[0, 0]
        for count in counts
    ]
    assert_allclose(calibration_slope(p, happened, counts), theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("p", "happened"),
    [
        (np.linspace(0.1, 0.9, 40), np.repeat([0.0, 1.0], 20)),
        (np.linspace(0.1, 0.9, 40), np.repeat([1.0, 0.0], 20)),
        (np.repeat([0.3, 0.5, 0.7], [19, 2, 19]), np.repeat([0.0, 1.0], 20)),
        (np.full(40, 0.4), ALTERNATELY),
        (np.linspace(0.1, 0.9, 40), np.zeros(40)),
        (np.linspace(0.1, 0.9, 40), np.ones(40)),
        (np.r_[0.0, np.linspace(0.1, 0.9, 39)], ALTERNATELY),
        (np.r_[np.linspace(0.1, 0.9, 39), 1.0], ALTERNATELY),
        (np.linspace(0.2, 0.8, 2 * FEWEST_EVENTS - 1), np.tile([0.0, 1.0], FEWEST_EVENTS)[:-1]),
    ],
    ids=[
        *("separated", "separated the wrong way round", "separated but for a tie", "one forecast for all", "never"),
        *("always", "a probability of 0", "a probability of 1", "nine events"),
    ],
)
def test_where_no_slope_exists_there_is_none(p: Floats, happened: Floats) -> None:
    assert np.isnan(calibration_slope(p, happened, np.ones((2, len(p))))).all()


def test_ten_matches_with_the_outcome_and_ten_without_are_enough() -> None:
    p = np.linspace(0.2, 0.8, 2 * FEWEST_EVENTS)
    assert np.isfinite(calibration_slope(p, np.tile([0.0, 1.0], FEWEST_EVENTS), np.ones((1, len(p))))).all()


@pytest.mark.parametrize(("p", "number"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.95, 9), (1.0, 9)])
def test_a_bin_holds_its_lower_edge_and_the_last_one_certainty(p: float, number: int) -> None:
    assert bin_number(np.array([p])).tolist() == [number]


def test_the_calibration_error_is_the_mean_over_classes_of_the_gaps_weighted_by_matches() -> None:
    p = np.array([[0.62, 0.25, 0.13], [0.68, 0.21, 0.11], [0.42, 0.29, 0.29], [0.48, 0.22, 0.30]])
    hot = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=np.float64)
    home = 2 / 4 * abs(0.65 - 0.5) + 2 / 4 * abs(0.45 - 0.5)
    draw = 4 / 4 * abs(0.2425 - 0.25)
    away = 2 / 4 * abs(0.12 - 0.5) + 1 / 4 * abs(0.29 - 0.0) + 1 / 4 * abs(0.30 - 0.0)
    assert float(calibration_error(binned_gaps(p, hot).sum(axis=0), 4)) == pytest.approx((home + draw + away) / 3)
