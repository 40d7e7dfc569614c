"""How good forecasts were: scores a match, and a scorecard with sample sizes and intervals.

Here: proper scores, classification scores, skill against the market. Probabilities are (n, 3) arrays over home win,
draw, away win, in that order; results are (n,) arrays of "H", "D", "A". Not here: how calibration is computed
(core/calibration.py), thresholds and verdicts, which forecasts to score. A score that cannot be computed is absent,
never 0 or NaN.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.calibration import BINS, bin_number, binned_gaps, calibration_error, calibration_slope
from pl_predictor.core.features import MARKET
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import CLOSING_ODDS, KEY, OUTCOMES, match_day

PROBABILITIES: Final = ("p_home", "p_draw", "p_away")
MODEL: Final = ("model_home", "model_draw", "model_away")
"""What was forecast before the market entered."""
CLOSING: Final = ("closing_home", "closing_draw", "closing_away")
"""The de-vigged closing odds: what the market knew last. Forecasts are compared with them, and never made from them."""
CLOSING_SETTLES: Final = timedelta(hours=48)
RESAMPLES: Final = 1_000
LEVEL: Final = 0.95
FEWEST_DAYS: Final = 5
"""Match days an interval needs: resampling fewer blocks than this claims a precision that is not there."""

METRICS: Final = {
    "rps": "ranked probability score; 0 is best",
    "log_loss": "minus the log of what was forecast for the result, nats; 0 is best",
    "log_loss_expected": "what it would be were the forecast's own probabilities right; the rest is luck, or a fault",
    "brier": "squared error over the three results; 0 is best, 2 worst",
    "accuracy": "share of predictions that were right",
    "f1_weighted": "F1 of home wins, draws and away wins, weighted by how often they happened",
    "precision_weighted": "share of each prediction that was right, weighted in the same way",
    "recall_weighted": "share of each result that was predicted, weighted in the same way: the accuracy again",
    "f1_macro": "F1 of home wins, draws and away wins, each counting alike",
    "calibration_error": "distance of forecast from frequency, mean over bins and results; 0 is best",
    "calibration_slope_home": "1 is calibrated; under 1 home wins are forecast too extremely, over 1 too timidly",
    "calibration_slope_draw": "the same of draws",
    "calibration_slope_away": "the same of away wins",
    "rps_market": "the RPS of the pre-match odds, where there are any",
    "log_loss_market": "their log loss",
    "rps_skill": "1 - RPS / RPS of the pre-match odds, on the same matches; over 0 is better than they",
    "log_loss_skill": "log loss of the pre-match odds minus own, on the same matches; over 0 is better than they",
    "log_loss_skill_expected": "what it would be were the odds' probabilities right: 0 or less; no luck is in it",
    "rps_close": "the RPS of the closing odds, where there are any",
    "log_loss_close": "their log loss",
    "rps_skill_close": "1 - RPS / RPS of the closing odds, on the same matches; over 0 is better than they",
}
"""What each metric of a scorecard says, in the scorecard's order."""
SLOPES: Final = frozenset({"calibration_slope_home", "calibration_slope_draw", "calibration_slope_away"})
OF_CLOSE: Final = frozenset({"rps_close", "log_loss_close", "rps_skill_close"})
OF_MARKET: Final = frozenset(
    {"rps_market", "log_loss_market", "rps_skill", "log_loss_skill", "log_loss_skill_expected"}
)
OWN: Final = frozenset(METRICS) - SLOPES - OF_MARKET - OF_CLOSE
RAISED_BY_RESAMPLING: Final = frozenset({"calibration_error"})
"""A resample adds its own noise to the distances that this is a mean of, so that all of an interval could lie above the
value: its resamples are moved by as much as their mean exceeds the value."""

Floats = NDArray[np.float64]
Estimate = Callable[[Floats], dict[str, Floats]]
"""(m, days) how often each match day counts in each of m resamples -> the (m,) values of each metric."""
Part = Callable[[pd.DataFrame, NDArray[np.int64]], Estimate]
"""A frame of forecasts with results and the number of each row's match day -> the estimate of some metrics."""


@dataclass(frozen=True)
class Score:
    """One metric over n matches with its 95 % interval and standard error, both of the same bootstrap; neither (None)
    under five match days."""

    metric: str
    value: float
    n: int
    low: float | None
    high: float | None
    standard_error: float | None


def rps(p: Floats, result: NDArray[Any]) -> Floats:
    """Ranked probability score of each match, 0 (best) to 1: over H, D, A in that order, divided by 2.

    Epstein (1969), Journal of Applied Meteorology 8; for football Constantinou and Fenton (2012), Journal of
    Quantitative Analysis in Sports 8(1).
    """
    distance = np.cumsum(p - one_hot(result), axis=1)[:, :2]
    score: Floats = (distance**2).sum(axis=1) / 2.0
    return score


def log_loss(p: Floats, result: NDArray[Any]) -> Floats:
    """Minus the natural logarithm of what was forecast for each result (nats).

    A forecast of 0 for what happened counts as the smallest step from 0 to 1 a double can take, as in scikit-learn: 36.
    """
    given = (p * one_hot(result)).sum(axis=1)
    score: Floats = -np.log(np.maximum(given, np.finfo(np.float64).eps))
    return score


def expected_log_loss(p: Floats, truth: Floats) -> Floats:
    """(n,) mean log loss of the forecasts p were `truth` the probabilities of the results: their cross entropy, nats.

    expected_log_loss(p, p) is the entropy of p. What p costs against truth, the Kullback-Leibler divergence, is
    expected_log_loss(p, truth) - expected_log_loss(truth, truth). Both (n, 3).
    """
    score: Floats = -(truth * np.log(np.maximum(p, np.finfo(np.float64).eps))).sum(axis=1)
    return score


def brier(p: Floats, result: NDArray[Any]) -> Floats:
    """Brier score of each match as Brier (1950) wrote it: squared error summed over the three outcomes, 0 to 2."""
    score: Floats = ((p - one_hot(result)) ** 2).sum(axis=1)
    return score


def one_hot(result: NDArray[Any]) -> Floats:
    """(n,) results to (n, 3) indicators of H, D, A. ValueError for anything else, a missing result included."""
    hot: Floats = (np.asarray(result, dtype=object)[:, None] == np.array(OUTCOMES, dtype=object)).astype(np.float64)
    if not (hot.sum(axis=1) == 1.0).all():
        wrong = next(value for value in result if value not in OUTCOMES)
        raise ValueError(f"a result is one of {', '.join(OUTCOMES)}, not {wrong!r}")
    return hot


def confusion(prediction: NDArray[Any], result: NDArray[Any]) -> Floats:
    """(n, 9): where each match falls in the table of result (rows) by prediction (columns), both in order H, D, A."""
    table: Floats = (one_hot(result)[:, :, None] * one_hot(prediction)[:, None, :]).reshape(-1, 9)
    return table


def classification(table: Floats) -> dict[str, Floats]:
    """Accuracy, support-weighted precision, recall and F1, and the plain mean of the three F1, of summed `confusion`
    tables of shape (..., 9).

    As scikit-learn's average="weighted" and "macro", zero_division=0: what was never predicted has precision 0.
    """
    counts = table.reshape(*table.shape[:-1], 3, 3)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    actual, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    weight = actual / actual.sum(axis=-1, keepdims=True)
    f1 = 2.0 * hits / np.maximum(actual + predicted, 1.0)
    return {
        "accuracy": hits.sum(axis=-1) / actual.sum(axis=-1),
        "f1_weighted": (weight * f1).sum(axis=-1),
        "precision_weighted": (weight * hits / np.maximum(predicted, 1.0)).sum(axis=-1),
        "recall_weighted": (weight * hits / np.maximum(actual, 1.0)).sum(axis=-1),
        "f1_macro": f1.mean(axis=-1),
    }


def with_closing_odds(forecasts: pd.DataFrame, matches: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The forecast frame with CLOSING: the de-vigged closing odds of its matches in a match frame; NaN without any, and
    within 48 hours of kick-off, since averages are revised after they are first published."""
    prices = forecasts[list(KEY)].merge(matches[[*KEY, *CLOSING_ODDS]], how="left", on=list(KEY), validate="one_to_one")
    closing = implied_probabilities(prices[list(CLOSING_ODDS)].to_numpy(dtype=np.float64))
    closing[(forecasts["kickoff"] + CLOSING_SETTLES > as_of).to_numpy()] = np.nan
    return forecasts.assign(**dict(zip(CLOSING, closing.T, strict=True)))


def scorecard(
    forecasts: pd.DataFrame, *, seed: int = 0, resamples: int = RESAMPLES, wanted: Collection[str] = tuple(METRICS)
) -> list[Score]:
    """The METRICS of the forecasts whose result is known; an empty list where there is none.

    Those of the odds and the skill against them are over the matches with such odds. A metric that does not exist for
    a sample, as the calibration slope of a few matches, is absent. Intervals: percentiles of `resamples` bootstrap
    samples of whole match days, since the matches of a day are not independent; the same seed gives the same interval.

    forecasts: a forecast frame with a result column; MARKET and CLOSING columns are optional. wanted: these metrics
    alone; what is not wanted is not computed, and changes nothing of the others.
    """
    played = forecasts[forecasts["result"].notna()]
    own: tuple[tuple[Part, frozenset[str]], ...] = ((_own, OWN), (_slopes, SLOPES))
    parts = [part for part, metrics in own if metrics.intersection(wanted)]
    scores = bootstrapped(played, parts, seed, resamples)
    for names, part, metrics in ((MARKET, _against_market, OF_MARKET), (CLOSING, _against_close, OF_CLOSE)):
        if metrics.intersection(wanted) and set(names) <= set(played.columns):
            priced = played[played[list(names)].notna().all(axis=1)]
            scores += bootstrapped(priced, [part], seed, resamples)
    return [score for score in scores if score.metric in wanted]


def rps_by_match(played: pd.DataFrame) -> pd.DataFrame:
    """kickoff, rps, rps_market (NaN without odds) of each row of a forecast frame with results and MARKET."""
    result = played["result"].to_numpy()
    own, market = (played[list(names)].to_numpy(dtype=np.float64) for names in (PROBABILITIES, MARKET))
    return played[["kickoff"]].assign(rps=rps(own, result), rps_market=rps(market, result))


def calibration_table(forecasts: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Reliability of the forecasts whose result is known, for each outcome in `bins` equally wide bins.

    Columns: outcome (H, D, A), low, high (the bin, high excluded except at 1), forecast (mean probability given),
    observed (share that happened), n (matches). A bin without a forecast has no row.
    """
    played = forecasts[forecasts["result"].notna()]
    p = played[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    rows = pd.DataFrame(
        {
            "outcome": pd.Categorical(np.tile(OUTCOMES, len(p)), categories=OUTCOMES),
            "bin": bin_number(p, bins).ravel(),
            "forecast": p.ravel(),
            "observed": one_hot(played["result"].to_numpy()).ravel(),
        }
    )
    grouped = rows.groupby(["outcome", "bin"], observed=True)
    table = grouped.mean().assign(n=grouped.size()).reset_index()
    edges = {"low": table["bin"] / bins, "high": (table["bin"] + 1) / bins}
    table = table.assign(outcome=table["outcome"].astype(object), **edges)
    return table[["outcome", "low", "high", "forecast", "observed", "n"]]


def _own(played: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
    p, result = played[list(PROBABILITIES)].to_numpy(dtype=np.float64), played["result"].to_numpy()
    means = {
        "rps": rps(p, result),
        "log_loss": log_loss(p, result),
        "log_loss_expected": expected_log_loss(p, p),
        "brier": brier(p, result),
    }
    scores = np.column_stack([np.ones(len(p)), *means.values()])
    table = confusion(played["prediction"].to_numpy(), result)
    days = by_day(np.hstack([scores, table, binned_gaps(p, one_hot(result))]), day)

    def estimate(counts: Floats) -> dict[str, Floats]:
        sums = counts @ days
        n = sums[:, 0]
        return {
            **{name: sums[:, number] / n for number, name in enumerate(means, start=1)},
            **classification(sums[:, 5:14]),
            "calibration_error": calibration_error(sums[:, 14:], n),
        }

    return estimate


def _slopes(played: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
    p, happened = played[list(PROBABILITIES)].to_numpy(dtype=np.float64), one_hot(played["result"].to_numpy())

    def estimate(counts: Floats) -> dict[str, Floats]:
        of_match = counts[:, day]
        return {
            name.replace("p_", "calibration_slope_"): calibration_slope(p[:, k], happened[:, k], of_match)
            for k, name in enumerate(PROBABILITIES)
        }

    return estimate


def _against_market(priced: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
    """The forecasts beside the pre-match odds, and what they cost were these right: no result is in that."""
    p, market = (priced[list(names)].to_numpy(dtype=np.float64) for names in (PROBABILITIES, MARKET))
    result = priced["result"].to_numpy()
    gain = log_loss(market, result) - log_loss(p, result)
    expected = expected_log_loss(market, market) - expected_log_loss(p, market)
    days = by_day(np.column_stack([np.ones(len(p)), gain, expected]), day)
    beside = _beside(p, market, result, day)

    def estimate(counts: Floats) -> dict[str, Floats]:
        n, gains, expectations = (counts @ days).T
        own, theirs, their_log_loss = beside(counts)
        return {
            "rps_market": theirs,
            "log_loss_market": their_log_loss,
            "rps_skill": 1.0 - own / theirs,
            "log_loss_skill": gains / n,
            "log_loss_skill_expected": expectations / n,
        }

    return estimate


def _against_close(priced: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
    """The forecasts beside the closing odds."""
    p, close = (priced[list(names)].to_numpy(dtype=np.float64) for names in (PROBABILITIES, CLOSING))
    beside = _beside(p, close, priced["result"].to_numpy(), day)

    def estimate(counts: Floats) -> dict[str, Floats]:
        own, theirs, their_log_loss = beside(counts)
        return {"rps_close": theirs, "log_loss_close": their_log_loss, "rps_skill_close": 1.0 - own / theirs}

    return estimate


def _beside(
    p: Floats, theirs: Floats, result: NDArray[Any], day: NDArray[np.int64]
) -> Callable[[Floats], tuple[Floats, Floats, Floats]]:
    """Of resamples of days: the mean RPS of p, and the mean RPS and log loss of `theirs`."""
    scores = [np.ones(len(p)), rps(p, result), rps(theirs, result), log_loss(theirs, result)]
    days = by_day(np.column_stack(scores), day)

    def means(counts: Floats) -> tuple[Floats, Floats, Floats]:
        n, own, other, other_log_loss = (counts @ days).T
        return own / n, other / n, other_log_loss / n

    return means


def by_day(a_match: Floats, day: NDArray[np.int64]) -> Floats:
    """Sums over the matches of each day: what is a function of sums needs no more of a resample of days."""
    days = np.zeros((int(day.max()) + 1, a_match.shape[1]))
    np.add.at(days, day, a_match)
    return days


def bootstrapped(played: pd.DataFrame, parts: list[Part], seed: int = 0, resamples: int = RESAMPLES) -> list[Score]:
    """Every metric of the parts that exists, with its interval over whole match days (column kickoff). One that some
    resample does not have has no interval; without rows there is none."""
    if played.empty:
        return []
    _, day = np.unique(match_day(played["kickoff"]).to_numpy(), return_inverse=True)
    n_days = int(day.max()) + 1
    draws = np.random.default_rng(seed).multinomial(n_days, np.full(n_days, 1.0 / n_days), size=resamples)
    scores = []
    for part in parts:
        estimate = part(played, day)
        values = {metric: float(value[0]) for metric, value in estimate(np.ones((1, n_days))).items()}
        samples = estimate(draws.astype(np.float64)) if n_days >= FEWEST_DAYS else {}
        for metric, value in values.items():
            if np.isfinite(value):
                scores.append(Score(metric, value, len(played), *_spread(metric, value, samples.get(metric))))
    return scores


def _spread(metric: str, value: float, sample: Floats | None) -> tuple[float | None, float | None, float | None]:
    """The 95 % interval and the standard error that the resamples of a metric give."""
    if sample is None or not np.isfinite(sample).all():
        return None, None, None
    if metric in RAISED_BY_RESAMPLING:
        sample = np.maximum(sample - (sample.mean() - value), 0.0)
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = (float(edge) for edge in np.percentile(sample, [tail, 100.0 - tail]))
    return low, high, float(sample.std(ddof=1))
