"""The forecaster, and what it was trained on."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

from pl_predictor.core.backtest import backtest
from pl_predictor.core.combination import FORECAST_COLUMNS, Combination, fit_combination, pool
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.families import fit_family, predict_family
from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.matches import PRE_MATCH_ODDS
from pl_predictor.core.model import (
    TRUSTED_TYPES,
    MatchForecaster,
    combined,
    fit_forecaster,
    forecast_families,
    recency,
    train,
)
from pl_predictor.core.scoring import MODEL, PROBABILITIES, scorecard
from pl_predictor.core.walk_forward import trials
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=7)
BUILT = build(MATCHES)
UNPRICED = BUILT.assign(**dict.fromkeys(MARKET, np.nan))
MIXED = {"logit": 0.5, "goals": 0.3, "boosting": 0.2}
FITTED = MatchForecaster(families=MIXED, market_weight=0.8, draw_multiplier=2.0).fit(BUILT, BUILT["result"])
TRAINED = train(BUILT)
RECORD = trials(BUILT, first_season=2012, forecast=forecast_families)


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


def test_where_there_are_no_odds_the_families_speak_alone() -> None:
    alone = pool(
        [predict_family(fit_family(name, BUILT, BUILT["result"], np.ones(len(BUILT))), BUILT) for name in MIXED],
        list(MIXED.values()),
    )
    assert_array_equal(FITTED.predict_proba(UNPRICED), alone[:, ::-1])
    assert_array_equal(FITTED.predict_proba(BUILT[list(FEATURES)]), alone[:, ::-1])


def test_a_family_that_weighs_nothing_is_not_fitted() -> None:
    usual = MatchForecaster().fit(BUILT, BUILT["result"])
    assert list(usual.families_) == ["logit", "goals"]
    assert list(FITTED.families_) == list(MIXED)


def test_a_row_is_forecast_the_same_alone_and_among_others() -> None:
    some = BUILT.assign(**{name: BUILT[name].where(BUILT.index % 2 == 0) for name in MARKET})
    together = FITTED.forecast(some)
    for row in (10, 11):
        assert_frame_equal(FITTED.forecast(some.loc[[row]]), together.loc[[row]], rtol=1e-12)
    assert together["information"].value_counts().to_dict() == {"odds": 315, "no_odds": 315}


def test_two_fits_give_the_same_bits() -> None:
    one, two = (fit_forecaster(BUILT, RECORD).predict_proba(BUILT) for _ in range(2))
    assert_array_equal(one, two)


def test_a_stored_forecaster_forecasts_the_same() -> None:
    stored = skops.io.dumps(FITTED)
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(stored, trusted=TRUSTED_TYPES)
    assert_frame_equal(loaded.forecast(BUILT), FITTED.forecast(BUILT), check_exact=True)
    assert loaded.combination == Combination(MIXED, 1.0, 0.8, 2.0)


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(PredictorError, match="features home_form, which are not there"):
        FITTED.predict_proba(BUILT.drop(columns="home_form"))


@pytest.mark.parametrize(("only", "absent"), [("HA", "no D"), ("H", "no A and no D")])
def test_results_of_all_three_kinds_are_needed(only: str, absent: str) -> None:
    some = BUILT[BUILT["result"].isin(list(only))]
    with pytest.raises(PredictorError, match=f"there is {absent}; add matches"):
        MatchForecaster().fit(some, some["result"])


def test_a_missing_result_is_not_learnt_from() -> None:
    with pytest.raises(ValueError, match="H, D, A"):
        MatchForecaster().fit(BUILT, BUILT["result"].where(BUILT.index != 3, None))


def test_the_forecast_of_nothing_is_an_empty_frame() -> None:
    assert FITTED.forecast(BUILT.iloc[:0]).columns.equals(FITTED.forecast(BUILT).columns)
    assert FITTED.forecast(BUILT.iloc[:0]).empty


# --- training ------------------------------------------------------------------------------------------------------


def test_training_says_what_it_saw_and_fits_on_all_of_it() -> None:
    unplayed = MATCHES["kickoff"] > MATCHES["kickoff"].iloc[600]
    features = build(fixtures_only(MATCHES, unplayed))
    played = features[features["result"].notna()]
    trained = train(features)
    assert trained.matches == len(played)
    assert trained.first_match == played["kickoff"].min()
    assert trained.last_match == played["kickoff"].max()
    record = trials(features, first_season=2012, forecast=forecast_families)
    assert_frame_equal(
        trained.forecaster.forecast(features), fit_forecaster(played, record).forecast(features), check_exact=True
    )


def test_a_match_of_eight_years_earlier_weighs_half_as_much() -> None:
    kickoff = pd.Series(pd.to_datetime(["2010-05-01", "2018-05-01", "2002-05-01"], utc=True))
    assert_allclose(recency(kickoff), [0.5, 1.0, 0.25], atol=1e-4)


def test_the_record_covers_the_last_seasons_that_have_history() -> None:
    assert sorted(set(TRAINED.record["season"])) == [2012, 2013, 2014, 2015, 2016]
    assert sorted(set(train(BUILT, seasons=2).record["season"])) == [2015, 2016]


def test_the_record_knows_no_result_of_its_own_season_or_later() -> None:
    """Neither in its probabilities nor in its combination: other results from 2015 on change nothing before 2016."""
    later = BUILT["season"] >= 2015
    swapped = BUILT["result"].map({"H": "A", "A": "D", "D": "H"})
    changed = BUILT.assign(result=BUILT["result"].where(~later, swapped))
    changed.loc[later, ["home_goals", "away_goals"]] = [[1, 1]]
    columns = [*FORECAST_COLUMNS, *MODEL]
    one, two = TRAINED.record, train(changed).record
    same = one["season"] <= 2015
    assert_frame_equal(one.loc[same, columns], two.loc[same, columns], check_exact=True)
    assert not one.loc[~same, columns].equals(two.loc[~same, columns])


def test_the_combination_comes_from_the_record() -> None:
    assert TRAINED.forecaster.combination == fit_combination(RECORD)
    assert_frame_equal(TRAINED.record, combined(RECORD), check_exact=True)


@pytest.mark.parametrize(("seasons", "found"), [(0, "0 results of 0"), (1, "90 results of 1"), (2, "180 results of 2")])
def test_too_little_history_is_refused_in_a_sentence(seasons: int, found: str) -> None:
    with pytest.raises(PredictorError, match=f"there are {found} season"):
        train(BUILT[BUILT["season"] < 2010 + seasons])


def test_the_forecaster_beats_past_frequencies_and_not_the_bookmaker_who_knows_the_truth() -> None:
    priced, unpriced = (
        {score.metric: score.value for score in scorecard(backtest(frame, first_season=2012, last_season=2016))}
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
    train(BUILT, seasons=1)
    pd.testing.assert_frame_equal(BUILT, before, check_exact=True)
