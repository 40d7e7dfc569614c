"""A few made-up seasons: the verdicts keep quiet when nothing changes, and speak soon when something does.

`make bench` lives hundreds of them and prints the shares.
"""

import numpy as np
import pytest

from pl_predictor.core.retraining import SKILL_CHECK
from pl_predictor.core.scoring import scorecard
from pl_predictor_tests.core.simulated import SEASON, changed_season, fit, forecasts, league, looks, quiet_season


def test_the_league_is_about_as_hard_to_forecast_as_the_real_one() -> None:
    champion, played = fit(league(20, 1)), league(20, 2)
    scores = {score.metric: score.value for score in scorecard(forecasts(played, champion), resamples=10)}
    assert scores["accuracy"] == pytest.approx(0.55, abs=0.015)
    assert scores["log_loss"] == pytest.approx(0.96, abs=0.015)
    assert scores["log_loss_skill_expected"] == pytest.approx(-0.0125, abs=0.003)


def test_a_change_costs_what_was_planned_and_the_bookmaker_knows_of_it() -> None:
    champion, played = fit(league(20, 1)), league(4, 5, change_at=2 * SEASON, cost=0.08)
    made = forecasts(played, champion)
    before, after = (
        {score.metric: score.value for score in scorecard(part, resamples=10)}
        for part in (made.head(2 * SEASON), made.tail(2 * SEASON))
    )
    cost = before["log_loss_skill_expected"] - after["log_loss_skill_expected"]
    assert cost == pytest.approx(0.08, abs=0.02)


def test_a_champion_that_is_fitted_to_what_came_after_a_change_has_overcome_it() -> None:
    played = league(8, 5, change_at=0, cost=0.08)
    old, new = fit(league(8, 3)), fit(played.until(4 * SEASON))
    skill = [
        next(score.value for score in scorecard(frame, resamples=10) if score.metric == "log_loss_skill_expected")
        for frame in (forecasts(played, champion).tail(4 * SEASON) for champion in (old, new))
    ]
    assert skill[0] < -0.08
    assert skill[1] > -0.025


def test_the_same_seed_is_the_same_league() -> None:
    one, two, other = (league(1, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.market, two.market)
    assert not np.array_equal(one.market, other.market)


def test_nothing_is_an_error_in_quiet_seasons() -> None:
    assert [quiet_season(seed) for seed in range(2)] == [()] * 2


def test_a_change_that_costs_much_is_an_error_within_ten_matchweeks() -> None:
    seen = [changed_season(seed) for seed in (7, 21, 35, 49)]
    assert all(one.after is not None and one.after <= 100 for one in seen)
    assert {name for one in seen for name in one.by} == {SKILL_CHECK}


def test_without_odds_nobody_says_so_much_from_the_skill() -> None:
    champion = fit(league(4, 1))
    made = forecasts(league(1, 2), champion, odds=False)
    (look,) = looks(made, champion, first=SEASON, last=SEASON)
    assert look.verdicts[SKILL_CHECK].passed
    assert "nothing to judge" in look.verdicts[SKILL_CHECK].words
