"""How paper bets did, and what blind betting would have won."""

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pl_predictor.core.betting_scores import (
    ALL,
    BLIND,
    BOOKMAKER_ODDS,
    CHOSEN,
    METRICS,
    ONE_BOOKMAKER,
    SCORE_COLUMNS,
    blind_scores,
    ledger_scores,
    slices,
    with_bookmaker,
)
from pl_predictor.core.matches import CLOSING_ODDS, MAX_ODDS, PRE_MATCH_ODDS, join
from pl_predictor.core.scoring import FEWEST_DAYS
from pl_predictor.sources.layout import parse, season_folder
from pl_predictor_tests.football_data import mirror
from pl_predictor_tests.frames import fixture, matches, played

NOW = datetime(2024, 1, 22, 15, tzinfo=timezone.utc)
DTYPES = {"slice": "object", "metric": "object", "value": "float64", "n": "int64", "low": "float64", "high": "float64"}
Odds = tuple[float, float, float]


def bet(
    home: str, kickoff: str, outcome: str, odds: float, p: float, stake: float, settlement: str | None
) -> dict[str, Any]:
    profit = {"won": stake * (odds - 1.0), "lost": -stake, "void": 0.0, None: np.nan}[settlement]
    key = {"season": 2023, "home_team": home, "away_team": "Derby", "kickoff": pd.Timestamp(kickoff, tz="UTC")}
    money = {"probability": p, "odds": odds, "edge": p * odds - 1.0, "stake": stake, "bankroll": 1000.0}
    return {**key, "outcome": outcome, **money, "settlement": settlement, "profit": profit}


LEDGER = pd.DataFrame(
    [
        bet("Leeds", "2024-01-06 15:00", "H", 2.0, 0.55, 10.0, "won"),
        bet("Stoke", "2024-01-06 15:00", "D", 4.0, 0.30, 5.0, "lost"),
        bet("Wigan", "2024-01-13 15:00", "A", 3.0, 0.40, 20.0, "lost"),
        bet("Bury", "2024-01-20 15:00", "H", 1.5, 0.70, 10.0, "won"),
        bet("Hull", "2024-01-20 15:00", "H", 9.0, 0.90, 50.0, "void"),
        bet("Luton", "2024-01-27 15:00", "H", 9.0, 0.90, 50.0, None),
    ]
)
"""A fall from 1,010 to 985, and 990 at the end; 45 units staked on what was won or lost."""


def closing(odds: Odds) -> dict[str, Any]:
    return {**dict(zip(CLOSING_ODDS, odds, strict=True)), "closing_source": "AvgC"}


KNOWN = matches(
    played("Leeds", "Derby", "2024-01-06 15:00", 1, 0, **closing((1.6, 16 / 3, 16 / 3))),  # 0.625 for the home win
    played("Stoke", "Derby", "2024-01-06 15:00", 1, 0),
    played("Wigan", "Derby", "2024-01-15 20:00", 1, 0, **closing((4.0, 4.0, 2.0))),  # moved by two days
    played("Bury", "Derby", "2024-01-20 15:00", 1, 0, **closing((1.25, 10.0, 10.0))),
    fixture("Hull", "Derby", "2024-03-20 15:00"),
)


def values(scores: pd.DataFrame, name: str = ALL) -> dict[str, float]:
    of_slice = scores[scores["slice"] == name].set_index("metric")["value"]
    return {str(metric): float(value) for metric, value in of_slice.items()}


def test_every_score_of_a_ledger_is_what_its_bets_add_up_to() -> None:
    scores = ledger_scores(LEDGER, KNOWN, NOW - timedelta(minutes=1), began_with=1000.0)
    expected = {
        "bankroll": 990.0,
        "profit": -10.0,
        "turnover": 45.0,
        "roi": -0.01,
        "yield": -10 / 45,
        "claimed_value": (10 * 0.1 + 5 * 0.2 + 20 * 0.2 + 10 * 0.05) / 45,
        "overconfidence": (6.5 + 10) / 45,
        "hit_rate": 0.5,
        "hit_rate_implied": (1 / 2 + 1 / 4 + 1 / 3 + 2 / 3) / 4,
        "clv": (10 * (2.0 * 0.625 - 1.0) + 20 * (3.0 * 0.5 - 1.0)) / 30,
        "max_drawdown": 25 / 1010,
    }
    assert set(expected) == set(METRICS)
    assert values(scores) == pytest.approx(expected)
    overall = scores[scores["slice"] == ALL].set_index("metric")["n"]
    assert overall.drop("clv").unique().tolist() == [4]
    assert overall["clv"] == 2, "one has no closing odds, and those of another are not settled yet"


def test_the_closing_odds_count_from_48_hours_after_the_match_itself() -> None:
    at_48_hours = ledger_scores(LEDGER, KNOWN, NOW, began_with=1000.0).set_index(["slice", "metric"])
    assert at_48_hours.loc[(ALL, "clv"), "n"] == 3
    assert at_48_hours.loc[("home wins", "clv"), "value"] == pytest.approx((10 * 0.25 + 10 * (1.5 * 0.8 - 1)) / 20)
    # 48 hours after the kick-off that was bet on, two days before it was played
    moved = ledger_scores(LEDGER, KNOWN, datetime(2024, 1, 16, tzinfo=timezone.utc), began_with=1000.0)
    assert "clv" not in values(moved, "away wins")


@pytest.mark.parametrize(
    ("known", "as_of"),
    [(KNOWN.assign(**dict.fromkeys(CLOSING_ODDS, np.nan)), NOW), (KNOWN, datetime(2024, 1, 7, tzinfo=timezone.utc))],
    ids=["no closing odds", "within 48 hours"],
)
def test_without_closing_odds_there_is_no_closing_line_value(known: pd.DataFrame, as_of: datetime) -> None:
    scores = ledger_scores(LEDGER, known, as_of, began_with=1000.0)
    assert set(values(scores)) == set(METRICS) - {"clv"}
    assert "clv" not in set(scores["metric"])


def test_void_and_open_bets_have_no_part() -> None:
    decided = LEDGER[LEDGER["settlement"].isin(["won", "lost"])]
    expected = ledger_scores(decided, KNOWN, NOW, began_with=1000.0)
    pd.testing.assert_frame_equal(ledger_scores(LEDGER, KNOWN, NOW, began_with=1000.0), expected)


@pytest.mark.parametrize(
    ("stakes", "won", "expected"),
    [
        ([10.0, 10.0], [True, True], 0.0),
        ([10.0], [False], 0.1),  # the peak is what it began with
        ([50.0, 50.0, 30.0, 65.0], [True, False, True, False], 85 / 150),
        ([100.0], [False], 1.0),
    ],
)
def test_the_drawdown_is_the_largest_fall_from_a_peak(stakes: list[float], won: list[bool], expected: float) -> None:
    ledger = pd.DataFrame(
        [
            bet("Leeds", f"2024-01-{day:02d} 15:00", "H", 2.0, 0.6, stake, "won" if good else "lost")
            for day, (stake, good) in enumerate(zip(stakes, won, strict=True), start=1)
        ]
    ).assign(away_team=[f"Team {number}" for number in range(len(stakes))])
    assert values(ledger_scores(ledger, KNOWN, NOW, began_with=100.0))["max_drawdown"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("odds", "band"),
    [
        *((1.01, "odds 1 to 1.5"), (1.49, "odds 1 to 1.5"), (1.5, "odds 1.5 to 2"), (2.0, "odds 2 to 3")),
        *((2.99, "odds 2 to 3"), (3.0, "odds 3 to 5"), (5.0, "odds 5 and more"), (501.0, "odds 5 and more")),
    ],
)
def test_a_band_of_odds_holds_its_lower_edge(odds: float, band: str) -> None:
    ledger = pd.DataFrame([bet("Leeds", "2024-01-06 15:00", "D", odds, 0.9, 10.0, "won")])
    assert [name for name, _ in slices(ledger)] == ["draws", band]


def test_the_slices_of_a_ledger_add_up_to_all_of_it() -> None:
    scores = ledger_scores(LEDGER, KNOWN, NOW, began_with=1000.0)
    outcomes = ["home wins", "draws", "away wins"]
    bands = ["odds 1.5 to 2", "odds 2 to 3", "odds 3 to 5"]
    assert scores["slice"].drop_duplicates().tolist() == [ALL, *outcomes, *bands]
    assert scores.groupby("slice")["n"].max()[[*outcomes, *bands]].tolist() == [2, 1, 1, 1, 1, 2]
    for names in (outcomes, bands):
        for metric in ("profit", "turnover"):
            parts = sum(values(scores, name)[metric] for name in names)
            assert parts == pytest.approx(values(scores)[metric])
    assert values(scores, "home wins")["yield"] == pytest.approx(15 / 20)


@pytest.mark.parametrize(
    "ledger",
    [LEDGER.iloc[:0], LEDGER[LEDGER["settlement"] == "void"], pd.DataFrame(columns=list(LEDGER))],
    ids=["no bet", "only void ones", "no bet and no dtypes"],
)
def test_a_ledger_without_a_decided_bet_has_no_score(ledger: pd.DataFrame) -> None:
    scores = ledger_scores(ledger, KNOWN, NOW, began_with=1000.0)
    assert scores.empty
    assert {name: str(dtype) for name, dtype in scores.dtypes.items()} == DTYPES


def random_bets(days: int, *, seed: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two bets a day at fair odds with their match frame: nothing is won on average."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([5.0, 4.0, 4.0], 2 * days).clip(0.02)
    p /= p.sum(axis=1, keepdims=True)
    rows, bets = [], []
    for number, chances in enumerate(p):
        goals = [(1, 0), (1, 1), (0, 1)][rng.choice(3, p=chances)]
        kickoff = str(pd.Timestamp("2023-08-12 15:00") + pd.Timedelta(days=number // 2))
        odds = dict(zip(PRE_MATCH_ODDS, 1.0 / chances, strict=True)) | closing(tuple(1.0 / (1.04 * chances)))
        rows.append(played(f"Team {number}", "Derby", kickoff, *goals, odds_source="Avg", **odds))
        settlement = "won" if goals == (1, 0) else "lost"
        bets.append(bet(f"Team {number}", kickoff, "H", 1.0 / chances[0], chances[0] + 0.03, 10.0, settlement))
    return pd.DataFrame(bets), matches(*rows)


@pytest.mark.parametrize(("days", "has"), [(FEWEST_DAYS - 1, False), (60, True)])
def test_ratios_have_an_interval_around_them_from_five_match_days_on(days: int, has: bool) -> None:
    ledger, known = random_bets(days)
    scores = ledger_scores(ledger, known, NOW, began_with=1000.0)
    assert {name: str(dtype) for name, dtype in scores.dtypes.items()} == DTYPES
    ratios = scores[
        (scores["slice"] == ALL) & ~scores["metric"].isin(["profit", "turnover", "bankroll", "max_drawdown"])
    ]
    assert set(ratios["metric"]) == {"roi", "yield", "claimed_value", "overconfidence", "hit_rate"} | {
        *("hit_rate_implied", "clv")
    }
    assert (ratios["low"].notna() & ratios["high"].notna()).tolist() == [has] * len(ratios)
    if has:
        assert ((ratios["low"] < ratios["value"]) & (ratios["value"] < ratios["high"])).all()
        again = ledger_scores(ledger, known, NOW, began_with=1000.0)
        pd.testing.assert_frame_equal(scores, again)


def test_no_end_of_the_return_is_less_than_losing_everything() -> None:
    ledger, known = random_bets(60)
    reckless = ledger.assign(stake=150.0, profit=np.where(ledger["settlement"] == "won", ledger["profit"] * 15, -150.0))
    began_with = 200.0 + max(0.0, float(-reckless["profit"].cumsum().min()))
    scores = ledger_scores(reckless, known, NOW, began_with=began_with)
    (roi,) = scores[scores["metric"] == "roi"].to_dict("records")
    assert -1.0 <= roi["low"] < roi["value"] < roi["high"]
    assert roi["value"] == pytest.approx(reckless["profit"].sum() / began_with)


def test_nineteen_intervals_in_twenty_hold_what_a_fair_book_gives() -> None:
    held = []
    for seed in range(60):
        scores = blind_scores(random_bets(60, seed=seed)[1])
        held += (scores["low"].le(0.0) & scores["high"].ge(0.0)).tolist()
    assert len(held) == 60 * len(BLIND)
    assert 0.90 < np.mean(held) < 0.99


def priced(odds: Odds, best: Odds | None) -> dict[str, Any]:
    pairs = [(PRE_MATCH_ODDS, odds), *([] if best is None else [(MAX_ODDS, best)])]
    cells = {name: price for names, prices in pairs for name, price in zip(names, prices, strict=True)}
    return {**cells, "odds_source": "Avg"}


THREE = matches(
    played("Leeds", "Derby", "2024-01-06 15:00", 1, 0, **priced((2.0, 3.5, 4.0), (2.2, 3.6, 4.4))),
    played("Stoke", "Derby", "2024-01-13 15:00", 1, 1, **priced((3.0, 3.0, 2.5), None)),
    played("Wigan", "Derby", "2024-01-20 15:00", 0, 1, **priced((5.0, 4.0, 1.6), (5.5, 4.2, 1.7))),
    fixture("Luton", "Derby", "2024-01-27 15:00", **priced((2.0, 3.5, 4.0), (2.2, 3.6, 4.4))),
)


def test_blind_betting_wins_what_three_matches_by_hand_give() -> None:
    scores = blind_scores(THREE)
    assert tuple(scores) == SCORE_COLUMNS
    assert set(scores["metric"]) == {"yield"}
    expected = {
        "blind every outcome, consensus": (3, (2.0 + 3.0 + 1.6) / 9 - 1),
        "blind home, consensus": (3, 2.0 / 3 - 1),
        "blind favourite, consensus": (3, (2.0 + 1.6) / 3 - 1),
        "blind outsider, consensus": (3, -1.0),  # of the home win and the draw at 3.0 the home win
        # Stoke has no best prices, and nobody has those of one bookmaker.
        "blind every outcome, best": (2, (2.2 + 1.7) / 6 - 1),
        "blind home, best": (2, 2.2 / 2 - 1),
        "blind favourite, best": (2, (2.2 + 1.7) / 2 - 1),
        "blind outsider, best": (2, -1.0),
    }
    assert dict(zip(scores["slice"], scores["n"], strict=True)) == {name: n for name, (n, _) in expected.items()}
    found = dict(zip(scores["slice"], scores["value"], strict=True))
    assert found == pytest.approx({name: value for name, (_, value) in expected.items()})


def test_what_was_bet_on_stands_beside_blind_betting_at_every_price() -> None:
    chosen = THREE.iloc[:3].assign(outcome=["H", "D", "D"], **dict(zip(BOOKMAKER_ODDS, (2.1, 3.1, 1.5), strict=True)))
    scores = blind_scores(chosen).set_index("slice")["value"]
    assert scores[f"{CHOSEN}, consensus"] == pytest.approx((2.0 + 3.0) / 3 - 1)
    assert scores[f"{CHOSEN}, best"] == pytest.approx(2.2 / 2 - 1)
    assert scores[f"{CHOSEN}, {ONE_BOOKMAKER}"] == pytest.approx((2.1 + 3.1) / 3 - 1)
    assert len(scores) == 3 * (len(BLIND) + 1)


@pytest.mark.parametrize("known", [THREE.iloc[:0], THREE.iloc[3:], KNOWN], ids=["none", "no result", "no price"])
def test_blind_betting_without_a_result_or_a_price_is_absent(known: pd.DataFrame) -> None:
    scores = blind_scores(known)
    assert scores.empty
    assert {name: str(dtype) for name, dtype in scores.dtypes.items()} == DTYPES


def test_blind_betting_on_twelve_real_seasons_loses_the_margin_that_is_known() -> None:
    """Whoever bets on everything at Bet365 loses between 4 and 6 %, more at the average price, and nearly nothing at
    the best of all: a mistake in prices, results or arithmetic would show."""
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    seasons = []
    for season in range(2012, 2024):
        file = folder / "mmz4281" / season_folder(season) / "E0.csv"
        seasons.append(parse(file.read_bytes(), file=str(file), season=season, complete=True))
    odds = pd.concat([parsed.odds for parsed in seasons])
    scores = blind_scores(with_bookmaker(join([parsed.matches for parsed in seasons]), odds)).set_index("slice")
    every = scores.loc[[f"blind every outcome, {prices}" for prices in (ONE_BOOKMAKER, "consensus", "best")]]
    assert every["n"].tolist() == [4_560] * 3
    assert every["value"].round(4).tolist() == [-0.0473, -0.0591, -0.0023]
