"""What was known before kick-off, and nothing else."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pl_predictor.core.features import FEATURES, FULL_REST, MARKET, MEAN_POINTS, TARGETS, build
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import (
    KEY,
    PRE_MATCH_ODDS,
    known_at,
    match_day,
    match_frame,
    odds_known_from,
    result_known_from,
)
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=3, teams=6)
BUILT = build(MATCHES)
DAYS = match_day(MATCHES["kickoff"])
NUMBERS = st.integers(0, 9)


def test_the_frame_is_one_row_a_match_in_the_same_order() -> None:
    assert list(BUILT.columns) == [*KEY, "kickoff", *TARGETS, *FEATURES, *MARKET]
    assert_frame_equal(BUILT[[*KEY, "kickoff", *TARGETS]], MATCHES[[*KEY, "kickoff", *TARGETS]])
    assert set(BUILT[[*FEATURES, *MARKET]].dtypes.astype(str)) == {"float64"}


@pytest.mark.parametrize("matches", [MATCHES, league(2, 6, shots=False), fixtures_only(MATCHES, DAYS.iloc[40] < DAYS)])
def test_no_feature_is_ever_missing(matches: pd.DataFrame) -> None:
    assert np.isfinite(build(matches)[list(FEATURES)]).all(axis=None)


@given(data=st.data())
def test_no_result_of_after_the_collection_of_a_match_s_odds_reaches_its_features(data: st.DataObject) -> None:
    collected, known = odds_known_from(MATCHES["kickoff"]), result_known_from(MATCHES["kickoff"])
    moment = collected.iloc[data.draw(st.integers(0, len(MATCHES) - 1))]
    changed = MATCHES.copy()
    later = changed.index[known > moment]
    for name in ("home_goals", "away_goals", "home_shots_on_target", "away_shots_on_target"):
        values = data.draw(st.lists(st.none() | NUMBERS, min_size=len(later), max_size=len(later)))
        changed.loc[later, name] = pd.array([pd.NA if v is None else v for v in values], dtype="Int64")
    changed.loc[later, "result"] = data.draw(st.sampled_from(["H", "D", "A", None]))
    changed.loc[later, list(PRE_MATCH_ODDS)] = data.draw(st.sampled_from([np.nan, 3.1]))
    dropped = data.draw(st.sets(st.sampled_from(changed.index[collected > moment].tolist() or [-1]))) - {-1}
    rated = BUILT.index[collected <= moment]
    after = build(changed.drop(index=list(dropped)))
    names = list(FEATURES)
    assert_frame_equal(after.loc[rated, names], BUILT.loc[rated, names], check_exact=True)


@pytest.mark.parametrize("row", [0, 17, 31, 45, 60, 89])
def test_what_is_served_before_a_match_is_what_is_trained_on_after_it(row: int) -> None:
    """Bit for bit: when its odds are collected, and until its day's first kick-off."""
    day = MATCHES.index[DAYS.iloc[row] == DAYS]
    kickoff = MATCHES.loc[day, "kickoff"].min()
    for as_of in (odds_known_from(MATCHES["kickoff"])[row], kickoff - pd.Timedelta(minutes=1)):
        served = build(known_at(MATCHES, as_of.to_pydatetime()))
        assert served.loc[day, "result"].isna().all()
        assert_frame_equal(served.loc[day, list(FEATURES)], BUILT.loc[day, list(FEATURES)], check_exact=True)


def test_a_result_does_reach_the_features_of_the_next_round() -> None:
    changed = MATCHES.copy()
    changed.loc[0, ["home_goals", "away_goals"]] = [9, 0]
    home = MATCHES.loc[0, "home_team"]
    after = build(changed)
    following = MATCHES.index[(MATCHES["home_team"] == home) & (MATCHES.index > 0)][0]
    moved = after.loc[following, list(FEATURES)] != BUILT.loc[following, list(FEATURES)]
    assert set(moved.index[moved]) >= {"log_expected_home_goals", "home_form", "home_goal_difference"}


def season_of_a(results: list[tuple[str, int | None, int | None]]) -> pd.DataFrame:
    """Team A at home to ever new teams, on the days given."""
    day, home_goals, away_goals = zip(*results, strict=True)
    return match_frame(
        {
            "season": [2020] * len(results),
            "home_team": ["A"] * len(results),
            "away_team": [f"B{number}" for number in range(len(results))],
            "kickoff": pd.to_datetime(list(day)).tz_localize("UTC"),
            "kickoff_time_known": [True] * len(results),
            "home_goals": home_goals,
            "away_goals": away_goals,
        }
    )


def test_form_is_of_the_last_five_and_the_mean_stands_for_those_not_played() -> None:
    scores = [(1, 0), (0, 0), (0, 2), (1, 0), (1, 0), (3, 0), (None, None)]
    weekly = pd.date_range("2020-10-03 15:00", periods=7, freq="7D").strftime("%Y-%m-%d %H:%M")
    built = build(season_of_a([(day, *score) for day, score in zip(weekly, scores, strict=True)]))
    points = [0, 3, 4, 4, 7, 10, 10]  # of the last five at most: the first win has dropped out of the seventh
    absent = [5, 4, 3, 2, 1, 0, 0]
    assert built["home_form"].tolist() == pytest.approx(
        [(p + n * MEAN_POINTS) / 5 for p, n in zip(points, absent, strict=True)]
    )
    assert built["home_goal_difference"].tolist() == pytest.approx([0, 0.2, 0.2, -0.2, 0, 0.2, 0.6])
    assert built["away_form"].tolist() == pytest.approx([MEAN_POINTS] * 7)


def test_the_away_team_sees_the_same_matches_from_its_own_side() -> None:
    home = season_of_a([("2020-10-03 15:00", 3, 0), ("2020-10-10 15:00", 0, 1), ("2020-10-17 15:00", None, None)])
    away = home.rename(columns={"home_team": "away_team", "away_team": "home_team"})
    away = away.rename(columns={"home_goals": "away_goals", "away_goals": "home_goals"})
    for name in ("form", "goal_difference", "rest_days", "congestion"):
        assert build(home)[f"home_{name}"].tolist() == build(away)[f"away_{name}"].tolist()
    assert build(home)["home_goal_difference"].tolist() == pytest.approx([0, 0.6, 0.4])


def test_rest_is_days_since_the_last_match_of_the_season_at_most_fourteen() -> None:
    days = ["2020-10-03 19:00", "2020-10-06 12:00", "2020-10-06 20:00", "2020-10-30 15:00", "2020-11-02 15:00"]
    built = build(season_of_a([(day, 1, 0) for day in days[:3]] + [(day, None, None) for day in days[3:]]))
    # Two on one day: neither has rested from the other. A fixture still to come ends the rest before the next.
    assert built["home_rest_days"].tolist() == [FULL_REST, 3, 3, FULL_REST, 3]
    assert (built["away_rest_days"] == FULL_REST).all()


def test_congestion_is_the_matches_of_the_fourteen_days_before() -> None:
    days = ["2020-10-01 19:00", "2020-10-06 12:00", "2020-10-15 12:00", "2020-10-15 20:00", "2020-10-20 20:00"]
    built = build(season_of_a([(day, None, None) for day in days]))
    assert built["home_congestion"].tolist() == [0, 1, 2, 2, 3]
    assert built["away_congestion"].tolist() == [0] * 5


def test_form_and_rest_start_anew_with_a_season() -> None:
    opening = BUILT.groupby("season").head(1)
    assert (opening[["home_form", "away_form"]] == MEAN_POINTS).all(axis=None)
    assert (opening[["home_rest_days", "away_rest_days"]] == FULL_REST).all(axis=None)


def test_the_market_stands_beside_the_features_and_is_none_of_them() -> None:
    without = MATCHES.copy()
    without.loc[::2, [*PRE_MATCH_ODDS]] = np.nan
    built = build(without)
    assert built.loc[::2, list(MARKET)].isna().all(axis=None)
    odds: Any = MATCHES.loc[1::2, list(PRE_MATCH_ODDS)].to_numpy()
    np.testing.assert_array_equal(built.loc[1::2, list(MARKET)], implied_probabilities(odds))
    assert_frame_equal(built[list(FEATURES)], BUILT[list(FEATURES)], check_exact=True)
    assert not set(MARKET) & set(FEATURES)


def test_closing_odds_are_no_feature() -> None:
    closing = ["closing_home_odds", "closing_draw_odds", "closing_away_odds"]
    assert_frame_equal(build(MATCHES.assign(**dict.fromkeys(closing, 2.9))), BUILT)


def test_the_calendar_features_are_those_the_results_cannot_move() -> None:
    nothing_played = build(fixtures_only(MATCHES, DAYS.notna()))
    same = {name for name in FEATURES if nothing_played[name].equals(BUILT[name])}
    assert same == {name for name, feature in FEATURES.items() if feature.calendar}


def test_no_matches_have_no_features() -> None:
    assert list(build(MATCHES.iloc[:0]).columns) == list(BUILT.columns)
