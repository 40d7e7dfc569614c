"""The forecaster: a logit on the features, anchored on the market, with a decision rule that can say draw.

Here: how it is fitted, how it forecasts, how its two weights are chosen. Not here: the features (core/features.py), the
order of seasons (core/walk_forward.py), scores (core/scoring.py), whether it replaces another (core/promotion.py).

The market is hard to beat and few matches can tell, so where odds exist the forecast is the logarithmic pool

    p  is proportional to  market^w * model^(1 - w),        w in [0, 1],

and w starts at 1. The prediction is the largest of (p_home, m * p_draw, p_away): with m = 1 a draw is hardly ever the
likeliest of three, and never predicted. Both w and m come from forecasts made out of sample.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET
from pl_predictor.core.matches import KEY, OUTCOMES
from pl_predictor.core.scoring import PROBABILITIES, classification, confusion, one_hot
from pl_predictor.core.walk_forward import FEWEST_RESULTS, seasons_with_history, walk_forward

TRUSTED_TYPES: Final = ["pl_predictor.core.model.MatchForecaster"]
"""What skops.io.load must be told to trust, beyond what it trusts by itself."""

MODEL: Final = ("model_home", "model_draw", "model_away")
FORECAST_COLUMNS: Final = (*KEY, "kickoff", *PROBABILITIES, "prediction", "confidence", "information")
STRENGTHS: Final = ("elo_difference", "log_expected_home_goals", "log_expected_away_goals")
"""The features that the forecaster reads. With form and days of rest beside them the walk-forward of 2003/04 to 2011/12
was worse, by 0.0006 and 0.0015 of log loss: the strengths know what form tells, and the rest is noise."""
REGULARISATION: Final = 0.05
RECORD_SEASONS: Final = 8
FEWEST_PRICED: Final = 100
FEWEST_DECIDED: Final = 300
WEIGHT_SPREAD: Final = 0.1
"""How far from the market (w = 1) the weight is expected to lie: the standard deviation of its prior."""
ACCURACY_TOLERANCE: Final = 0.005
"""Accuracy that saying draw may cost: less than any season can show, whose standard error is 0.026."""
DRAW_MULTIPLIERS: Final = tuple(round(1.0 + 0.05 * step, 2) for step in range(13))

Floats = NDArray[np.float64]


class MatchForecaster(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn classifier of results: StandardScaler and multinomial LogisticRegression, pooled with the market.

    X is a feature frame, or any frame with its feature columns; where it has the market's probabilities too, they enter
    the pool. A plain (n, features) array has none. y holds "H", "D", "A"; classes_ is ["A", "D", "H"], as sorted.
    """

    def __init__(
        self,
        *,
        feature_names: tuple[str, ...] | None = None,
        regularisation: float = 1.0,
        market_weight: float = 1.0,
        draw_multiplier: float = 1.0,
    ) -> None:
        """feature_names: None for all of FEATURES. regularisation: C of LogisticRegression, smaller is stronger."""
        self.feature_names = feature_names
        self.regularisation = regularisation
        self.market_weight = market_weight
        self.draw_multiplier = draw_multiplier

    def fit(self, X: pd.DataFrame | Floats, y: Any) -> "MatchForecaster":
        """Fit the logit. PredictorError where X lacks a feature, or y one of the three results."""
        names = tuple(FEATURES) if self.feature_names is None else tuple(self.feature_names)
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        labels = np.asarray(y, dtype=object)
        absent = sorted(set(OUTCOMES) - set(labels.tolist()))
        if absent:
            raise PredictorError(
                f"The forecaster learns from home wins, draws and away wins, and among the {len(labels)} results given "
                f"there is no {' and no '.join(absent)}; add matches"
            )
        one_hot(labels)
        self.logit_: Pipeline = make_pipeline(
            StandardScaler(), LogisticRegression(C=self.regularisation, max_iter=1000, tol=1e-8)
        )
        self.logit_.fit(self._features(X), labels.astype(str))
        self.classes_ = self.logit_.classes_
        self.market_weight_ = float(self.market_weight)
        self.draw_multiplier_ = float(self.draw_multiplier)
        return self

    def predict_proba(self, X: pd.DataFrame | Floats) -> Floats:
        """(n, 3), in the order of classes_: away win, draw, home win."""
        return self._pooled(X)[:, ::-1]

    def predict(self, X: pd.DataFrame | Floats) -> NDArray[Any]:
        """(n,) of "H", "D", "A", by the decision rule."""
        return decide(self._pooled(X), self.draw_multiplier_).astype(self.classes_.dtype)

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """The forecast frame of a feature frame, with the same index.

        FORECAST_COLUMNS, then result, the market's probabilities and the model's own, before pooling (MODEL).
        """
        model, market = self._model(features), _market(features)
        p = pool(model, market, self.market_weight_)
        prediction = decide(p, self.draw_multiplier_)
        frame = features[[*KEY, "kickoff"]].copy()
        frame[list(PROBABILITIES)] = p
        frame["prediction"] = prediction
        frame["confidence"] = (p * one_hot(prediction)).sum(axis=1)
        frame["information"] = np.where(np.isnan(market).any(axis=1), "no_odds", "odds").astype(object)
        frame["result"] = features["result"]
        frame[list(MARKET)] = market
        frame[list(MODEL)] = model
        return frame

    def _pooled(self, X: pd.DataFrame | Floats) -> Floats:
        return pool(self._model(X), _market(X), self.market_weight_)

    def _model(self, X: pd.DataFrame | Floats) -> Floats:
        check_is_fitted(self)
        values = self._features(X)
        if len(values) == 0:
            return np.empty((0, 3))
        away_draw_home: Floats = self.logit_.predict_proba(values)
        return away_draw_home[:, ::-1]

    def _features(self, X: pd.DataFrame | Floats) -> Floats:
        names = self.feature_names_in_.tolist()
        if not isinstance(X, pd.DataFrame):
            return np.asarray(X, dtype=np.float64)
        missing = [name for name in names if name not in X.columns]
        if missing:
            raise PredictorError(
                f"The forecaster needs the features {', '.join(missing)}, which are not there; build the features with "
                "this version, or train a model on those there are"
            )
        values: Floats = X[names].to_numpy(dtype=np.float64)
        return values


@dataclass(frozen=True)
class TrainedForecaster:
    """forecaster: fitted on every result there is. record: the walk-forward forecasts its weights come from, each made
    without its own season. matches, first_match, last_match: what the logit was fitted on."""

    forecaster: MatchForecaster
    record: pd.DataFrame
    matches: int
    first_match: pd.Timestamp
    last_match: pd.Timestamp


def train(features: pd.DataFrame, *, seasons: int = RECORD_SEASONS) -> TrainedForecaster:
    """Try the forecaster on the last `seasons` seasons, then fit it on all matches of the feature frame with a result.

    PredictorError where no season with results has 100 results of seasons before it.
    """
    played = features[features["result"].notna()]
    possible = seasons_with_history(features)
    if not possible:
        raise PredictorError(
            f"Training needs {FEWEST_RESULTS} results of one season and results of a later one to be tried on, and "
            f"there are {len(played)} results of {played['season'].nunique()} season(s); add earlier seasons or wait "
            "for results"
        )
    record = walk_forward(features, first_season=possible[-seasons:][0], fit=fit_forecaster)
    return TrainedForecaster(
        forecaster=fit_forecaster(played, record),
        record=record,
        matches=len(played),
        first_match=played["kickoff"].min(),
        last_match=played["kickoff"].max(),
    )


def fit_forecaster(past: pd.DataFrame, record: pd.DataFrame) -> MatchForecaster:
    """The forecaster for what follows `past`, its weights from the out-of-sample forecasts `record` (may be empty)."""
    weight, multiplier = 1.0, 1.0
    if len(record):
        model, market = record[list(MODEL)].to_numpy(), record[list(MARKET)].to_numpy()
        result = record["result"].to_numpy()
        weight = fit_market_weight(model, market, result)
        multiplier = fit_draw_multiplier(pool(model, market, weight), result)
    forecaster = MatchForecaster(
        feature_names=STRENGTHS, regularisation=REGULARISATION, market_weight=weight, draw_multiplier=multiplier
    )
    return forecaster.fit(past, past["result"])


def pool(model: Floats, market: Floats, weight: float) -> Floats:
    """The logarithmic pool of two (n, 3) forecasts; the model's alone where the market's row is NaN."""
    priced = ~np.isnan(market).any(axis=1)
    pooled = model.copy()
    logs = weight * np.log(market[priced]) + (1.0 - weight) * np.log(model[priced])
    terms = np.exp(logs - logs.max(axis=1, keepdims=True))
    pooled[priced] = terms / terms.sum(axis=1, keepdims=True)
    return pooled


def fit_market_weight(model: Floats, market: Floats, result: NDArray[Any]) -> float:
    """The weight w of the market: 1 under 100 matches with odds, else the most likely one under a prior at the market.

    Minimises  sum of log losses + (1 - w)^2 / (2 * 0.1^2)  over [0, 1]: one match with odds moves w little, thousands
    move it where they will. The sum is convex in w, so bisecting its slope finds the only minimum.
    """
    priced = ~np.isnan(market).any(axis=1)
    if int(priced.sum()) < FEWEST_PRICED:
        return 1.0
    model, market, hot = model[priced], market[priced], one_hot(result[priced])
    ratio = np.log(market) - np.log(model)

    def slope(weight: float) -> float:
        expected = pool(model, market, weight) - hot
        return float((expected * ratio).sum()) - (1.0 - weight) / WEIGHT_SPREAD**2

    low, high = 0.0, 1.0
    if slope(low) >= 0.0:
        return low
    if slope(high) <= 0.0:
        return high
    while high - low > 1e-9:
        middle = (low + high) / 2.0
        low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
    return (low + high) / 2.0


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


def _market(X: pd.DataFrame | Floats) -> Floats:
    if not isinstance(X, pd.DataFrame) or not set(MARKET) <= set(X.columns):
        return np.full((len(X), 3), np.nan)
    market: Floats = X[list(MARKET)].to_numpy(dtype=np.float64)
    return market
