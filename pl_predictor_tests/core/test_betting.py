"""What an outcome is worth, what is staked on it, what became of it, and the ledger that this makes of past seasons."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from penaltyblog.betting import kelly_criterion

from pl_predictor.core.betting import (
    BET_COLUMNS,
    EDGE_COLUMNS,
    GIVEN_UP,
    MOVED,
    SETTLEMENTS,
    VALUE,
    Book,
    Staking,
    book,
    edges,
    kelly,
    settle,
    simulate,
    stakes,
    take,
    value,
)
from pl_predictor.core.matches import KEY, MATCH_COLUMNS
from pl_predictor_tests.core.paper_bets import EVEN, FLAT, LEDGER_COLUMNS, STAKING, Odds, prices
from pl_predictor_tests.frames import fixture, forecast, matches, played

KICKOFF = "2024-01-13 15:00"
NO_ODDS, OTHER = "no odds", "another outcome is worth more"
SMALL, UNLIKELY = "edge under 2 %", "probability under 30 %"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def verdicts(p: Odds, best: Odds | None, staking: Staking = STAKING) -> list[str]:
    known = matches(fixture("Leeds", "Derby", KICKOFF, **prices(best, best)))
    return edges(pd.DataFrame([forecast("Leeds", "Derby", KICKOFF, p)]), known, staking)["verdict"].tolist()


def bet(outcome: str = "H", *, odds: float = 2.5, stake: float = 10.0, **more: Any) -> dict[str, Any]:
    key = {"season": 2023, "home_team": "Leeds", "away_team": "Derby", "kickoff": pd.Timestamp(KICKOFF, tz="UTC")}
    money = {"probability": 0.5, "odds": odds, "edge": 0.5 * odds - 1.0, "stake": stake, "bankroll": 1000.0}
    return {**key, "outcome": outcome, **money, **more}


@pytest.mark.parametrize(
    ("probability", "odds", "expected"),
    [(0.5, 2.0, 0.0), (0.5, 2.2, 0.1), (0.25, 3.0, -0.25), (0.0, 3.0, -1.0), (1.0, 1.5, 0.5), (0.5, np.nan, np.nan)],
)
def test_value_is_what_a_unit_is_expected_to_win(probability: float, odds: float, expected: float) -> None:
    assert_allclose(value(np.array([probability]), np.array([odds])), [expected], atol=1e-12)


def test_the_kelly_stake_is_that_of_penaltyblog() -> None:
    rng = np.random.default_rng(5)
    probability, odds = rng.random(500), 1.0 + rng.exponential(3.0, 500)
    assert_allclose(kelly(probability, odds), kelly_criterion(odds, probability).stake, rtol=0, atol=1e-12)
    assert_allclose(kelly(np.array([0.5, 0.0]), np.array([3.0, 3.0])), [0.25, 0.0])


@pytest.mark.parametrize(
    ("p", "odds", "expected"),
    [
        ((0.55, 0.25, 0.20), EVEN, [VALUE, SMALL, SMALL]),
        ((0.51, 0.245, 0.245), EVEN, [VALUE, SMALL, SMALL]),  # an edge of just 2 %
        ((0.51, 0.35, 0.14), EVEN, [OTHER, VALUE, SMALL]),
        ((0.5099, 0.25, 0.2401), EVEN, [SMALL, SMALL, SMALL]),  # 1.98 %
        ((0.50, 0.25, 0.25), EVEN, [SMALL] * 3),
        ((0.42, 0.2996, 0.2804), EVEN, [SMALL, UNLIKELY, UNLIKELY]),
        ((0.30, 0.30, 0.40), EVEN, [SMALL, OTHER, VALUE]),
        ((0.40, 0.20, 0.40), (3.0, 2.0, 3.0), [VALUE, SMALL, OTHER]),  # a tie: the first
        ((0.20, 0.40, 0.40), (2.0, 3.0, 3.0), [SMALL, VALUE, OTHER]),
        ((0.60, 0.20, 0.20), (2.0, 2.0, 9.0), [VALUE, SMALL, UNLIKELY]),  # the second, being likely
        ((0.55, 0.25, 0.20), None, [NO_ODDS] * 3),
        ((0.55, 0.25, 0.20), (np.nan, 5.0, 5.0), [NO_ODDS, UNLIKELY, SMALL]),
    ],
)
def test_the_verdict_says_what_to_bet_on_and_of_all_else_why_not(
    p: Odds, odds: Odds | None, expected: list[str]
) -> None:
    assert verdicts(p, odds) == expected


def test_every_match_has_three_outcomes_in_the_order_of_the_kick_offs() -> None:
    known = matches(
        fixture("Leeds", "Derby", KICKOFF, **prices((2.2, 4.1, 4.2))),
        fixture("Stoke", "Wigan", "2024-01-12 20:00", **prices(None, None)),
    )
    forecasts = pd.DataFrame(
        [
            forecast("Leeds", "Derby", KICKOFF),
            forecast("Stoke", "Wigan", "2024-01-12 20:00"),
            forecast("Not", "There", KICKOFF),
        ],
        index=[9, 9, 4],
    )
    worth = edges(forecasts, known, STAKING)
    assert tuple(worth) == EDGE_COLUMNS
    assert worth["home_team"].tolist() == ["Stoke"] * 3 + ["Leeds"] * 3 + ["Not"] * 3
    assert worth["outcome"].tolist() == list("HDA") * 3
    assert worth["probability"].tolist() == [0.5, 0.3, 0.2] * 3
    priced = worth["home_team"] == "Leeds"
    assert_allclose(worth.loc[priced, "market_probability"], [0.5, 0.25, 0.25])
    assert_allclose(worth.loc[priced, "edge"], [0.1, 0.23, -0.16])
    assert worth.loc[~priced, ["market_probability", "odds", "edge"]].isna().all(axis=None)
    assert set(worth.loc[~priced, "verdict"]) == {"no odds"}


@pytest.mark.parametrize(
    ("which", "odds"),
    [("best", [1.9, 3.8, 3.9]), ("consensus", [2.0, 4.0, 4.0])],
    ids=["though they are under the consensus", "the consensus"],
)
def test_the_prices_are_those_that_the_settings_name_as_they_stand(which: Any, odds: list[float]) -> None:
    known = matches(fixture("Leeds", "Derby", KICKOFF, **prices((1.9, 3.8, 3.9))))
    worth = edges(pd.DataFrame([forecast("Leeds", "Derby", KICKOFF)]), known, replace(STAKING, prices=which))
    assert worth["odds"].tolist() == odds
    assert_allclose(worth["market_probability"], [0.5, 0.25, 0.25])


@pytest.mark.parametrize(
    ("staking", "at", "p", "odds", "expected"),
    [
        (STAKING, Book(1000.0), [0.5], [2.2], [20.83]),  # 0.25 * 0.1 / 1.2 of 1,000, down to the hundredth
        (STAKING, Book(500.0), [0.5], [2.2], [10.41]),
        (STAKING, Book(1000.0), [0.9], [3.0], [50.0]),  # the cap
        (replace(FLAT, bankroll=29.0), Book(29.0), [0.5], [2.2], [0.29]),  # 28.999... hundredths as a float
        (FLAT, Book(1000.0), [0.5, 0.9], [2.2, 3.0], [10.0, 10.0]),
        (FLAT, Book(3000.0), [0.5], [2.2], [10.0]),  # of what the ledger began with
        (FLAT, Book(100.0), [0.5], [2.2], [5.0]),  # and no more than the cap
        (STAKING, Book(1000.0, at_stake=980.0), [0.9, 0.5], [3.0, 2.2], [14.11, 5.88]),  # 20 cut as 50 to 20.83
        (FLAT, Book(1000.0, at_stake=999.99), [0.5, 0.9], [2.2, 3.0], [0.0, 0.0]),
        (STAKING, Book(1000.0, at_stake=1000.0), [0.9], [3.0], [0.0]),
        (STAKING, Book(0.0), [0.9], [3.0], [0.0]),
        (FLAT, Book(0.0), [0.9], [3.0], [0.0]),
        (STAKING, Book(0.1), [0.9], [3.0], [0.0]),
        (STAKING, Book(1000.0), [], [], []),
    ],
)
def test_stakes_are_shares_of_the_bankroll_capped_and_cut_alike_to_what_is_left(
    staking: Staking, at: Book, p: list[float], odds: list[float], expected: list[float]
) -> None:
    assert stakes(np.array(p), np.array(odds), at, staking).tolist() == expected


def test_only_value_is_taken_and_no_match_twice() -> None:
    pairs = [("Leeds", "Derby"), ("Stoke", "Wigan"), ("Hull", "Bury")]
    known = matches(*(fixture(*pair, KICKOFF, **prices((2.2, 4.0, 4.0))) for pair in pairs))
    worth = edges(pd.DataFrame([forecast(*pair, KICKOFF, (0.55, 0.25, 0.2)) for pair in pairs]), known, STAKING)
    bets = take(worth.sample(frac=1.0, random_state=1), Book(800.0, matches=frozenset({(2023, *pairs[1])})), STAKING)
    assert tuple(bets) == BET_COLUMNS
    assert sorted(bets["home_team"]) == ["Hull", "Leeds"]
    assert bets["outcome"].tolist() == ["H", "H"]
    assert bets["bankroll"].tolist() == [800.0, 800.0]
    assert bets["stake"].tolist() == [35.0, 35.0]
    assert take(worth, Book(0.01), STAKING).empty, "a stake of nothing is no bet"


@pytest.mark.parametrize(
    ("outcome", "goals", "settlement", "profit"),
    [
        *(("H", (1, 0), "won", 15.0), ("H", (1, 1), "lost", -10.0), ("H", (0, 1), "lost", -10.0)),
        *(("D", (1, 0), "lost", -10.0), ("D", (1, 1), "won", 15.0), ("D", (0, 1), "lost", -10.0)),
        *(("A", (1, 0), "lost", -10.0), ("A", (1, 1), "lost", -10.0), ("A", (0, 1), "won", 15.0)),
    ],
)
def test_a_bet_is_won_if_its_outcome_is_the_result(
    outcome: str, goals: tuple[int, int], settlement: str, profit: float
) -> None:
    settled = settle(
        pd.DataFrame([bet(outcome, id=7)]),
        matches(played("Leeds", "Derby", KICKOFF, *goals)),
        moment("2024-01-14"),
        900,
    )
    assert settled["id"].tolist() == [7]
    assert settled["settlement"].tolist() == [settlement]
    assert settlement in SETTLEMENTS
    assert settled["profit"].tolist() == [profit]
    assert settled["bankroll_after"].tolist() == [900 + profit]


@pytest.mark.parametrize(
    ("to", "result", "as_of", "settlement"),
    [
        (KICKOFF, False, "2024-01-14 00:00", None),
        (KICKOFF, False, "2024-02-12 15:00", None),
        (KICKOFF, False, "2024-02-12 15:01", "void"),
        ("2024-01-16 15:00", True, "2024-01-17 00:00", "won"),
        ("2024-01-10 15:00", True, "2024-01-11 00:00", "won"),
        ("2024-01-16 15:00", False, "2024-01-15 00:00", None),
        ("2024-01-16 15:01", True, "2024-01-17 00:00", "void"),
        ("2024-01-10 14:59", True, "2024-01-11 00:00", "void"),
        ("2024-03-02 15:00", False, "2024-01-12 00:00", "void"),
        (None, False, "2024-02-12 15:00", None),
        (None, False, "2024-02-12 15:01", "void"),
    ],
    ids=[
        *("no result", "thirty days later", "given up"),
        *("moved by three days", "brought forward by three", "not played yet", "moved by more", "brought forward"),
        *("known to be moved", "gone", "gone for thirty days"),
    ],
)
def test_a_match_that_is_moved_far_or_never_played_makes_its_bet_void(
    to: str | None, result: bool, as_of: str, settlement: str | None
) -> None:
    row = None if to is None else played("Leeds", "Derby", to, 1, 0) if result else fixture("Leeds", "Derby", to)
    known = matches(fixture("Stoke", "Wigan", KICKOFF), *([] if row is None else [row]))
    settled = settle(pd.DataFrame([bet()]), known, moment(as_of), 1000.0)
    assert settled["settlement"].tolist() == ([] if settlement is None else [settlement])
    assert settled["profit"].tolist() == {"won": [15.0], "void": [0.0], None: []}[settlement]
    assert timedelta(days=3) == MOVED
    assert timedelta(days=30) == GIVEN_UP


def test_a_void_bet_leaves_its_match_free_to_be_bet_on_again_at_its_new_date() -> None:
    later = "2024-03-02 15:00"
    known = matches(fixture("Leeds", "Derby", later, **prices((2.2, 4.0, 4.0))))
    worth = edges(pd.DataFrame([forecast("Leeds", "Derby", later, (0.55, 0.25, 0.2))]), known, STAKING)
    open_bet = pd.DataFrame([bet(settlement=None, profit=np.nan)])
    assert take(worth, book(open_bet, STAKING), STAKING).empty
    void = settle(open_bet, known, moment("2024-01-12"), 1000.0)
    assert take(worth, book(void, STAKING), STAKING)["kickoff"].tolist() == [pd.Timestamp(later, tz="UTC")]


def test_bets_are_settled_in_the_order_of_their_kick_offs_each_on_the_bankroll_before_it() -> None:
    known = matches(played("Leeds", "Derby", KICKOFF, 1, 0), played("Stoke", "Wigan", "2024-01-12 20:00", 1, 0))
    first: dict[str, Any] = {
        "home_team": "Stoke",
        "away_team": "Wigan",
        "kickoff": pd.Timestamp("2024-01-12 20:00", tz="UTC"),
    }
    open_bets = pd.DataFrame([bet(odds=1.333, stake=10.01), bet("A", stake=30.0, **first)], index=[5, 5])
    settled = settle(open_bets, known, moment("2024-01-14"), 1000.0)
    assert settled["home_team"].tolist() == ["Stoke", "Leeds"]
    assert settled["profit"].tolist() == [-30.0, 3.33]
    assert settled["bankroll_after"].tolist() == [970.0, 973.33]


def test_where_a_ledger_stands_is_what_is_settled_and_what_is_open() -> None:
    ledger = pd.DataFrame(
        [
            bet(settlement="won", profit=15.0),
            bet(home_team="Stoke", settlement="lost", profit=-10.1),
            bet(home_team="Hull", settlement="void", profit=0.0),
            bet(home_team="Bury", stake=20.2, settlement=None, profit=np.nan),
            bet(home_team="Hull", stake=0.1, settlement=None, profit=np.nan),
        ]
    )
    keys = frozenset({(2023, home, "Derby") for home in ("Leeds", "Stoke", "Bury", "Hull")})
    assert book(ledger, STAKING) == Book(1004.9, 20.3, keys)
    assert book(ledger.iloc[:3], STAKING).matches == {(2023, "Leeds", "Derby"), (2023, "Stoke", "Derby")}
    assert book(pd.DataFrame(columns=LEDGER_COLUMNS), STAKING) == Book(1000.0)


def test_nothing_gives_empty_frames_with_their_columns_and_dtypes() -> None:
    known = matches(played("Leeds", "Derby", KICKOFF, 1, 0, **prices()))
    none = pd.DataFrame([forecast("Leeds", "Derby", KICKOFF)]).assign(made_at=pd.Timestamp(KICKOFF, tz="UTC")).iloc[:0]
    worth = edges(none, known, STAKING)
    bets = take(worth, Book(1000.0), STAKING)
    settled = settle(bets, known, moment("2024-01-14"), 1000.0)
    ledger = simulate(none, known, STAKING)
    assert [list(frame) for frame in (worth, bets, settled, ledger)] == [
        *(list(columns) for columns in (EDGE_COLUMNS, BET_COLUMNS, LEDGER_COLUMNS, LEDGER_COLUMNS))
    ]
    numbers = {"probability", "market_probability", "odds", "edge", "stake", "bankroll", "profit", "bankroll_after"}
    for frame in (worth, bets, settled, ledger):
        assert frame.empty
        assert {str(frame[name].dtype) for name in numbers.intersection(frame)} == {"float64"}
        assert {name: str(frame[name].dtype) for name in [*KEY, "kickoff"]} == {
            name: MATCH_COLUMNS[name].dtype for name in [*KEY, "kickoff"]
        }
    assert settle(pd.DataFrame(columns=LEDGER_COLUMNS), known, moment("2024-01-14"), 1000.0).empty, "without dtypes"
