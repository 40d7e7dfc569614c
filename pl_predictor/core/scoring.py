"""How good forecasts were: scores a match, and a scorecard with sample sizes and intervals.

Here: proper scores, classification scores, skill against the market, calibration. Probabilities are (n, 3) arrays over
home win, draw, away win, in that order; results are (n,) arrays of "H", "D", "A". Not here: thresholds and verdicts, or
which forecasts to score. A score that cannot be computed is absent, never 0 or NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import OUTCOMES, match_day

PROBABILITIES: Final = ("p_home", "p_draw", "p_away")
RESAMPLES: Final = 1_000
LEVEL: Final = 0.95
FEWEST_DAYS: Final = 5
"""Match days an interval needs: resampling fewer blocks than this claims a precision that is not there."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One metric over n matches with its 95 % interval; no interval (None) under five match days."""

    metric: str
    value: float
    n: int
    low: float | None
    high: float | None


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
    """Accuracy and support-weighted precision, recall and F1 of summed `confusion` tables of shape (..., 9).

    As scikit-learn's average="weighted", zero_division=0: a result that was never predicted has precision 0.
    """
    counts = table.reshape(*table.shape[:-1], 3, 3)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    actual, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    weight = actual / actual.sum(axis=-1, keepdims=True)
    by_class = {
        "f1_weighted": 2.0 * hits / np.maximum(actual + predicted, 1.0),
        "precision_weighted": hits / np.maximum(predicted, 1.0),
        "recall_weighted": hits / np.maximum(actual, 1.0),
    }
    accuracy = hits.sum(axis=-1) / actual.sum(axis=-1)
    return {"accuracy": accuracy, **{name: (weight * value).sum(axis=-1) for name, value in by_class.items()}}


def scorecard(forecasts: pd.DataFrame, *, seed: int = 0, resamples: int = RESAMPLES) -> list[Score]:
    """Every metric of the forecasts whose result is known; an empty list where there is none.

    rps, log_loss, brier, accuracy, f1_weighted, precision_weighted, recall_weighted over all of them; rps_market,
    log_loss_market and rps_skill (1 - rps / rps_market) over those with market probabilities, on the same matches.
    Intervals: percentiles of `resamples` bootstrap samples of whole match days, since the matches of a day are not
    independent; the same seed gives the same interval.

    forecasts: a forecast frame with a result column; market columns are optional.
    """
    played = forecasts[forecasts["result"].notna()]
    scores = _scores(played, _own_columns, _own_metrics, seed, resamples)
    if set(MARKET) <= set(played.columns):
        priced = played[played[list(MARKET)].notna().all(axis=1)]
        scores += _scores(priced, _market_columns, _market_metrics, seed, resamples)
    return scores


def calibration_table(forecasts: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Reliability of the forecasts whose result is known, for each outcome in `bins` equally wide bins.

    Columns: outcome (H, D, A), low, high (the bin, high excluded except at 1), forecast (mean probability given),
    observed (share that happened), n (matches). A bin without a forecast has no row.
    """
    played = forecasts[forecasts["result"].notna()]
    p = played[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    bin_number = np.minimum((p * bins).astype(np.int64), bins - 1)
    rows = pd.DataFrame(
        {
            "outcome": pd.Categorical(np.tile(OUTCOMES, len(p)), categories=OUTCOMES),
            "bin": bin_number.ravel(),
            "forecast": p.ravel(),
            "observed": one_hot(played["result"].to_numpy()).ravel(),
        }
    )
    grouped = rows.groupby(["outcome", "bin"], observed=True)
    table = grouped.mean().assign(n=grouped.size()).reset_index()
    edges = {"low": table["bin"] / bins, "high": (table["bin"] + 1) / bins}
    table = table.assign(outcome=table["outcome"].astype(object), **edges)
    return table[["outcome", "low", "high", "forecast", "observed", "n"]]


def _own_columns(played: pd.DataFrame) -> Floats:
    p, result = played[list(PROBABILITIES)].to_numpy(dtype=np.float64), played["result"].to_numpy()
    scores = np.column_stack([np.ones(len(p)), rps(p, result), log_loss(p, result), brier(p, result)])
    return np.hstack([scores, confusion(played["prediction"].to_numpy(), result)])


def _own_metrics(sums: Floats) -> dict[str, Floats]:
    n = sums[:, 0]
    proper = {"rps": sums[:, 1] / n, "log_loss": sums[:, 2] / n, "brier": sums[:, 3] / n}
    return {**proper, **classification(sums[:, 4:])}


def _market_columns(priced: pd.DataFrame) -> Floats:
    p, market = (priced[list(names)].to_numpy(dtype=np.float64) for names in (PROBABILITIES, MARKET))
    result = priced["result"].to_numpy()
    return np.column_stack([np.ones(len(p)), rps(p, result), rps(market, result), log_loss(market, result)])


def _market_metrics(sums: Floats) -> dict[str, Floats]:
    n = sums[:, 0]
    return {
        "rps_market": sums[:, 2] / n,
        "log_loss_market": sums[:, 3] / n,
        "rps_skill": 1.0 - sums[:, 1] / sums[:, 2],
    }


def _scores(
    played: pd.DataFrame,
    columns: Callable[[pd.DataFrame], Floats],
    metrics: Callable[[Floats], dict[str, Floats]],
    seed: int,
    resamples: int,
) -> list[Score]:
    """Every metric is a function of sums over matches: a resample of days is a row of weights on the sums of days."""
    if played.empty:
        return []
    _, day = np.unique(match_day(played["kickoff"]).to_numpy(), return_inverse=True)
    a_match = columns(played)
    days = np.zeros((int(day.max()) + 1, a_match.shape[1]))
    np.add.at(days, day, a_match)
    values = metrics(days.sum(axis=0, keepdims=True))
    low: dict[str, Any] = dict.fromkeys(values)
    high: dict[str, Any] = dict.fromkeys(values)
    if len(days) >= FEWEST_DAYS:
        draws = np.random.default_rng(seed).multinomial(len(days), np.full(len(days), 1.0 / len(days)), size=resamples)
        tail = 100.0 * (1.0 - LEVEL) / 2.0
        for metric, sample in metrics(draws.astype(np.float64) @ days).items():
            low[metric], high[metric] = (float(edge) for edge in np.percentile(sample, [tail, 100.0 - tail]))
    return [Score(metric, float(value[0]), len(played), low[metric], high[metric]) for metric, value in values.items()]
