"""Several forecasts to one: the pool, its weights, its sharpness, the market's weight and the decision rule."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from pl_predictor.core.combination import (
    ACCURACY_TOLERANCE,
    DRAW_MULTIPLIERS,
    FORECAST_COLUMNS,
    USUAL,
    Combination,
    anchor,
    columns,
    combine,
    decide,
    fit_combination,
    fit_draw_multiplier,
    fit_market_weight,
    fit_sharpness,
    fit_weights,
    pool,
)
from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import MODEL, PROBABILITIES, classification, confusion, log_loss

Floats = NDArray[np.float64]


def drawn(p: Floats, seed: int = 1) -> NDArray[Any]:
    """Results drawn from (n, 3) probabilities."""
    step = (np.random.default_rng(seed).random((len(p), 1)) > np.cumsum(p, axis=1)[:, :2]).sum(axis=1)
    result: NDArray[Any] = np.array(["H", "D", "A"], dtype=object)[step]
    return result


def forecasts(n: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).dirichlet([4, 3, 3], size=n)


def simulated(n: int, *, truth_is_market: float, seed: int = 1) -> tuple[Floats, Floats, NDArray[Any]]:
    """A model, a market, and results drawn from their pool with the weight `truth_is_market`."""
    model, market = forecasts(n, seed), forecasts(n, seed + 10_000)
    return model, market, drawn(anchor(model, market, truth_is_market), seed)


def recorded(n: int, best: str, priced: int | None = None) -> pd.DataFrame:
    """A record of three families of which one forecasts the truth; the first `priced` rows have odds."""
    record = pd.DataFrame(index=range(n))
    for seed, name in enumerate(("logit", "goals", "boosting")):
        record[columns(name)] = forecasts(n, seed)
    record[list(MARKET)] = forecasts(n, 4)
    record.loc[record.index >= (n if priced is None else priced), list(MARKET)] = np.nan
    record["result"] = drawn(record[columns(best)].to_numpy())
    return record


# --- the pool ------------------------------------------------------------------------------------------------------


def test_the_pool_is_the_weighted_geometric_mean() -> None:
    one, two = forecasts(50, 1), forecasts(50, 2)
    assert_allclose(pool([one, two], [1.0, 0.0]), one, atol=1e-12)
    half = np.sqrt(one * two)
    assert_allclose(pool([one, two], [0.5, 0.5]), half / half.sum(axis=1, keepdims=True), atol=1e-12)


def test_the_market_enters_where_it_is_known() -> None:
    model, market = forecasts(4, 1), forecasts(4, 2)
    market[1] = np.nan
    anchored = anchor(model, market, 1.0)
    assert_array_equal(anchored[1], model[1])
    assert_allclose(anchored[[0, 2, 3]], market[[0, 2, 3]], atol=1e-12)


def test_the_forecast_frame_says_what_it_knew_and_what_it_decided() -> None:
    n = 200
    features = pd.DataFrame({"season": 2020, "home_team": "A", "away_team": "B", "kickoff": pd.NaT}, index=range(n))
    features["result"] = None
    features[list(MARKET)] = forecasts(n, 4)
    features.loc[::2, list(MARKET)] = np.nan
    families = {"logit": forecasts(n, 1), "goals": forecasts(n, 2)}
    frame = combine(features, families, Combination({"logit": 0.7, "goals": 0.3, "boosting": 0.0}, 1.1, 0.8, 2.0))
    assert list(frame.columns) == [*FORECAST_COLUMNS, "result", *MARKET, *MODEL]
    model = pool([families["logit"], families["goals"]], [0.77, 0.33])
    assert_allclose(frame[list(MODEL)], model, atol=1e-12)
    assert_array_equal(frame.loc[::2, list(PROBABILITIES)], frame.loc[::2, list(MODEL)])
    assert_allclose(
        frame.loc[1::2, list(PROBABILITIES)],
        pool([features.loc[1::2, list(MARKET)].to_numpy(), model[1::2]], [0.8, 0.2]),
        atol=1e-12,
    )
    assert frame["information"].tolist() == ["no_odds", "odds"] * (n // 2)
    of_prediction = {"H": frame["p_home"], "D": frame["p_draw"], "A": frame["p_away"]}
    for outcome, p in of_prediction.items():
        told = frame["prediction"] == outcome
        assert_array_equal(frame.loc[told, "confidence"], p[told])
    likeliest = frame[list(PROBABILITIES)].max(axis=1)
    assert (frame["confidence"] < likeliest).any(), "a draw may be told where another result is likelier"


# --- its weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", ["logit", "goals", "boosting"])
def test_many_forecasts_find_the_family_that_is_right(best: str) -> None:
    found = fit_combination(recorded(20_000, best))
    assert found.families[best] > 0.9
    assert sum(found.families.values()) == pytest.approx(1.0)
    assert found.sharpness == pytest.approx(1.0, abs=0.05)


def test_a_family_that_guesses_wildly_weighs_next_to_nothing() -> None:
    harmful = recorded(4_000, "logit")
    harmful[columns("goals")] = harmful[columns("logit")].to_numpy()
    harmful[columns("boosting")] = np.random.default_rng(9).dirichlet([0.5, 0.5, 0.5], size=4_000).clip(1e-6)
    assert fit_combination(harmful).families["boosting"] < 0.03


@pytest.mark.parametrize(("n", "usual"), [(0, True), (99, True), (100, False)])
def test_without_a_hundred_forecasts_the_combination_is_the_usual_one(n: int, usual: bool) -> None:
    assert (fit_combination(recorded(n, "boosting")) == USUAL) == usual


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), truth=st.floats(0.0, 1.0))
def test_no_other_weights_have_a_smaller_penalised_loss(seed: int, truth: float) -> None:
    model, market, result = simulated(400, truth_is_market=truth, seed=seed)

    def loss(weight: float) -> float:
        total = log_loss(pool([market, model], [weight, 1.0 - weight]), result).sum()
        return float(total + 2 * (1.0 - weight) ** 2 / (2 * 0.1**2))

    fitted = fit_weights([market, model], result, usual=[1.0, 0.0])
    assert sum(fitted) == pytest.approx(1.0)
    assert loss(fitted[0]) <= min(loss(weight) for weight in np.linspace(0, 1, 101)) + 1e-4


@pytest.mark.parametrize("truth", [0.0, 0.3, 0.7, 1.0])
def test_many_matches_find_the_weight_of_the_market_that_made_them(truth: float) -> None:
    assert fit_market_weight(*simulated(20_000, truth_is_market=truth)) == pytest.approx(truth, abs=0.06)


def test_under_a_hundred_matches_with_odds_the_market_is_believed() -> None:
    model, market, result = simulated(500, truth_is_market=0.0)
    market[99:] = np.nan
    assert fit_market_weight(model, market, result) == 1.0
    market[99] = market[0]
    assert fit_market_weight(model, market, result) < 1.0


def test_the_fewer_the_matches_the_nearer_to_the_market() -> None:
    weights = [fit_market_weight(*simulated(n, truth_is_market=0.0, seed=2)) for n in (100, 400, 1600, 6400)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0.6
    assert weights[-1] < 0.15


# --- calibration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.8, 1.0, 1.25])
def test_many_forecasts_find_the_power_that_calibrates_them(power: float) -> None:
    p = forecasts(30_000)
    assert fit_sharpness(p, drawn(pool([p], [power]))) == pytest.approx(power, abs=0.04)


def test_few_forecasts_are_left_nearly_as_they_are() -> None:
    p = forecasts(100)
    certain = np.array(["H", "D", "A"], dtype=object)[np.argmax(p, axis=1)]
    assert 1.0 < fit_sharpness(p, certain) < 1.2


# --- the decision rule ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "multiplier", "prediction"),
    [
        ((0.40, 0.32, 0.28), 1.0, "H"),
        ((0.40, 0.32, 0.28), 1.3, "D"),
        ((0.28, 0.32, 0.40), 1.2, "A"),
        ((0.40, 0.20, 0.40), 1.0, "H"),
    ],
)
def test_the_draw_is_predicted_where_its_weighted_probability_is_largest(
    p: tuple[float, ...], multiplier: float, prediction: str
) -> None:
    assert decide(np.array([p]), multiplier).tolist() == [prediction]


@settings(max_examples=25)
@given(seed=st.integers(0, 1000))
def test_the_multiplier_is_the_best_of_those_that_cost_hardly_any_accuracy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([6, 4, 5], size=400)
    result = np.array(["H", "D", "A"], dtype=object)[rng.choice(3, size=400, p=[0.45, 0.25, 0.30])]
    fitted = fit_draw_multiplier(p, result)
    scores = {m: classification(confusion(decide(p, m), result).sum(axis=0)) for m in DRAW_MULTIPLIERS}
    assert fitted in scores
    least = scores[1.0]["accuracy"] - ACCURACY_TOLERANCE
    assert scores[fitted]["accuracy"] >= least
    for m, score in scores.items():
        better = score["f1_weighted"] > scores[fitted]["f1_weighted"]
        equal_and_smaller = score["f1_weighted"] == scores[fitted]["f1_weighted"] and m < fitted
        assert not (score["accuracy"] >= least and (better or equal_and_smaller))


def test_under_three_hundred_forecasts_the_likeliest_is_predicted() -> None:
    # Draws that are always just missed: any multiplier of 1.05 and more turns them all into hits.
    p, result = np.tile([0.35, 0.34, 0.31], (300, 1)), np.full(300, "D", dtype=object)
    assert fit_draw_multiplier(p[:299], result[:299]) == 1.0
    assert fit_draw_multiplier(p, result) == 1.05
