"""The gate: what the paired difference is, which rule promotes or refuses, and how seldom it is fooled by luck."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from pl_predictor.core.promotion import Delta, Ruling, Windows, expected, judge, paired
from pl_predictor.core.scoring import PROBABILITIES

LN2 = float(np.log(2.0))
MARGIN = 1.0 / 128.0
"""A power of two: what a mean of equal differences is can be said to the last bit."""
GIVEN = 0.25


def frame(gain: NDArray[np.float64], per_day: int = 1, *, seasons: int = 1) -> pd.DataFrame:
    """A forecast frame with results, all home wins, whose log losses are `gain` nats under that of a forecast of 0.25.

    Each season has the same number of matches, `per_day` a day.
    """
    n, each = len(gain), len(gain) // seasons
    season = 2015 + np.arange(n) // each
    day = pd.to_datetime(pd.Series(season).astype(str) + "-08-13 15:00", utc=True)
    p_home = GIVEN * np.exp(gain)
    return pd.DataFrame(
        {
            "season": season,
            "home_team": [f"Home {number}" for number in range(n)],
            "away_team": "Away",
            "kickoff": day + pd.to_timedelta(np.arange(n) % each // per_day, unit="D"),
            "result": "H",
            "p_home": p_home,
            "p_draw": (1.0 - p_home) / 2.0,
            "p_away": (1.0 - p_home) / 2.0,
        }
    )


def difference(gain: NDArray[np.float64], per_day: int = 1, *, seasons: int = 1) -> Delta:
    """A challenger that is better by `gain` on each match."""
    found = paired(frame(np.zeros(len(gain)), per_day, seasons=seasons), frame(gain, per_day, seasons=seasons))
    assert found is not None
    return found


# --- the paired difference -------------------------------------------------------------------------------------------


def test_the_interval_is_that_of_a_ratio_over_match_days_as_computed_by_hand() -> None:
    """In units of ln 2 the days' differences are (1, 1), 0, 1, -1, 1: mean 1/2; their sums of what differs from it are
    1, -1/2, 1/2, -3/2, 1/2, with squares that sum to 4; so the error is sqrt(5/4 * 4) / 6, and t(0.975, 4) 2.7764."""
    gain = LN2 * np.array([1.0, 1.0, 0.0, 1.0, -1.0, 1.0])
    champion, challenger = frame(np.zeros(6)), frame(gain)
    challenger["kickoff"] = champion["kickoff"] = champion["kickoff"].mask(
        champion.index == 1, champion["kickoff"].iloc[0]
    )
    found = paired(champion, challenger)
    assert found is not None
    reach = 2.7764451051977987 * np.sqrt(5.0) / 6.0
    assert (found.mean, found.low, found.high) == pytest.approx([LN2 * x for x in (0.5, 0.5 - reach, 0.5 + reach)])
    assert (found.n, found.seasons) == (6, 1)


@pytest.mark.parametrize("n", [5, 40, 380])
def test_with_one_match_a_day_it_is_students_interval(n: int) -> None:
    gain = np.random.default_rng(n).normal(0.01, 0.15, n)
    students = ttest_1samp(gain, 0.0).confidence_interval(0.95)
    found = difference(gain)
    assert (found.mean, found.low, found.high) == pytest.approx([gain.mean(), students.low, students.high])


def test_matches_of_one_day_that_go_together_widen_it() -> None:
    days = np.random.default_rng(3).normal(0.0, 0.15, 40)
    alike, apart = difference(np.repeat(days, 5), per_day=5), difference(np.repeat(days, 5), per_day=1)
    widths = [found.high - found.low for found in (alike, apart) if found.low is not None and found.high is not None]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(5.0), rel=0.05)


def test_identical_forecasts_differ_by_exactly_nothing_and_are_not_better() -> None:
    gain = np.random.default_rng(1).normal(0.0, 0.15, 500)
    found = paired(frame(gain, seasons=5), frame(gain, seasons=5))
    assert found == Delta(0.0, 0.0, 0.0, 500, 5)
    verdict = judge(Windows(found, found, found), refresh=False, margin=0.0, min_sample=50)
    assert not verdict.promoted
    assert "past seasons no difference over 500 matches" in verdict.words


def test_only_matches_with_a_result_that_both_forecast_count() -> None:
    champion, challenger = frame(np.zeros(12)), frame(np.full(12, 0.1))
    champion.loc[0, "result"] = None
    challenger.loc[1, "result"] = None
    shuffled = challenger.iloc[:9].sample(frac=1.0, random_state=1)
    found = paired(champion, shuffled)
    assert found is not None
    assert found.n == 7
    assert found.mean == pytest.approx(0.1)
    assert paired(champion.iloc[:4], challenger.iloc[4:]) is None
    assert paired(champion.iloc[:0], challenger) is None


def test_under_five_match_days_there_is_a_difference_and_no_interval() -> None:
    found = difference(np.full(8, 0.25), per_day=2)
    assert found.mean == pytest.approx(0.25)
    assert (found.low, found.high, found.n) == (None, None, 8)
    assert str(found) == "+0.2500 over 8 matches"
    assert str(Delta(0.01, -0.002, 0.022, 380, 5)) == "+0.0100 (-0.0020 to +0.0220) over 380 matches"


# --- the rule --------------------------------------------------------------------------------------------------------


def past(mean: float, reach: float | None, *, n: int = 1900, seasons: int = 5) -> Delta:
    """A window's difference with a symmetric interval, or none."""
    return Delta(mean, None if reach is None else mean - reach, None if reach is None else mean + reach, n, seasons)


def live(mean: float, reach: float | None, n: int = 100) -> Delta:
    return past(mean, reach, n=n, seasons=1)


EQUAL = past(0.0, 0.01)
CASES: dict[str, tuple[Delta | None, Delta | None, bool, bool, str, str]] = {
    "no past": (None, live(0.5, 0.1), False, False, "better", "refused: both were tried on 0 seasons, and 5 are"),
    "four seasons": (past(0.5, 0.1, seasons=4), None, True, False, "better", "refused: both were tried on 4 seasons"),
    "better before": (past(0.02, 0.01), None, False, True, "better", "promoted: better beyond noise on its past"),
    "better live": (EQUAL, live(0.1, 0.05), False, True, "better", "promoted: better beyond noise on its live"),
    "better on both": (
        past(0.02, 0.01),
        live(0.1, 0.05),
        True,
        True,
        "better",
        "promoted: better beyond noise on its p",
    ),
    "live too short": (
        EQUAL,
        live(0.1, 0.05, 49),
        False,
        False,
        "better",
        "refused: not better beyond noise (past seas",
    ),
    "live just long enough": (EQUAL, live(0.1, 0.05, 50), False, True, "better", "promoted: better beyond noise on"),
    "low is exactly 0": (past(0.01, 0.01), None, False, False, "better", "refused: not better beyond noise"),
    "without interval": (EQUAL, live(0.5, None), False, False, "better", "refused: not better beyond noise"),
    "equal": (EQUAL, live(0.0, 0.05), False, False, "better", "refused: not better beyond noise"),
    "refresh, equal": (EQUAL, live(0.0, 0.05), True, True, "refresh", "promoted: a refresh, beyond noise not worse by"),
    "refresh, at the margin": (past(-MARGIN, 0.02, n=1), None, True, True, "refresh", "promoted: a refresh"),
    "refresh, worse": (
        past(-1.1 * MARGIN, 0.02),
        None,
        True,
        False,
        "better",
        "refused: not better beyond noise, and on",
    ),
    "refresh, worse live": (EQUAL, live(-0.05, 0.03), True, False, "better", "refused: worse on its live window by"),
    "worse before within noise": (past(-0.02, 0.03), live(0.1, 0.05), False, True, "better", "promoted: better beyond"),
    "refresh, worse live within noise": (EQUAL, live(-0.05, 0.05), True, True, "refresh", "promoted: a refresh"),
    "better before, worse live": (
        *(past(0.02, 0.01), live(-0.05, 0.03), False, False, "better"),
        "refused: worse on its live window by more than 0.0078125 nats a match",
    ),
    "better live, worse before": (
        *(past(-0.02, 0.01), live(0.4, 0.05), False, False, "better"),
        "refused: worse on its past seasons by more than 0.0078125 nats a match",
    ),
    "worse on both": (
        *(past(-0.02, 0.01), live(-0.1, 0.05), False, False, "better"),
        "refused: worse on its past seasons and live window by more than 0.0078125 nats a match",
    ),
    "worse live, too short": (EQUAL, live(-0.5, 0.05, 49), True, True, "refresh", "promoted: a refresh"),
}


@pytest.mark.parametrize(("before", "now", "refresh", "promoted", "rule", "words"), CASES.values(), ids=CASES)
def test_a_challenger_is_judged_on_both_windows(
    before: Delta | None, now: Delta | None, refresh: bool, promoted: bool, rule: str, words: str
) -> None:
    verdict = judge(Windows(before, now), refresh=refresh, margin=MARGIN, min_sample=50)
    assert (verdict.promoted, verdict.rule) == (promoted, rule)
    assert verdict.words.startswith(words)


@pytest.mark.parametrize(
    ("by_results", "by_the_market", "promoted"),
    [
        (live(0.02, 0.05), live(0.03, 0.01), True),
        (live(0.02, 0.05), live(0.03, 0.04), False),
        (live(-0.001, 0.05), live(0.03, 0.01), False),
        (live(0.1, 0.05), live(0.03, 0.04), False),
        (live(0.1, 0.05), live(0.03, 0.04, 49), True),
        (live(0.02, 0.05), live(0.03, 0.01, 49), False),
        (live(0.1, 0.05, 49), live(0.1, 0.01, 49), False),
    ],
    ids=[
        "better, surely so by the market",
        "better, by the market within noise",
        "surely better by the market, and not by the results",
        "surely better by the results alone",
        "too few with a market: the results decide",
        "too few with a market, and the results within noise",
        "too few in all",
    ],
)
def test_where_there_is_a_market_better_live_is_by_the_results_and_beyond_noise_by_the_market(
    by_results: Delta, by_the_market: Delta, promoted: bool
) -> None:
    verdict = judge(Windows(EQUAL, by_results, by_the_market), refresh=False, margin=MARGIN, min_sample=50)
    assert verdict.promoted is promoted


@pytest.mark.parametrize(
    ("by_the_market", "promoted"),
    [
        (live(-0.02, 0.01), False),
        (live(-0.02, 0.03), True),
        (live(-0.9 * MARGIN, 0.001), True),
        (live(-0.02, 0.01, 49), True),
        (live(-0.02, None), True),
    ],
    ids=["surely worse", "within noise", "within the margin", "too few", "without an interval"],
)
def test_a_refresh_is_refused_that_is_surely_worse_if_the_market_is_right(by_the_market: Delta, promoted: bool) -> None:
    verdict = judge(Windows(EQUAL, live(0.0, 0.05), by_the_market), refresh=True, margin=MARGIN, min_sample=50)
    assert verdict.promoted is promoted
    assert promoted or verdict.words.startswith("refused: worse on its live window if the market is right by more")


def test_the_results_speak_for_a_challenger_that_knows_better_than_the_market() -> None:
    found = Windows(past(0.01, 0.006), live(0.02, 0.018), live(-0.03, 0.005))
    assert judge(found, refresh=False, margin=MARGIN, min_sample=50).rule == "better"
    assert judge(found, refresh=False, margin=MARGIN, min_sample=50).promoted


def test_what_is_expected_if_the_market_is_right_needs_no_luck() -> None:
    champion, challenger = frame(np.zeros(40)), frame(np.full(40, 0.1))
    market = champion.assign(market_home=0.5, market_draw=0.3, market_away=0.2)
    market.loc[:9, "market_home"] = np.nan
    found = expected(market, challenger)
    own, other = (side[list(PROBABILITIES)].to_numpy()[10:] for side in (champion, challenger))
    assert found is not None
    assert found.n == 30
    assert found.mean == pytest.approx((np.array([0.5, 0.3, 0.2]) * np.log(other / own)).sum(axis=1).mean())
    lucky = challenger.assign(result="H"), challenger.assign(result="A")
    assert [expected(market.assign(result=side["result"]), side) for side in lucky] == [found, found]
    assert expected(market.assign(market_draw=np.nan), challenger) is None


def test_a_verdict_shows_every_window_that_it_rests_on() -> None:
    words = judge(Windows(EQUAL, live(0.1, 0.05)), refresh=False, margin=MARGIN, min_sample=50).words
    assert "(past seasons +0.0000 (-0.0100 to +0.0100) over 1900 matches; live window +0.1000 (" in words
    assert words.endswith("(+0.0500 to +0.1500) over 100 matches)")


# --- how often luck decides ------------------------------------------------------------------------------------------


def simulated(trials: int, *, better_by: float) -> list[Ruling]:
    """Verdicts on challengers whose gain on a match has a standard deviation of 0.15: five seasons (short
    ones) without any gain, then 100 to 380 matches of the running one with a mean gain of `better_by`."""
    rng = np.random.default_rng(20)
    before, since = frame(np.zeros(500), per_day=5, seasons=5), frame(np.zeros(380), per_day=5)
    verdicts = []
    for _ in range(trials):
        played = since.iloc[: rng.integers(100, 381)]
        windows = [
            paired(given, given.assign(p_home=GIVEN * np.exp(rng.normal(mean, 0.15, len(given)))))
            for given, mean in ((before, 0.0), (played, better_by))
        ]
        verdicts.append(judge(Windows(*windows), refresh=False, margin=0.005, min_sample=50))
    return verdicts


def test_of_equal_challengers_at_most_one_in_twenty_is_promoted_for_being_better() -> None:
    promoted = sum(verdict.promoted for verdict in simulated(200, better_by=0.0))
    assert 0 < promoted <= 200 * 0.05 + 3.0 * np.sqrt(200 * 0.05 * 0.95)


def test_a_challenger_that_is_clearly_better_on_what_was_played_since_is_promoted() -> None:
    assert sum(verdict.promoted for verdict in simulated(40, better_by=0.08)) >= 39
