"""The forecaster: families of models fitted on features, combined, anchored on the market, and decided.

Here: what is fitted on what, in scikit-learn's interface, so that what is trained can be stored and served. Not here:
the families (core/families.py), how forecasts are combined (core/combination.py), the order of events in past seasons
(core/walk_forward.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pl_predictor.core.combination import (
    USUAL_WEIGHTS,
    Combination,
    columns,
    combine,
    fit_combination,
)
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.families import FAMILIES, fit_family, predict_family
from pl_predictor.core.features import FEATURES, MARKET, TARGETS
from pl_predictor.core.matches import KEY, OUTCOMES, odds_known_from
from pl_predictor.core.scoring import PROBABILITIES, Floats, one_hot
from pl_predictor.core.walk_forward import FEWEST_RESULTS, fit_at, refitted, seasons_with_history, trials

TRUSTED_TYPES: Final = [
    "pl_predictor.core.model.MatchForecaster",
    "pl_predictor.core.families.GoalsClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]
"""What skops.io.load must be told to trust, beyond what it trusts by itself."""
RECORD_SEASONS: Final = 8
"""Seasons of trials that the combination is fitted on, the running one among them."""
HALF_LIFE: Final = 8 * 365.25
"""Days after which a match weighs half as much in a fit: the game and its home advantage change."""


class MatchForecaster(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A scikit-learn classifier of results: the families that weigh anything, combined, and pooled with the market.

    X is a feature frame; where its market columns are null or not there, the families speak alone. To fit, it holds
    home_goals and away_goals, too. y holds "H", "D", "A"; classes_ is ["A", "D", "H"], as sorted.
    """

    def __init__(
        self,
        *,
        families: Mapping[str, float] | None = None,
        sharpness: float = 1.0,
        market_weight: float = 1.0,
        draw_multiplier: float = 1.0,
    ) -> None:
        """The fields of a Combination; families: None for the usual weights."""
        self.families = families
        self.sharpness = sharpness
        self.market_weight = market_weight
        self.draw_multiplier = draw_multiplier

    @property
    def combination(self) -> Combination:
        """How the families' forecasts become one."""
        families = USUAL_WEIGHTS if self.families is None else self.families
        return Combination(dict(families), self.sharpness, self.market_weight, self.draw_multiplier)

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: Floats | None = None) -> "MatchForecaster":
        """Fit the families. PredictorError where X lacks a feature, or y one of the three results."""
        labels = np.asarray(y, dtype=object)
        absent = sorted(set(OUTCOMES) - set(labels.tolist()))
        if absent:
            raise PredictorError(
                f"The forecaster learns from home wins, draws and away wins, and among the {len(labels)} results given "
                f"there is no {' and no '.join(absent)}; add matches"
            )
        one_hot(labels)
        self.classes_ = np.unique(labels.astype(str))
        self.feature_names_in_ = np.array(list(FEATURES), dtype=object)
        self.n_features_in_ = len(FEATURES)
        weight = np.ones(len(labels)) if sample_weight is None else sample_weight
        seen = self._checked(X)
        self.families_ = {
            name: fit_family(name, seen, labels.astype(str), weight)
            for name, share in self.combination.families.items()
            if share > 0.0
        }
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """(n, 3), in the order of classes_: away win, draw, home win."""
        p: Floats = self._combined(X)[list(PROBABILITIES)].to_numpy()
        return p[:, ::-1]

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """(n,) of "H", "D", "A", by the decision rule."""
        prediction: NDArray[Any] = self._combined(X)["prediction"].to_numpy().astype(self.classes_.dtype)
        return prediction

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """The forecast frame of a feature frame, with the same index (core.combination.combine)."""
        check_is_fitted(self)
        seen = self._checked(features)
        families = {name: predict_family(family, seen) for name, family in self.families_.items()}
        return combine(features, families, self.combination)

    def _combined(self, X: pd.DataFrame) -> pd.DataFrame:
        """The forecast of features that may come without the match they belong to, and without odds."""
        absent = [name for name in (*KEY, "kickoff", "result", *MARKET) if name not in X.columns]
        return self.forecast(X.assign(**dict.fromkeys(absent, np.nan)))

    def _checked(self, X: pd.DataFrame) -> pd.DataFrame:
        missing = [name for name in FEATURES if name not in X.columns]
        if missing:
            raise PredictorError(
                f"The forecaster needs the features {', '.join(missing)}, which are not there; build the features with "
                "this version, or train a model on those there are"
            )
        return X


@dataclass(frozen=True)
class TrainedForecaster:
    """forecaster: fitted on every result there is. trials: every family's forecasts of the seasons that its combination
    comes from, by what was fitted on the seasons before each. record: the same, combined. matches, first_match,
    last_match: what the forecaster was fitted on."""

    forecaster: MatchForecaster
    trials: pd.DataFrame
    record: pd.DataFrame
    matches: int
    first_match: pd.Timestamp
    last_match: pd.Timestamp


def train(features: pd.DataFrame, *, seasons: int = RECORD_SEASONS) -> TrainedForecaster:
    """Try the families on the last `seasons` seasons, then fit the forecaster on all matches with a result.

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
    record = trials(features, first_season=possible[-seasons:][0], forecast=forecast_families)
    return TrainedForecaster(
        forecaster=fit_forecaster(played, record),
        trials=record,
        record=combined(record),
        matches=len(played),
        first_match=played["kickoff"].min(),
        last_match=played["kickoff"].max(),
    )


def live_forecasts(features: pd.DataFrame, tried: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """What the forecaster, fitted anew every four weeks, would have forecast for the matches of `official` (official
    forecasts with results): forecast frame, to be compared with them. tried: TrainedForecaster.trials.

    It sees the odds that the official forecast saw, and no others: NaN where that was made without any.
    """
    ours = features.merge(official[[*KEY, *MARKET]], on=list(KEY), suffixes=("_later", ""))
    return refitted(ours[features.columns], features, tried, fit_forecaster)


def forecast_round(features: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """The forecasts (forecast frame) of the matches whose odds were collected at `moment`, as they were made then.

    The combination comes from trials on their season and the last one before it that can be tried; the frame may hold
    what came later. ValueError where there is none.
    """
    ours = features[odds_known_from(features["kickoff"]) == moment]
    season = int(ours["season"].min())
    tried = max(earlier for earlier in seasons_with_history(features) if earlier < season)
    record = trials(features, first_season=tried, last_season=season, forecast=forecast_families)
    return fit_at(moment, features, record, fit_forecaster).forecast(ours)


def fit_forecaster(past: pd.DataFrame, record: pd.DataFrame) -> MatchForecaster:
    """The forecaster for what follows `past` (feature frame with results), its combination from the trials `record`, of
    which the last eight seasons count."""
    recent = sorted(set(record["season"]))[-RECORD_SEASONS:]
    forecaster = MatchForecaster(**vars(fit_combination(record[record["season"].isin(recent)])))
    return forecaster.fit(past, past["result"], sample_weight=recency(past["kickoff"]))


def forecast_families(past: pd.DataFrame, season: pd.DataFrame) -> pd.DataFrame:
    """A record: the season's key, kickoff, targets, market, and every family's forecasts when fitted on `past`."""
    record = season[[*KEY, "kickoff", *TARGETS, *MARKET]].copy()
    weight = recency(past["kickoff"])
    for name in FAMILIES:
        record[columns(name)] = predict_family(fit_family(name, past, past["result"], weight), season)
    return record


def combined(record: pd.DataFrame) -> pd.DataFrame:
    """The forecast frame of a record, each season combined as the seasons of the record before it justify."""
    forecasts = []
    for season, rows in record.groupby("season"):
        families = {name: rows[columns(name)].to_numpy(dtype=np.float64) for name in FAMILIES}
        forecasts.append(combine(rows, families, fit_combination(record[record["season"] < season])))
    return pd.concat(forecasts, ignore_index=True)


def recency(kickoff: pd.Series) -> Floats:
    """What each match weighs in a fit: 1 for the last, half as much for one of eight years earlier."""
    age = (kickoff.max() - kickoff).dt.total_seconds().to_numpy() / 86_400.0
    weight: Floats = 0.5 ** (age / HALF_LIFE)
    return weight
