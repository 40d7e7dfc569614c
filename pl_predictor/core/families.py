"""The families of models that forecast from features alone, behind scikit-learn's interface for classifiers.

Here: what each family is and how it is fitted: `fit(X, y, sample_weight)` and `predict_proba(X)`, X a feature frame, y
of "H", "D", "A", classes_ sorted: A, D, H. Not here: how their forecasts are combined, with each other and with the
market (core/combination.py); what they are fitted on and when (core/model.py, core/walk_forward.py).
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import poisson
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from pl_predictor.core.features import FEATURES
from pl_predictor.core.scoring import Floats, log_loss

STRENGTHS: Final = (
    *("elo_difference", "log_expected_home_goals", "log_expected_away_goals"),
    *("pi_goal_difference", "promoted_difference"),
)
"""What the linear families read. With form and days of rest beside them the walk-forward of 2003/04 to 2011/12 was
worse: the strengths know what form tells, and the rest is noise."""
LOGIT_REGULARISATION: Final = 0.1
GOALS_REGULARISATION: Final = 1e-3
BOOSTING: Final = {
    **{"max_iter": 30, "learning_rate": 0.1, "max_depth": 2, "min_samples_leaf": 100, "l2_regularization": 10.0},
    **{"max_bins": 32, "early_stopping": False},
}
MOST_GOALS: Final = 15
"""Of one side, in the table of scores; what lies beyond is spread over it."""


class GoalsClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Results from goals: two Poisson regressions, and Dixon and Coles' correction of the low scores.

    P(x, y) = Poisson(x; l) Poisson(y; m) tau(x, y), where tau shifts probability between 0-0, 1-1 and 1-0, 0-1 by rho.
    Here l and m are regressions on features and not one parameter a team. Source: Dixon and Coles (1997), Applied
    Statistics 46(2), whose down-weighting of old matches is `sample_weight`.

    fit reads home_goals and away_goals, too, from the feature frame; predict_proba does not.
    """

    def __init__(self, *, regularisation: float = GOALS_REGULARISATION) -> None:
        """regularisation: alpha of scikit-learn's PoissonRegressor."""
        self.regularisation = regularisation

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: Floats | None = None) -> "GoalsClassifier":
        """Fit both regressions, then rho, which has the least log loss of the results."""
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        self.home_, self.away_ = (
            self._regression().fit(X, X[name], poissonregressor__sample_weight=weight)
            for name in ("home_goals", "away_goals")
        )
        self.classes_ = np.unique(np.asarray(y).astype(str))
        result, corrected = np.asarray(y, dtype=object), self._corrected(X)

        def loss(rho: float) -> float:
            return float(weight @ log_loss(corrected(rho), result))

        self.rho_ = float(minimize_scalar(loss, bounds=(-0.3, 0.2), method="bounded", options={"xatol": 1e-6}).x)
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """(n, 3), in the order of classes_: away win, draw, home win."""
        check_is_fitted(self)
        return self._corrected(X)(self.rho_)[:, ::-1]

    def _regression(self) -> Pipeline:
        return make_pipeline(
            _columns(STRENGTHS), PoissonRegressor(alpha=self.regularisation, solver="newton-cholesky", max_iter=500)
        )

    def _corrected(self, X: pd.DataFrame) -> Callable[[float], Floats]:
        """H, D, A as a function of rho, which counts as far as each score's probability allows.

        With each unit of rho, tau moves the same l m exp(-l - m) into 1-0, into 0-1, out of 0-0 and out of 1-1.
        """
        home, away = self.home_.predict(X)[:, None], self.away_.predict(X)[:, None]
        goals = np.arange(MOST_GOALS + 1)
        one, two = poisson.pmf(goals, home), poisson.pmf(goals, away)
        fewer = np.cumsum(two, axis=1) - two
        p = np.column_stack([(one * fewer).sum(1), (one * two).sum(1), (two * (np.cumsum(one, axis=1) - one)).sum(1)])
        p /= p.sum(axis=1, keepdims=True)
        moved = home * away * np.exp(-home - away) * np.array([1.0, -2.0, 1.0])
        least, most = -1.0 / np.maximum(home, away), np.minimum(1.0, 1.0 / (home * away))
        return lambda rho: p + np.clip(rho, least, most) * moved


def _columns(names: tuple[str, ...]) -> ColumnTransformer:
    """These features, standardised, of a feature frame."""
    return ColumnTransformer([("features", StandardScaler(), list(names))])


def logit() -> Pipeline:
    """A multinomial logit; the gap lets it see that a draw is rarer the further apart the teams are."""
    return make_pipeline(
        _columns((*STRENGTHS, "expected_goals_gap")),
        LogisticRegression(C=LOGIT_REGULARISATION, solver="newton-cholesky", max_iter=1000, tol=1e-8),
    )


def boosting() -> Pipeline:
    """Gradient boosting of shallow trees on all features: what the linear families cannot see, if there is any."""
    trees = HistGradientBoostingClassifier(**BOOSTING)
    return make_pipeline(ColumnTransformer([("features", "passthrough", list(FEATURES))]), trees)


FAMILIES: Final[dict[str, Callable[[], Any]]] = {"logit": logit, "goals": GoalsClassifier, "boosting": boosting}
"""Each family by name: what makes an estimator of it that is not fitted yet."""


def fit_family(name: str, X: pd.DataFrame, y: Any, sample_weight: Floats) -> Any:
    """An estimator of that family, fitted."""
    estimator = FAMILIES[name]()
    # One thread: these fits are so small that threads which wait for each other cost more than they help.
    with threadpool_limits(1, user_api="openmp"):
        if isinstance(estimator, Pipeline):
            return estimator.fit(X, y, **{f"{estimator.steps[-1][0]}__sample_weight": sample_weight})
        return estimator.fit(X, y, sample_weight=sample_weight)


def predict_family(estimator: Any, X: pd.DataFrame) -> Floats:
    """(n, 3) probabilities of H, D, A by a fitted estimator of any family."""
    if X.empty:
        return np.empty((0, 3))
    with threadpool_limits(1, user_api="openmp"):
        away_draw_home: Floats = estimator.predict_proba(X)
    return away_draw_home[:, ::-1]
