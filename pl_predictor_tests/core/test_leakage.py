"""The guard against leaks: it is silent about the real computation, and catches every kind that was planted."""

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer

from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.leakage import Build, Forecast, feature_leaks, forecast_leaks, rounds_to_look_at, scramble
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import (
    CLOSING_ODDS,
    KEY,
    MATCH_COLUMNS,
    MAX_ODDS,
    PRE_MATCH_ODDS,
    STATISTICS,
    UK,
    match_day,
    odds_known_from,
    result_known_from,
)
from pl_predictor.core.model import fit_forecaster, forecast_families, forecast_round
from pl_predictor.core.walk_forward import fit_at
from pl_predictor_tests.core.league import fixtures_only, league


def dates_only(matches: pd.DataFrame) -> pd.DataFrame:
    """As before 2019: every kick-off is its day's first moment."""
    day = match_day(matches["kickoff"]).dt.tz_localize(UK).dt.tz_convert("UTC")
    return matches.assign(kickoff=day, kickoff_time_known=False)


MATCHES = dates_only(league(seasons=6))
MATCHES = MATCHES.assign(**dict(zip(CLOSING_ODDS, (MATCHES[name] * 1.01 for name in PRE_MATCH_ODDS), strict=True)))
BELOW = league(seasons=6, seed=3).replace({"Team": "Lower", "Promoted": "Lower"}, regex=True)
BUILT = build(MATCHES, BELOW)
ROUNDS = sorted(set(odds_known_from(MATCHES.loc[MATCHES["season"] >= 2013, "kickoff"])))
MOMENT = ROUNDS[-5]


def test_another_future_changes_every_cell_that_was_not_known_and_no_other() -> None:
    other = scramble(MATCHES, MOMENT)
    unplayed, unpriced = result_known_from(MATCHES["kickoff"]) > MOMENT, odds_known_from(MATCHES["kickoff"]) > MOMENT
    everything, nothing = unplayed | True, unplayed & False
    fixed = (*KEY, "kickoff", "kickoff_time_known")
    kinds = (
        (unplayed, ("home_goals", "away_goals", "result", *STATISTICS)),
        (unpriced, (*PRE_MATCH_ODDS, *MAX_ODDS, "odds_source")),
        (everything, (*CLOSING_ODDS, "closing_source")),
        (nothing, fixed),
    )
    assert sorted(name for _, names in kinds for name in names) == sorted(MATCH_COLUMNS)
    for hidden, names in kinds:
        for name in names:
            both_null = other[name].isna() & MATCHES[name].isna()
            same = (other[name] == MATCHES[name]).fillna(False) | both_null
            assert (~same).tolist() == hidden.tolist(), name
    margin = MATCHES["home_goals"] - MATCHES["away_goals"]
    assert (other["home_goals"] - other["away_goals"] != margin).tolist() == unplayed.tolist()


@settings(max_examples=10)
@given(moment=st.sampled_from(ROUNDS))
def test_the_real_computation_knows_no_future(moment: datetime) -> None:
    leaks, rebuilt = feature_leaks(BUILT, MATCHES, BELOW, moment)
    assert not leaks
    later = odds_known_from(BUILT["kickoff"]) > moment
    if later.any():
        assert not rebuilt.loc[later, list(FEATURES)].equals(BUILT.loc[later, list(FEATURES)]), "another future"


def test_real_forecasts_know_no_future() -> None:
    _, rebuilt = feature_leaks(BUILT, MATCHES, BELOW, MOMENT)
    assert not forecast_leaks(BUILT, rebuilt, MOMENT, forecast=forecast_round)


def own_shots(matches: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    return build(matches, below).assign(home_form=matches["home_shots_on_target"].to_numpy(dtype="float64"))


def closing_odds(matches: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    built = build(matches, below)
    built[list(MARKET)] = implied_probabilities(matches[list(CLOSING_ODDS)].to_numpy(dtype="float64"))
    return built


def order_within_a_day(matches: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    goals = matches["home_goals"].astype("float64")
    before = goals.groupby(match_day(matches["kickoff"])).cumsum() - goals
    return build(matches, below).assign(away_form=before)


def day_after_the_odds(matches: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """Every result of an earlier day, as a Sunday's match may know of Saturday; its odds are of Friday."""
    by_day = matches["home_goals"].astype("float64").groupby(match_day(matches["kickoff"])).sum()
    before = (by_day.cumsum() - by_day).reindex(match_day(matches["kickoff"])).to_numpy()
    return build(matches, below).assign(home_goal_difference=before)


def mean_of_the_whole_season(matches: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    mean = matches["away_goals"].astype("float64").groupby([matches["season"], matches["away_team"]]).transform("mean")
    return build(matches, below).assign(away_goal_difference=mean)


@pytest.mark.parametrize(
    ("planted", "known_by"),
    [
        (own_shots, {"home_form"}),
        (closing_odds, set(MARKET)),
        (order_within_a_day, {"away_form"}),
        (day_after_the_odds, {"home_goal_difference"}),
        (mean_of_the_whole_season, {"away_goal_difference"}),
    ],
)
def test_a_leak_planted_into_the_features_is_caught_and_named(planted: Build, known_by: set[str]) -> None:
    leaks, _ = feature_leaks(planted(MATCHES, BELOW), MATCHES, BELOW, MOMENT, build=planted)
    assert {leak.name for leak in leaks} == known_by


def shuffled_split(features: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    half = features.sample(frac=0.5, random_state=1)
    return fit_forecaster(half, half.iloc[:0]).forecast(features[odds_known_from(features["kickoff"]) == moment])


def quantiles_of_everything(features: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """Not a scaler: the forecaster scales for itself, so that one fitted on everything tells it nothing."""
    names, quantiles = list(FEATURES), QuantileTransformer(n_quantiles=100)
    scaled = features.assign(**dict(zip(names, quantiles.fit_transform(features[names]).T, strict=True)))
    fitted = fit_at(moment, scaled, scaled.iloc[:0], fit_forecaster)
    return fitted.forecast(scaled[odds_known_from(features["kickoff"]) == moment])


def trials_that_know_their_own_season(features: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    ours = features[odds_known_from(features["kickoff"]) == moment]
    seasons = [int(ours["season"].min()) - 1, int(ours["season"].min())]
    record = pd.concat(
        forecast_families(features[features["season"] <= season], features[features["season"] == season])
        for season in seasons
    )
    return fit_at(moment, features, record, fit_forecaster).forecast(ours)


@pytest.mark.parametrize("planted", [shuffled_split, quantiles_of_everything, trials_that_know_their_own_season])
def test_a_leak_planted_into_the_fit_is_caught(planted: Forecast) -> None:
    _, rebuilt = feature_leaks(BUILT, MATCHES, BELOW, MOMENT)
    leaks = forecast_leaks(BUILT, rebuilt, MOMENT, forecast=planted)
    assert {leak.name for leak in leaks} >= {"model_home", "model_draw", "model_away"}


def test_the_opening_of_a_season_without_results_is_the_newest_round() -> None:
    running = league(seasons=6)
    opening = running["season"] == running["season"].max()
    built = build(fixtures_only(running, opening))
    as_of = running.loc[opening, "kickoff"].min()
    newest = rounds_to_look_at(built, as_of.to_pydatetime())[-1]
    assert newest == odds_known_from(running.loc[opening, "kickoff"]).min()
    assert len(forecast_round(built, newest))


def test_the_newest_round_is_looked_at_and_one_of_the_past_that_changes_every_day() -> None:
    days = pd.date_range(MOMENT, periods=300, freq="1D")
    looked_at = [rounds_to_look_at(BUILT, day.to_pydatetime()) for day in days]
    for day, rounds in zip(days, looked_at, strict=True):
        assert rounds[-1] == max(moment for moment in ROUNDS if moment <= day)
    visited = {moment for rounds in looked_at for moment in rounds}
    assert len(visited) > 0.8 * len([moment for moment in ROUNDS if moment <= MOMENT])


@pytest.mark.parametrize("look", [lambda: BUILT.iloc[:0], lambda: BUILT[BUILT["season"] < 2012]])
def test_without_a_season_that_can_be_forecast_there_is_no_round(look: Callable[[], pd.DataFrame]) -> None:
    assert rounds_to_look_at(look(), MOMENT) == []


def test_a_leak_says_which_match_and_both_values() -> None:
    planted = own_shots(MATCHES, BELOW)
    leak = feature_leaks(planted, MATCHES, BELOW, MOMENT, build=own_shots)[0][0]
    own = MATCHES[(MATCHES[list(KEY)] == [leak.season, leak.home_team, leak.away_team]).all(axis=1)]
    shots = own["home_shots_on_target"].item()
    assert (leak.value, leak.with_another_future) == (shots, shots + 3)
