"""The forecaster, its two weights, and what it was trained on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.matches import PRE_MATCH_ODDS
from pl_predictor.core.model import (
    ACCURACY_TOLERANCE,
    DRAW_MULTIPLIERS,
    FORECAST_COLUMNS,
    MODEL,
    TRUSTED_TYPES,
    MatchForecaster,
    decide,
    fit_draw_multiplier,
    fit_forecaster,
    fit_market_weight,
    pool,
    train,
)
from pl_predictor.core.scoring import PROBABILITIES, classification, confusion, scorecard
from pl_predictor.core.walk_forward import walk_forward
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=7)
BUILT = build(MATCHES)
UNPRICED = BUILT.assign(**dict.fromkeys(MARKET, np.nan))
FITTED = MatchForecaster(market_weight=0.8, draw_multiplier=2.0).fit(BUILT, BUILT["result"])
Floats = NDArray[np.float64]


def simulated(n: int, *, truth_is_market: float, seed: int = 1) -> tuple[Floats, Floats, NDArray[Any]]:
    """A model, a market, and results drawn from their pool with the weight `truth_is_market`."""
    rng = np.random.default_rng(seed)
    model, market = rng.dirichlet([4, 3, 3], size=n), rng.dirichlet([4, 3, 3], size=n)
    steps = np.cumsum(pool(model, market, truth_is_market), axis=1)
    result = np.array(["H", "D", "A"], dtype=object)[(rng.random((n, 1)) > steps[:, :2]).sum(axis=1)]
    return model, market, result


# --- the classifier ------------------------------------------------------------------------------------------------


def test_it_keeps_the_conventions_of_scikit_learn() -> None:
    assert is_classifier(FITTED)
    assert FITTED.classes_.tolist() == ["A", "D", "H"]
    assert FITTED.n_features_in_ == len(FEATURES)
    again = clone(FITTED)
    assert again.get_params() == FITTED.get_params()
    assert again.set_params(draw_multiplier=1.0).draw_multiplier == 1.0
    with pytest.raises(NotFittedError):
        again.predict_proba(BUILT)


def test_probabilities_come_in_the_order_of_the_classes() -> None:
    forecast, proba = FITTED.forecast(BUILT), FITTED.predict_proba(BUILT)
    assert_array_equal(proba, forecast[["p_away", "p_draw", "p_home"]])
    assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert_array_equal(FITTED.predict(BUILT), forecast["prediction"].astype(str))


def test_where_there_are_no_odds_the_logit_speaks_alone() -> None:
    alone = FITTED.logit_.predict_proba(BUILT[list(FEATURES)].to_numpy())
    assert_array_equal(FITTED.predict_proba(UNPRICED), alone)
    assert_array_equal(FITTED.predict_proba(BUILT.drop(columns=list(MARKET))), alone)
    assert_array_equal(FITTED.predict_proba(BUILT[list(FEATURES)].to_numpy()), alone)


def test_a_row_is_forecast_the_same_alone_and_among_others() -> None:
    some = BUILT.assign(**{name: BUILT[name].where(BUILT.index % 2 == 0) for name in MARKET})
    together = FITTED.forecast(some)
    for row in (10, 11):
        assert_frame_equal(FITTED.forecast(some.loc[[row]]), together.loc[[row]], rtol=1e-12)
    assert together["information"].value_counts().to_dict() == {"odds": 315, "no_odds": 315}


def test_two_fits_give_the_same_bits() -> None:
    one, two = (fit_forecaster(BUILT, train(BUILT).record).predict_proba(BUILT) for _ in range(2))
    assert_array_equal(one, two)


def test_a_stored_forecaster_forecasts_the_same() -> None:
    stored = skops.io.dumps(FITTED)
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(stored, trusted=TRUSTED_TYPES)
    assert_frame_equal(loaded.forecast(BUILT), FITTED.forecast(BUILT), check_exact=True)
    assert (loaded.market_weight_, loaded.draw_multiplier_) == (0.8, 2.0)


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(PredictorError, match="features home_form, which are not there"):
        FITTED.predict_proba(BUILT.drop(columns="home_form"))


def test_a_forecaster_may_use_some_features_only() -> None:
    elo = MatchForecaster(feature_names=("elo_difference",)).fit(BUILT, BUILT["result"])
    assert_array_equal(elo.predict_proba(BUILT), elo.predict_proba(BUILT[["elo_difference", *MARKET]]))


@pytest.mark.parametrize(("only", "absent"), [("HA", "no D"), ("H", "no A and no D")])
def test_results_of_all_three_kinds_are_needed(only: str, absent: str) -> None:
    some = BUILT[BUILT["result"].isin(list(only))]
    with pytest.raises(PredictorError, match=f"there is {absent}; add matches"):
        MatchForecaster().fit(some, some["result"])


def test_a_missing_result_is_not_learnt_from() -> None:
    with pytest.raises(ValueError, match="H, D, A"):
        MatchForecaster().fit(BUILT, BUILT["result"].where(BUILT.index != 3, None))


# --- the forecast frame --------------------------------------------------------------------------------------------


def test_the_forecast_frame_says_what_it_knew_and_what_it_decided() -> None:
    upcoming = build(fixtures_only(MATCHES, MATCHES["season"] == 2016)).loc[lambda f: f["season"] == 2016]
    frame = FITTED.forecast(upcoming)
    assert list(frame.columns) == [*FORECAST_COLUMNS, "result", *MARKET, *MODEL]
    assert frame.index.equals(upcoming.index)
    assert frame["result"].isna().all()
    of_prediction = {"H": frame["p_home"], "D": frame["p_draw"], "A": frame["p_away"]}
    for outcome, p in of_prediction.items():
        told = frame["prediction"] == outcome
        assert_array_equal(frame.loc[told, "confidence"], p[told])
    likeliest = frame[list(PROBABILITIES)].max(axis=1)
    assert (frame["confidence"] < likeliest).any(), "a draw may be told where another result is likelier"
    assert set(frame["information"]) == {"odds"}
    assert set(FITTED.forecast(UNPRICED)["information"]) == {"no_odds"}


def test_the_forecast_of_nothing_is_an_empty_frame() -> None:
    assert FITTED.forecast(BUILT.iloc[:0]).columns.equals(FITTED.forecast(BUILT).columns)
    assert FITTED.forecast(BUILT.iloc[:0]).empty


# --- the pool and its weight ---------------------------------------------------------------------------------------


def test_the_pool_ends_at_the_model_and_at_the_market() -> None:
    model, market, _ = simulated(50, truth_is_market=1.0)
    assert_allclose(pool(model, market, 0.0), model, atol=1e-12)
    assert_allclose(pool(model, market, 1.0), market, atol=1e-12)
    half = np.sqrt(model * market)
    assert_allclose(pool(model, market, 0.5), half / half.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("truth", [0.0, 0.3, 0.7, 1.0])
def test_many_matches_find_the_weight_that_made_them(truth: float) -> None:
    assert fit_market_weight(*simulated(20_000, truth_is_market=truth)) == pytest.approx(truth, abs=0.05)


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
    assert weights[-1] < 0.1


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), truth=st.floats(0.0, 1.0))
def test_no_other_weight_has_a_smaller_penalised_loss(seed: int, truth: float) -> None:
    model, market, result = simulated(400, truth_is_market=truth, seed=seed)

    def loss(weight: float) -> float:
        hit = (result[:, None] == np.array(["H", "D", "A"], dtype=object)) * pool(model, market, weight)
        return float(-np.log(hit.sum(axis=1)).sum() + (1.0 - weight) ** 2 / 0.02)

    fitted = fit_market_weight(model, market, result)
    assert loss(fitted) <= min(loss(weight) for weight in np.linspace(0, 1, 101)) + 1e-9


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


# --- training ------------------------------------------------------------------------------------------------------


def test_training_says_what_it_saw_and_fits_on_all_of_it() -> None:
    unplayed = MATCHES["kickoff"] > MATCHES["kickoff"].iloc[600]
    features = build(fixtures_only(MATCHES, unplayed))
    played = features[features["result"].notna()]
    trained = train(features)
    assert trained.matches == len(played)
    assert trained.first_match == played["kickoff"].min()
    assert trained.last_match == played["kickoff"].max()
    assert_frame_equal(
        trained.forecaster.forecast(features),
        fit_forecaster(played, trained.record).forecast(features),
        check_exact=True,
    )


def test_the_record_covers_the_last_seasons_that_have_history() -> None:
    assert sorted(set(train(BUILT).record["season"])) == [2012, 2013, 2014, 2015, 2016]
    assert sorted(set(train(BUILT, seasons=2).record["season"])) == [2015, 2016]


def test_the_record_knows_no_result_of_its_own_season_or_later() -> None:
    """Neither in its probabilities nor in its weights: other results from 2015 on change nothing of 2014 and before."""
    later = BUILT["season"] >= 2015
    swapped = BUILT["result"].map({"H": "A", "A": "D", "D": "H"})
    changed = BUILT.assign(result=BUILT["result"].where(~later, swapped))
    columns = [*FORECAST_COLUMNS, *MODEL]
    one, two = (train(frame).record for frame in (BUILT, changed))
    same = one["season"] <= 2015
    assert_frame_equal(one.loc[same, columns], two.loc[same, columns], check_exact=True)
    assert not one.loc[~same, columns].equals(two.loc[~same, columns])


def test_the_weights_come_from_the_record() -> None:
    trained = train(BUILT)
    model, market = trained.record[list(MODEL)].to_numpy(), trained.record[list(MARKET)].to_numpy()
    result = trained.record["result"].to_numpy()
    weight = fit_market_weight(model, market, result)
    assert trained.forecaster.market_weight_ == weight
    assert trained.forecaster.draw_multiplier_ == fit_draw_multiplier(pool(model, market, weight), result)


@pytest.mark.parametrize(("seasons", "found"), [(0, "0 results of 0"), (1, "90 results of 1"), (2, "180 results of 2")])
def test_too_little_history_is_refused_in_a_sentence(seasons: int, found: str) -> None:
    with pytest.raises(PredictorError, match=f"there are {found} season"):
        train(BUILT[BUILT["season"] < 2010 + seasons])


def test_the_forecaster_beats_past_frequencies_and_not_the_bookmaker_who_knows_the_truth() -> None:
    priced, unpriced = (
        {score.metric: score.value for score in scorecard(walk_forward(frame, first_season=2012, fit=fit_forecaster))}
        for frame in (BUILT, UNPRICED)
    )
    frequencies = MATCHES["result"].value_counts(normalize=True)
    climate = float(-(frequencies * np.log(frequencies)).sum())
    assert priced["log_loss_market"] < unpriced["log_loss"] < climate - 0.05
    assert abs(priced["rps_skill"]) < 0.01


def test_pre_match_odds_reach_a_forecast_through_the_market_only() -> None:
    cheaper = MATCHES.copy()
    cheaper[list(PRE_MATCH_ODDS)] *= 1.02
    one, two = (FITTED.forecast(build(frame)) for frame in (MATCHES, cheaper))
    assert_array_equal(one[list(MODEL)], two[list(MODEL)])
    assert not np.array_equal(one[list(PROBABILITIES)], two[list(PROBABILITIES)])


def test_training_does_not_change_its_input() -> None:
    before = BUILT.copy()
    train(BUILT)
    pd.testing.assert_frame_equal(BUILT, before, check_exact=True)
