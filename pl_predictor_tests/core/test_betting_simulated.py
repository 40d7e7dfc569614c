"""The ledger that paper bets make of a past season: no bet of it knows what was not known when it was taken."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from penaltyblog.backtest import Backtest

from pl_predictor.core.betting import BET_COLUMNS, PRICES, Staking, book, edges, settle, simulate, take
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import (
    KEY,
    MAX_ODDS,
    OUTCOMES,
    PRE_MATCH_ODDS,
    known_at,
    odds_known_from,
    result_known_from,
)
from pl_predictor.core.scoring import PROBABILITIES
from pl_predictor_tests.core.league import league
from pl_predictor_tests.core.paper_bets import FLAT, LEDGER_COLUMNS, STAKING, Odds, prices
from pl_predictor_tests.frames import fixture, forecast, matches, played

ALL_IN = replace(STAKING, kelly_fraction=1.0, max_stake=1.0)
"""Beyond what the settings allow: bets that use a bankroll up."""
KICKOFF = "2024-01-13 15:00"


def season(seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A made-up season with best prices 5 % over the consensus, and forecasts that err at random. Every other round is
    on a Tuesday, just before odds are collected, and on the Wednesday."""
    known = league(1, 10, first=2023, seed=seed)
    midweek = known["kickoff"].dt.isocalendar().week % 2 == 0
    known["kickoff"] += pd.to_timedelta(np.where(midweek, 71, 0), unit="h")
    consensus = known[list(PRE_MATCH_ODDS)].clip(lower=1.01).round(2)
    known = known.assign(**consensus, **dict(zip(MAX_ODDS, (consensus * 1.05).round(2).to_numpy().T, strict=True)))
    market = implied_probabilities(consensus.to_numpy())
    p = market * np.exp(np.random.default_rng(seed).normal(0.0, 0.2, market.shape))
    p /= p.sum(axis=1, keepdims=True)
    made = known[[*KEY, "kickoff"]].assign(made_at=odds_known_from(known["kickoff"]))
    return made.assign(**dict(zip(PROBABILITIES, p.T, strict=True))), known


def lived(forecasts: pd.DataFrame, known: pd.DataFrame, staking: Staking) -> pd.DataFrame:
    """The ledger of these forecasts, kept day by day as the platform does: what is decided is settled, then bets are
    taken by what the match frame of that moment says."""
    ledger = simulate(forecasts.iloc[:0], known, staking)
    moments = pd.concat([forecasts["made_at"], result_known_from(known["kickoff"])])
    for now in sorted(moments.unique()):
        frame = known_at(known, now.to_pydatetime(), recorded=True)
        is_open = ledger["settlement"].isna()
        settled = settle(ledger[is_open], frame, now.to_pydatetime(), book(ledger, staking).bankroll)
        ledger = rows(ledger[~is_open], settled, ledger[is_open & ~_keys(ledger).isin(_keys(settled))])
        worth = edges(forecasts[forecasts["made_at"] == now], frame, staking)
        ledger = rows(ledger, take(worth, book(ledger, staking), staking))
    return ledger.reset_index(drop=True)


def rows(*parts: pd.DataFrame) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True).reindex(columns=LEDGER_COLUMNS) if filled else parts[0]


def _keys(frame: pd.DataFrame) -> "pd.Series[Any]":
    return pd.Series(list(frame[list(KEY)].itertuples(index=False, name=None)), index=frame.index, dtype=object)


@pytest.mark.parametrize("staking", [STAKING, FLAT, ALL_IN, replace(STAKING, prices="consensus")])
def test_a_simulated_ledger_is_the_one_that_living_through_the_season_gives(staking: Staking) -> None:
    forecasts, known = season()
    ledger = simulate(forecasts, known, staking)
    assert len(ledger) > 10
    assert_frame_equal(ledger, lived(forecasts, known, staking))


def test_what_is_not_known_yet_when_a_round_is_bet_on_is_at_stake() -> None:
    """A match at noon of a Tuesday has its odds from the Friday before, and its result after the Tuesday's round."""
    noon, evening, saturday = "2023-12-26 12:30", "2023-12-26 20:00", "2023-12-30 15:00"
    pairs = {noon: ("Leeds", "Derby"), evening: ("Stoke", "Wigan"), saturday: ("Hull", "Bury")}
    known = matches(*(played(*pair, kickoff, 1, 0, **prices()) for kickoff, pair in pairs.items()))
    forecasts = pd.DataFrame([forecast(*pair, kickoff, (0.9, 0.05, 0.05)) for kickoff, pair in pairs.items()])
    ledger = simulate(forecasts.assign(made_at=odds_known_from(forecasts["kickoff"])), known, ALL_IN)
    assert ledger["stake"].tolist() == [800.0, 200.0, 1600.0]
    assert ledger["bankroll"].tolist() == [1000.0, 1000.0, 2000.0]
    assert ledger["bankroll_after"].tolist() == [1800.0, 2000.0, 3600.0]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_later_result_or_price_changes_no_earlier_bet(share: float) -> None:
    forecasts, known = season()
    now = forecasts["made_at"].quantile(share, interpolation="nearest")
    unknown, unpriced = result_known_from(known["kickoff"]) > now, odds_known_from(known["kickoff"]) > now
    changed = known.copy()
    changed.loc[unknown, "result"] = known.loc[unknown, "result"].map(dict(zip("HDA", "DAH", strict=True)))
    changed.loc[unpriced, list(MAX_ODDS)] *= 1.3
    before, after = (simulate(forecasts, frame, STAKING) for frame in (known, changed))
    before, after = (ledger[odds_known_from(ledger["kickoff"]) <= now] for ledger in (before, after))
    assert len(before) > 5
    assert_frame_equal(before[list(BET_COLUMNS)], after[list(BET_COLUMNS)])


def test_a_match_without_a_result_or_odds_is_not_bet_on_in_a_simulation() -> None:
    known = matches(
        played("Leeds", "Derby", KICKOFF, 1, 0, **prices((2.2, 4.0, 4.0))),
        played("Stoke", "Wigan", KICKOFF, 1, 0),
        fixture("Hull", "Bury", "2023-11-25 15:00", **prices((2.2, 4.0, 4.0))),
    )
    games = [("Leeds", "Derby", KICKOFF), ("Stoke", "Wigan", KICKOFF), ("Hull", "Bury", "2023-11-25 15:00")]
    forecasts = pd.DataFrame([forecast(*game, (0.55, 0.25, 0.2)) for game in games])
    ledger = simulate(forecasts.assign(made_at=odds_known_from(forecasts["kickoff"])), known, STAKING)
    assert ledger["home_team"].tolist() == ["Leeds"]


@pytest.mark.parametrize(
    ("staking", "rounding"), [(FLAT, 1e-9), (STAKING, 0.005)], ids=["flat, exact", "kelly, half a hundredth a bet"]
)
def test_profit_roi_and_the_curve_of_the_bankroll_are_those_of_penaltyblogs_backtest(
    staking: Staking, rounding: float
) -> None:
    ledger = simulate(*season(), staking)
    results = season()[1].set_index(list(KEY))["result"]

    def logic(ctx: Any) -> None:
        bet_on = ctx.fixture
        won = results[bet_on["season"], bet_on["home_team"], bet_on["away_team"]] == bet_on["outcome"]
        ctx.account.place_bet(bet_on["odds"], bet_on["stake"], int(won))

    theirs = Backtest(ledger.assign(date=ledger["kickoff"].dt.tz_localize(None)), "2023-01-01", "2024-12-31")
    theirs.start(staking.bankroll, logic)
    found = theirs.results()
    tolerance = rounding * len(ledger)
    assert found["Total Bets"] == len(ledger) > 20
    assert found["Successful Bets"] == (ledger["settlement"] == "won").sum()
    assert ledger["profit"].sum() == pytest.approx(found["Profit"], abs=tolerance)
    assert ledger["profit"].sum() / staking.bankroll == pytest.approx(found["ROI"] / 100.0, abs=tolerance)
    assert_allclose(ledger["bankroll_after"], theirs.account.tracker, rtol=0, atol=tolerance)


PRICE = st.floats(1.01, 40.0).map(lambda price: round(price, 2))
GAME = st.tuples(
    st.integers(0, 28 * 24),  # hours from the first kick-off
    st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
    st.none() | st.tuples(PRICE, PRICE, PRICE),
    st.sampled_from(OUTCOMES),
)


@settings(deadline=None)
@given(
    games=st.lists(GAME, min_size=1, max_size=12),
    staking=st.sampled_from([STAKING, FLAT, replace(STAKING, bankroll=0.37), replace(FLAT, min_edge=1e-9)]),
)
def test_whatever_happens_the_bankroll_adds_up_and_no_bet_is_more_than_it_may_be(
    games: list[tuple[int, Odds, Odds | None, str]], staking: Staking
) -> None:
    goals = {"H": (1, 0), "D": (1, 1), "A": (0, 1)}
    forecasts, results = [], []
    for number, (hours, p, odds, result) in enumerate(games):
        match = (f"Home {number}", f"Away {number}", str(pd.Timestamp("2023-08-11 19:00") + timedelta(hours=hours)))
        forecasts.append(forecast(*match, (p[0] / sum(p), p[1] / sum(p), p[2] / sum(p))))
        results.append(played(*match, *goals[result], **prices(odds, odds)))
    made, known = pd.DataFrame(forecasts), matches(*results)
    ledger = simulate(made.assign(made_at=odds_known_from(made["kickoff"])), known, staking)

    assert_allclose(ledger["bankroll_after"], staking.bankroll + ledger["profit"].cumsum(), rtol=0, atol=1e-6)
    cents = ledger[["stake", "bankroll", "profit", "bankroll_after"]] * 100.0
    assert_allclose(cents, cents.round(), rtol=0, atol=1e-6)
    assert (ledger["bankroll_after"] >= 0.0).all()
    assert (ledger["stake"] > 0.0).all()
    assert (ledger["stake"] <= 0.05 * ledger["bankroll"] + 1e-9).all()
    assert not ledger.duplicated(list(KEY)).any()
    offered = known.merge(ledger[[*KEY, "outcome", "odds"]], on=list(KEY))
    assert len(offered) == len(ledger)
    for name, outcome in zip(PRICES["best"], OUTCOMES, strict=True):
        on = offered["outcome"] == outcome
        assert offered.loc[on, name].tolist() == offered.loc[on, "odds"].tolist()
