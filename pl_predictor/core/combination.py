"""Several forecasts to one: the families' pooled and calibrated, anchored on the market where odds exist, and decided.

Here: how forecasts are combined, and the combination that past forecasts justify. Every number of it is fitted on a
record of forecasts that were made out of sample, and pulled towards what holds without any evidence. Not here: the
families (core/families.py), which record (core/model.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax

from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import KEY, OUTCOMES
from pl_predictor.core.scoring import MODEL, PROBABILITIES, Floats, classification, confusion, log_loss, one_hot

FORECAST_COLUMNS: Final = (*KEY, "kickoff", *PROBABILITIES, "prediction", "confidence", "information")
USUAL_WEIGHTS: Final = {"logit": 0.5, "goals": 0.5, "boosting": 0.0}
"""What the families weigh without evidence: equal weights are hard to beat (Stock and Watson, 2004, Journal of
Forecasting 23), and boosting has to earn its place."""
WEIGHT_SPREAD: Final = 0.1
"""How far from what holds without evidence a weight is expected to lie: the standard deviation of its prior."""
SHARPNESS_SPREAD: Final = 0.05
"""The same, of the sharpness around 1."""
FEWEST_FORECASTS: Final = 100
FEWEST_DECIDED: Final = 300
ACCURACY_TOLERANCE: Final = 0.005
"""Accuracy that saying draw may cost: less than any season can show, whose standard error is 0.026."""
DRAW_MULTIPLIERS: Final = tuple(round(1.0 + 0.05 * step, 2) for step in range(13))


@dataclass(frozen=True)
class Combination:
    """families: what each weighs in the pool, summing to 1. sharpness: the power its probabilities are raised to.
    market_weight: of the market beside it, 1 is the market alone. draw_multiplier: of the decision rule."""

    families: Mapping[str, float]
    sharpness: float = 1.0
    market_weight: float = 1.0
    draw_multiplier: float = 1.0


USUAL: Final = Combination(USUAL_WEIGHTS)
"""Without evidence."""


def columns(family: str) -> list[str]:
    """The columns of a record that hold a family's probabilities of H, D, A."""
    return [f"{family}_{outcome}" for outcome in ("home", "draw", "away")]


def combine(features: pd.DataFrame, families: Mapping[str, Floats], combination: Combination) -> pd.DataFrame:
    """The forecast frame of a feature frame, with the same index.

    families: (n, 3) of each family that weighs anything. Columns: FORECAST_COLUMNS, then result, the market's
    probabilities and the model's own, before the market enters (MODEL).
    """
    names = [name for name, weight in combination.families.items() if weight > 0.0]
    weights = [combination.sharpness * combination.families[name] for name in names]
    model = pool([families[name] for name in names], weights)
    market = features[list(MARKET)].to_numpy(dtype=np.float64)
    p = anchor(model, market, combination.market_weight)
    prediction = decide(p, combination.draw_multiplier)
    frame = features[[*KEY, "kickoff"]].copy()
    frame[list(PROBABILITIES)] = p
    frame["prediction"] = prediction
    frame["confidence"] = (p * one_hot(prediction)).sum(axis=1)
    frame["information"] = np.where(np.isnan(market).any(axis=1), "no_odds", "odds").astype(object)
    frame["result"] = features["result"]
    frame[list(MARKET)] = market
    frame[list(MODEL)] = model
    return frame


def fit_combination(record: pd.DataFrame) -> Combination:
    """The combination that a record of out-of-sample forecasts justifies.

    record: the columns of every family, MARKET and result; it may be empty. With under 100 forecasts the families weigh
    as usual, with under 100 that had odds the market is believed, with under 300 the likeliest result is predicted.
    """
    if len(record) < FEWEST_FORECASTS:
        return USUAL
    result = record["result"].to_numpy()
    names = list(USUAL_WEIGHTS)
    families = [record[columns(name)].to_numpy(dtype=np.float64) for name in names]
    weights = fit_weights(families, result, usual=list(USUAL_WEIGHTS.values()))
    pooled = pool(families, weights)
    sharpness = fit_sharpness(pooled, result)
    model, market = pool([pooled], [sharpness]), record[list(MARKET)].to_numpy(dtype=np.float64)
    market_weight = fit_market_weight(model, market, result)
    multiplier = fit_draw_multiplier(anchor(model, market, market_weight), result)
    return Combination(dict(zip(names, weights, strict=True)), sharpness, market_weight, multiplier)


def pool(forecasts: list[Floats], weights: list[float]) -> Floats:
    """The logarithmic pool of (n, 3) forecasts: the product of their powers, each row summing to 1.

    Genest and Zidek (1986), Statistical Science 1(1).
    """
    logs = sum(weight * np.log(forecast) for forecast, weight in zip(forecasts, weights, strict=True))
    pooled: Floats = softmax(logs, axis=1)
    return pooled


def anchor(model: Floats, market: Floats, weight: float) -> Floats:
    """The pool of model and market; the model's forecast where the market's row is NaN."""
    priced = ~np.isnan(market).any(axis=1)
    anchored = model.copy()
    anchored[priced] = pool([market[priced], model[priced]], [weight, 1.0 - weight])
    return anchored


def fit_weights(forecasts: list[Floats], result: NDArray[Any], *, usual: list[float]) -> list[float]:
    """The most likely weights of a pool, none negative, summing to 1, under a prior around the usual ones.

    Minimises  sum of log losses + sum of (w - usual)^2 / (2 * 0.1^2),  which is convex: a few forecasts move the
    weights little, thousands move them where they will. Weights under 0.001 are 0.
    """
    logs, hot, centre = np.stack([np.log(p) for p in forecasts], axis=2), one_hot(result), np.array(usual)

    def loss(weights: Floats) -> tuple[float, Floats]:
        p = softmax(logs @ weights, axis=1)
        distance = weights - centre
        value = log_loss(p, result).sum() + (distance**2).sum() / (2.0 * WEIGHT_SPREAD**2)
        return float(value), ((p - hot)[:, :, None] * logs).sum(axis=(0, 1)) + distance / WEIGHT_SPREAD**2

    total = {"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like}
    found = minimize(
        loss, centre, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * len(centre), constraints=[total],
        options={"ftol": 1e-10, "maxiter": 200},
    )  # fmt: skip
    if not found.success:
        raise ArithmeticError(f"no weights were found for {len(result)} forecasts: {found.message}")
    weights = np.where(found.x < 1e-3, 0.0, found.x)
    return [float(weight) for weight in weights / weights.sum()]


def fit_sharpness(p: Floats, result: NDArray[Any]) -> float:
    """The power that calibrates forecasts best, under a prior at 1: temperature scaling.

    Guo, Pleiss, Sun, Weinberger (2017), "On calibration of modern neural networks", ICML. One number, since to
    calibrate each result for itself made forecasts worse in the walk-forward of 2003/04 to 2011/12.
    """

    def loss(power: float) -> float:
        return float(log_loss(pool([p], [power]), result).sum() + (power - 1.0) ** 2 / (2.0 * SHARPNESS_SPREAD**2))

    return float(minimize_scalar(loss, bounds=(0.5, 1.5), method="bounded", options={"xatol": 1e-6}).x)


def fit_market_weight(model: Floats, market: Floats, result: NDArray[Any]) -> float:
    """The weight of the market: 1 under 100 matches with odds, else the most likely one under a prior at the market."""
    priced = ~np.isnan(market).any(axis=1)
    if int(priced.sum()) < FEWEST_FORECASTS:
        return 1.0
    forecasts = [market[priced], model[priced]]
    return fit_weights(forecasts, result[priced], usual=[1.0, 0.0])[0]


def decide(p: Floats, draw_multiplier: float) -> NDArray[Any]:
    """The decision rule: (n, 3) probabilities of H, D, A to (n,) predictions; on a tie the earlier of H, D, A."""
    likeliest = np.argmax(p * np.array([1.0, draw_multiplier, 1.0]), axis=1)
    prediction: NDArray[Any] = np.array(OUTCOMES, dtype=object)[likeliest]
    return prediction


def fit_draw_multiplier(p: Floats, result: NDArray[Any]) -> float:
    """The draw's multiplier m in 1.00, 1.05, ... 1.60: 1 under 300 forecasts, else the one with the best weighted F1
    among those whose accuracy is at most 0.005 below that of m = 1; of equals the smallest."""
    if len(p) < FEWEST_DECIDED:
        return 1.0
    tables = np.array([confusion(decide(p, m), result).sum(axis=0) for m in DRAW_MULTIPLIERS])
    scores = classification(tables)
    allowed = scores["accuracy"] >= scores["accuracy"][0] - ACCURACY_TOLERANCE
    return DRAW_MULTIPLIERS[int(np.argmax(np.where(allowed, scores["f1_weighted"], -1.0)))]
