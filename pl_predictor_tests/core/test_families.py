"""The families of models: each a scikit-learn classifier, fitted on features alone."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier

from pl_predictor.core.families import FAMILIES, STRENGTHS, GoalsClassifier, fit_family, predict_family
from pl_predictor.core.features import FEATURES, build
from pl_predictor.core.scoring import log_loss
from pl_predictor_tests.core.league import league

BUILT = build(league(seasons=8))
PAST, NEXT = BUILT[BUILT["season"] < 2017], BUILT[BUILT["season"] == 2017]
EQUAL = np.ones(len(PAST))
FITTED = {name: fit_family(name, PAST, PAST["result"], EQUAL) for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_keeps_the_conventions_of_scikit_learn(name: str) -> None:
    assert is_classifier(FAMILIES[name]())
    assert FITTED[name].classes_.tolist() == ["A", "D", "H"]
    again = clone(FITTED[name])
    assert again.get_params().keys() == FITTED[name].get_params().keys()
    assert_allclose(FITTED[name].predict_proba(NEXT).sum(axis=1), 1.0, atol=1e-12)
    assert_array_equal(FITTED[name].predict_proba(NEXT)[:, ::-1], predict_family(FITTED[name], NEXT))
    assert predict_family(FITTED[name], NEXT.iloc[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_beats_past_frequencies(name: str) -> None:
    frequencies = PAST["result"].value_counts(normalize=True)[["H", "D", "A"]].to_numpy()
    result = NEXT["result"].to_numpy()
    own = log_loss(predict_family(FITTED[name], NEXT), result).mean()
    assert own < log_loss(np.tile(frequencies, (len(NEXT), 1)), result).mean() - 0.05


@pytest.mark.parametrize("name", FAMILIES)
def test_a_match_that_weighs_nothing_is_not_learnt_from(name: str) -> None:
    weight = np.where(PAST["season"] >= 2012, 1.0, 0.0)
    late = PAST[PAST["season"] >= 2012].copy()
    early = PAST[PAST["season"] < 2012].copy()
    early["result"] = early["result"].map({"H": "A", "D": "H", "A": "D"})
    early[["home_goals", "away_goals"]] = early[["away_goals", "home_goals"]].to_numpy()
    changed = pd.concat([early, late])
    one, two = (predict_family(fit_family(name, past, past["result"], weight), NEXT) for past in (PAST, changed))
    assert_allclose(one, two, atol=1e-9)


@pytest.mark.parametrize(("name", "read"), [("logit", (*STRENGTHS, "expected_goals_gap")), ("goals", STRENGTHS)])
def test_a_linear_family_reads_the_strengths_only(name: str, read: tuple[str, ...]) -> None:
    assert_array_equal(predict_family(FITTED[name], NEXT[list(read)]), predict_family(FITTED[name], NEXT))
    assert set(read) < set(FEATURES)


def test_the_goals_model_is_the_sum_over_all_scores() -> None:
    """By the definition of Dixon and Coles, score by score."""
    model: GoalsClassifier = FITTED["goals"]
    rows = NEXT.iloc[:5]
    for p, mean_home, mean_away in zip(
        predict_family(model, rows), model.home_.predict(rows), model.away_.predict(rows), strict=True
    ):
        expected = dict.fromkeys("HDA", 0.0)
        home = away = 1.0
        for x in range(16):
            home = np.exp(-mean_home) * mean_home**x / np.prod(np.arange(1, x + 1, dtype=np.float64))
            for y in range(16):
                away = np.exp(-mean_away) * mean_away**y / np.prod(np.arange(1, y + 1, dtype=np.float64))
                tau = {
                    (0, 0): 1 - mean_home * mean_away * model.rho_,
                    (0, 1): 1 + mean_home * model.rho_,
                    (1, 0): 1 + mean_away * model.rho_,
                    (1, 1): 1 - model.rho_,
                }.get((x, y), 1.0)
                expected["H" if x > y else "D" if x == y else "A"] += tau * home * away
        assert_allclose(p, list(expected.values()), atol=1e-8)


@pytest.mark.parametrize("rho", [-0.15, 0.0, 0.1])
def test_the_goals_model_finds_the_correction_of_low_scores(rho: float) -> None:
    """Results drawn from the model itself with another rho."""
    rows = pd.concat([PAST] * 20, ignore_index=True)
    model = GoalsClassifier().fit(PAST, PAST["result"])
    model.rho_ = rho
    steps = np.cumsum(predict_family(model, rows), axis=1)
    drawn = (np.random.default_rng(5).random((len(rows), 1)) > steps[:, :2]).sum(axis=1)
    result = np.array(["H", "D", "A"], dtype=object)[drawn]
    # The goals stay what they were, and so do the regressions.
    assert GoalsClassifier().fit(rows, result).rho_ == pytest.approx(rho, abs=0.05)
