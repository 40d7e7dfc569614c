"""Past seasons forecast in retrospect."""

import pandas as pd
import pytest

from pl_predictor.core.backtest import backtest
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import MARKET, build
from pl_predictor.core.matches import CLOSING_ODDS, PRE_MATCH_ODDS, odds_known_from
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=13)
FEATURES = build(MATCHES)
LAST = 2022


def test_a_season_is_forecast_the_same_alone_as_among_others() -> None:
    # A bookmaker too timid to be followed to the letter, so that the weights depend on the seasons they come from.
    timid = FEATURES.assign(**{name: (FEATURES[name] + 1 / 3) / 2 for name in MARKET})
    alone = backtest(timid, first_season=LAST, last_season=LAST)
    among = backtest(timid, first_season=2020, last_season=LAST)
    pd.testing.assert_frame_equal(alone, among[among["season"] == LAST].reset_index(drop=True), check_exact=True)


def test_a_season_is_forecast_the_same_whatever_came_after_it() -> None:
    later = build(MATCHES[MATCHES["season"] <= 2015].reset_index(drop=True))
    early, late = (backtest(frame, first_season=2015, last_season=2015) for frame in (later, FEATURES))
    pd.testing.assert_frame_equal(early, late, check_exact=True)


def test_every_finished_match_is_forecast_once_before_its_kick_off() -> None:
    running = MATCHES["kickoff"] > MATCHES.loc[MATCHES["season"] == LAST, "kickoff"].iloc[40]
    made = backtest(build(fixtures_only(MATCHES, running)), first_season=LAST - 1, last_season=LAST)
    assert made.groupby("season").size().to_dict() == {
        LAST - 1: 90,
        LAST: int((~running & (MATCHES["season"] == LAST)).sum()),
    }
    assert made["made_at"].equals(odds_known_from(made["kickoff"]))
    assert (made["made_at"] < made["kickoff"]).all()


def test_closing_odds_change_no_forecast() -> None:
    closed = MATCHES.copy()
    closed[list(CLOSING_ODDS)] = MATCHES[list(PRE_MATCH_ODDS)].to_numpy() * 1.02
    with_them, without = (backtest(build(frame), first_season=2013, last_season=2013) for frame in (closed, MATCHES))
    pd.testing.assert_frame_equal(with_them, without, check_exact=True)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (2010, 2010, "season 2010 cannot be forecast: .* are 2012 to 2022;"),
        (2011, 2013, "season 2011 cannot be forecast: .* are 2012 to 2022;"),  # 90 results are too few
        (2022, 2024, "season 2023 cannot be forecast: .* are 2012 to 2022;"),
    ],
)
def test_a_season_that_cannot_be_forecast_is_an_error_that_says_which_can(first: int, last: int, words: str) -> None:
    with pytest.raises(PredictorError, match=words):
        backtest(FEATURES, first_season=first, last_season=last)
    with pytest.raises(PredictorError, match="are none;"):
        backtest(FEATURES[FEATURES["season"] < 2012], first_season=first, last_season=last)
