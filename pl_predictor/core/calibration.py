"""Whether forecast probabilities mean what they say: arrays in, arrays out.

Here: the calibration slope of one outcome, and the gaps between forecast and frequency in bins. Not here: frames,
intervals, which matches count (core/scoring.py).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 10
FEWEST_EVENTS: Final = 10
"""Matches with the outcome, and without it, that a slope needs: ten an estimated coefficient, after Peduzzi et al.
(1996), Journal of Clinical Epidemiology 49(12)."""

_MAX_STEPS = 25
_TOLERANCE = 1e-4
"""The last step's size: each of Newton's steps squares the error, so that what is left is a hundred millionth."""
_CHUNK = 50
"""Resamples fitted at once: more do not fit into a processor's cache, and take twice as long each."""

Floats = NDArray[np.float64]


def calibration_slope(p: Floats, happened: Floats, counts: Floats) -> Floats:
    """The slope b of the unpenalised logistic regression  logit(P(happened)) = a + b * logit(p), for each resample.

    1 is calibrated; under 1 the forecasts are too extreme, over 1 too timid. Source: Cox (1958), "Two further
    applications of a model for binary regression", Biometrika 45(3/4).

    p: (n,) probabilities given to one outcome. happened: (n,), 1 where it happened, else 0. counts: (m, n), how often
    each match is in each of m resamples. Returns (m,); NaN where no slope exists: fewer than ten matches in all with
    the outcome, or without it, a probability of 0 or 1, or a sample that a threshold on p separates.
    """
    slopes = np.full(len(counts), np.nan)
    events = float(happened.sum())
    if min(events, len(happened) - events) < FEWEST_EVENTS or p.min() <= 0.0 or p.max() >= 1.0:
        return slopes
    x = np.log(p) - np.log1p(-p)
    start = _newton(x, happened, np.ones((1, len(x))), np.zeros((1, 2)))
    if np.isnan(start).any():
        return slopes
    for first in range(0, len(counts), _CHUNK):
        chunk = counts[first : first + _CHUNK]
        slopes[first : first + _CHUNK] = _newton(x, happened, chunk, start)[:, 1]
    return slopes


def bin_number(p: Floats, bins: int = BINS) -> NDArray[np.int64]:
    """Which of `bins` equally wide bins a probability is in: the lower edge belongs to it, and 1 to the last."""
    number: NDArray[np.int64] = np.minimum((p * bins).astype(np.int64), bins - 1)
    return number


def binned_gaps(p: Floats, happened: Floats, bins: int = BINS) -> Floats:
    """(n, k) forecasts and indicators to (n, k * bins): forecast minus outcome of each class, in the forecast's bin."""
    n, k = p.shape
    gaps = np.zeros((n, k, bins))
    np.put_along_axis(gaps, bin_number(p, bins)[:, :, None], (p - happened)[:, :, None], axis=2)
    return gaps.reshape(n, k * bins)


def calibration_error(gaps: Floats, n: Any, classes: int = 3) -> Floats:
    """Expected calibration error, class-wise, of summed `binned_gaps` (..., k * bins) of n matches: 0 to 1, 0 is best.

    The mean over classes of  sum over bins of (matches in the bin / n) * |mean forecast - frequency|. Sources: Naeini,
    Cooper, Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning", AAAI; class-wise: Kull
    et al. (2019), "Beyond temperature scaling", NeurIPS 32. A perfect forecast has more than 0 in a finite sample, the
    more the smaller it is: compare values of about equal n.
    """
    error: Floats = np.abs(gaps).sum(axis=-1) / (classes * n)
    return error


def _newton(x: Floats, y: Floats, counts: Floats, start: Floats) -> Floats:
    """(m, 2) intercepts and slopes of m weighted logistic regressions by Newton's method; NaN where it finds none.

    start: (1, 2), for all of them. Where a threshold on x separates the outcomes the likelihood has no maximum, and the
    steps never become small.
    """
    estimate, step = start, np.full_like(start, np.inf)
    for _ in range(_MAX_STEPS):
        linear = estimate[:, :1] + estimate[:, 1:] * x
        small = np.exp(-np.abs(linear))  # never overflows, whatever the steps do
        fitted = np.where(linear >= 0.0, 1.0, small) / (1.0 + small)
        weight, residual = counts * fitted * (1.0 - fitted), counts * (y - fitted)
        s0, s1, s2 = weight.sum(axis=1), weight @ x, weight @ (x * x)
        g0, g1 = residual.sum(axis=1), residual @ x
        determinant = s0 * s2 - s1 * s1
        singular = determinant <= 1e-10 * s0 * s2
        newton = np.stack([s2 * g0 - s1 * g1, s0 * g1 - s1 * g0], axis=1)
        step = newton / np.where(singular, np.nan, determinant)[:, None]
        estimate = estimate + step
        if not (np.abs(step) > _TOLERANCE).any():
            break
    found: Floats = np.where((np.abs(step) <= _TOLERANCE).all(axis=1, keepdims=True), estimate, np.nan)
    return found
