"""Bounds that hold at every look: what they promise, on streams whose truth is known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pl_predictor.core.sequential import SEASON, SHARES, alpha_of_a_check, anytime_multiplier

STREAMS = 4_000
FIRST_LOOK = 50


def share_that_ever_cross(multiplier: NDArray[np.float64], window: int, seed: int, after: int = 0) -> float:
    """Of streams of mean 0 and variance 1, the share that some look of a season takes for more than 0.

    multiplier: (window,) standard errors for a sample of 1, 2, ... matches. The season begins after so many matches.
    """
    sums = np.random.default_rng(seed).normal(size=(STREAMS, after + SEASON)).cumsum(axis=1)
    sums = np.hstack([np.zeros((STREAMS, 1)), sums])
    crossed = np.zeros(STREAMS, dtype=bool)
    for end in range(max(after, FIRST_LOOK), after + SEASON + 1):
        n = min(end, window)
        crossed |= (sums[:, end] - sums[:, end - n]) / math.sqrt(n) > multiplier[n - 1]
    return float(crossed.mean())


def multipliers(window: int, alpha: float) -> NDArray[np.float64]:
    return np.array([anytime_multiplier(n, alpha) for n in range(1, window + 1)])


def test_the_multiplier_is_the_papers() -> None:
    """By hand for alpha = 0.05 and n = 100: r n = -2 ln 0.1 + ln(-2 ln 0.1) + 1 = 7.1324."""
    assert anytime_multiplier(100, 0.05) == pytest.approx(
        math.sqrt(2 * 8.1324 / 7.1324 * math.log(1 + math.sqrt(8.1324) / 0.1)), rel=1e-4
    )


def test_it_is_tightest_near_a_hundred_matches_and_wider_than_one_look_needs() -> None:
    assert min(range(20, 400), key=lambda n: anytime_multiplier(n, 0.0125)) == pytest.approx(100, abs=20)
    assert anytime_multiplier(100, 0.05) > 1.645


@pytest.mark.parametrize(("n", "alpha"), [(0, 0.05), (100, 0.0), (100, 0.3), (100, -0.1)])
def test_a_bound_without_a_sample_or_a_chance_is_refused(n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha over 0 and at most"):
        anytime_multiplier(n, alpha)


def test_a_growing_sample_crosses_the_bound_at_some_look_as_rarely_as_promised_and_the_usual_one_often() -> None:
    assert 0.01 < share_that_ever_cross(multipliers(SEASON, 0.05), SEASON, seed=1) <= 0.05
    assert share_that_ever_cross(np.full(SEASON, 1.645), SEASON, seed=1) > 0.15


@pytest.mark.parametrize(("window", "share"), [(80, SHARES["skill"]), (380, SHARES["score"])], ids=["skill", "score"])
@pytest.mark.parametrize("after", [0, 380], ids=["a new model", "a model of a year ago"])
def test_a_window_that_slides_keeps_to_its_checks_share_of_the_season(window: int, share: float, after: int) -> None:
    bounds = multipliers(window, alpha_of_a_check(0.05, window, share))
    assert share_that_ever_cross(bounds, window, seed=2, after=after) <= 0.05 * share


def test_the_checks_and_the_windows_of_a_season_share_its_chance() -> None:
    assert SHARES["skill"] + 3 * SHARES["score"] == pytest.approx(1.0), "accuracy, weighted F1, log loss: three scores"
    assert alpha_of_a_check(0.05, SEASON, SHARES["skill"]) == pytest.approx(0.05 / 2 / 2)
    assert alpha_of_a_check(0.05, 95, SHARES["score"]) == pytest.approx(0.05 / 6 / 5)
