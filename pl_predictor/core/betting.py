"""Bets on paper: what an outcome is worth at a price, how much is staked on it, and what became of it.

Here: value, stakes, settlement, and the ledger that these make of past seasons. Not here: how the bets did
(core/betting_scores.py), what prices mean (core/market.py), where the ledger is kept (storage/bets.py). No price is
made up: an outcome without odds has no value, and is not bet on. Money is in units, to the hundredth.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY, MATCH_COLUMNS, MAX_ODDS, OUTCOMES, PRE_MATCH_ODDS, result_known_from
from pl_predictor.core.scoring import PROBABILITIES, Floats

Prices = Literal["best", "consensus"]
Method = Literal["kelly", "flat"]

PRICES: Final[dict[Prices, tuple[str, str, str]]] = {"best": MAX_ODDS, "consensus": PRE_MATCH_ODDS}
"""The columns of a match frame that hold them. best: the highest of all bookmakers; consensus: their average."""
MATCH: Final = list(KEY)
VALUE: Final = "value"
"""The verdict of the outcome of a match that is worth a bet."""
SETTLEMENTS: Final = ("won", "lost", "void")
MOVED: Final = timedelta(days=3)
"""A match that is played further than this from the kick-off that was bet on makes the bet void, as bookmakers do with
what is not played within its round."""
GIVEN_UP: Final = timedelta(days=30)
"""So long after a kick-off without a result, the match is taken for abandoned."""
EDGE_COLUMNS: Final = (*KEY, "kickoff", "outcome", "probability", "market_probability", "odds", "edge", "verdict")
SETTLED_ORDER: Final = ["settled_at", "kickoff", "home_team"]
"""The order in which the bets of a ledger were settled, and in which its bankroll is followed."""
BET_COLUMNS: Final = (*KEY, "kickoff", "outcome", "probability", "odds", "edge", "stake", "bankroll")


@dataclass(frozen=True)
class Staking:
    """How the ledger bets.

    prices: which it takes. method: kelly, `kelly_fraction` of the stake of Kelly's rule, or flat, `flat_stake` of the
    bankroll that the ledger began with; either is at most `max_stake` of the bankroll there is. A bet needs an edge of
    `min_edge` and a probability of `min_confidence`.
    """

    prices: Prices
    method: Method
    bankroll: float
    kelly_fraction: float
    flat_stake: float
    max_stake: float
    min_edge: float
    min_confidence: float


@dataclass(frozen=True)
class Book:
    """Where a ledger stands. bankroll: what it began with and all settled profits; at_stake: what of that is on open
    bets; matches: the keys that are bet on already, a void bet not being one."""

    bankroll: float
    at_stake: float = 0.0
    matches: frozenset[tuple[Any, ...]] = frozenset()


def value(probability: Floats, odds: Floats) -> Floats:
    """What a stake of 1 is expected to win: probability * odds - 1; NaN without odds."""
    expected: Floats = probability * odds - 1.0
    return expected


def kelly(probability: Floats, odds: Floats) -> Floats:
    """The share of a bankroll whose expected logarithm grows fastest: edge / (odds - 1), 0 where there is no edge.

    Kelly (1956), "A new interpretation of information rate", Bell System Technical Journal 35(4).
    """
    share: Floats = np.maximum(value(probability, odds), 0.0) / (odds - 1.0)
    return share


def edges(forecasts: pd.DataFrame, matches: pd.DataFrame, staking: Staking) -> pd.DataFrame:
    """What each outcome of each match is worth at the prices there are: EDGE_COLUMNS, three rows a match.

    forecasts: forecast frame; matches: match frame with their odds. market_probability: the consensus without its
    margin. verdict: VALUE for the one outcome of a match to bet on, the first in the order H, D, A where two are worth
    the same; for any other why not, in words.
    """
    prices = list(PRICES[staking.prices])
    known = matches[[*KEY, *dict.fromkeys([*PRE_MATCH_ODDS, *prices])]]
    seen = forecasts[[*KEY, "kickoff", *PROBABILITIES]].merge(known, how="left", on=MATCH, validate="one_to_one")
    seen = seen.sort_values(["kickoff", "home_team"], kind="stable", ignore_index=True)
    probability = seen[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    odds = seen[prices].to_numpy(dtype=np.float64)
    edge = value(probability, odds)
    worth = (edge >= staking.min_edge) & (probability >= staking.min_confidence)
    most = np.where(worth, edge, -np.inf).argmax(axis=1)
    table = seen.loc[seen.index.repeat(3), [*KEY, "kickoff"]].reset_index(drop=True)
    table["outcome"] = pd.Series(list(OUTCOMES) * len(seen), dtype=object)
    table["probability"] = probability.ravel()
    table["market_probability"] = implied_probabilities(seen[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64)).ravel()
    table["odds"] = odds.ravel()
    table["edge"] = edge.ravel()
    bet_on = worth & (np.arange(3) == most[:, None])
    cells = zip(bet_on.ravel(), table["probability"], table["odds"], table["edge"], strict=True)
    verdicts = [VALUE if bet else _why_not(p, price, gain, staking) for bet, p, price, gain in cells]
    table["verdict"] = pd.Series(verdicts, dtype=object)
    return table[list(EDGE_COLUMNS)]


def best_of_each(worth: pd.DataFrame) -> pd.DataFrame:
    """Of each fixture the outcome to bet on, else the one that is worth most (rows of `edges`), the next
    first."""
    order = worth.assign(chosen=worth["verdict"] == VALUE)
    order = order.sort_values(["chosen", "edge"], ascending=False, kind="stable", na_position="last")
    best = order.drop_duplicates(MATCH).sort_values(["kickoff", "home_team"], kind="stable")
    shown = (*KEY, "kickoff", "outcome", "probability", "market_probability", "odds", "edge")
    return best[[*shown, "verdict"]].reset_index(drop=True)


def _why_not(probability: float, odds: float, edge: float, staking: Staking) -> str:
    """Why an outcome is not bet on."""
    if np.isnan(odds):
        return "no odds"
    if edge < staking.min_edge:
        return f"edge under {100 * staking.min_edge:g} %"
    if probability < staking.min_confidence:
        return f"probability under {100 * staking.min_confidence:g} %"
    return "another outcome is worth more"


def stakes(probability: Floats, odds: Floats, book: Book, staking: Staking) -> Floats:
    """(n,) what is staked on each of n bets that are taken at once, in whole hundredths.

    Stakes are shares of the whole bankroll, and together no more than what of it is not at stake: where that is too
    little, all are cut alike.
    """
    if staking.method == "kelly":
        wanted = staking.kelly_fraction * kelly(probability, odds) * book.bankroll
    else:
        wanted = np.full(len(odds), staking.flat_stake * staking.bankroll)
    wanted = np.minimum(wanted, staking.max_stake * book.bankroll)
    left = max(book.bankroll - book.at_stake, 0.0)
    if wanted.sum() > left:
        wanted *= left / wanted.sum()
    # Down, lest all together be more than there is; rounded before, lest 0.29 be 0.28.
    staked: Floats = np.floor(np.round(wanted * 100.0, 6)) / 100.0
    return staked


def take(worth: pd.DataFrame, book: Book, staking: Staking) -> pd.DataFrame:
    """The bets on what has the verdict VALUE among `worth` (rows of `edges`): BET_COLUMNS, a row a bet.

    A match that is bet on already is left out, and so is a stake under a hundredth.
    """
    again = np.array([key in book.matches for key in worth[MATCH].itertuples(index=False, name=None)], dtype=bool)
    bets = worth[(worth["verdict"] == VALUE) & ~again]
    p, odds = (bets[name].to_numpy(dtype=np.float64) for name in ("probability", "odds"))
    bets = bets.assign(stake=stakes(p, odds, book, staking), bankroll=book.bankroll)
    return bets.loc[bets["stake"] > 0.0, list(BET_COLUMNS)].reset_index(drop=True)


def settle(bets: pd.DataFrame, matches: pd.DataFrame, as_of: datetime, bankroll: float) -> pd.DataFrame:
    """What became of open bets (BET_COLUMNS; other columns are kept): those that are decided at `as_of`, in the order
    of their kick-offs, with settlement (of SETTLEMENTS), profit and bankroll_after.

    matches: match frame as it is known at `as_of`, in which a bet finds its match by KEY, whenever that is played.
    bankroll: before the first of these. A match that was moved by more than MOVED makes its bet void: the stake comes
    back, and the match may be bet on again. So does one that has no result GIVEN_UP after the kick-off bet on.
    """
    # A table without a row is read without dtypes.
    bets = bets.astype({"kickoff": MATCH_COLUMNS["kickoff"].dtype, "odds": "float64", "stake": "float64"})
    played = matches[[*KEY, "kickoff", "result"]].rename(columns={"kickoff": "played_at"})
    seen = bets.merge(played, how="left", on=MATCH, validate="many_to_one")
    unplayed = seen["result"].isna()
    moved = (seen["played_at"] - seen["kickoff"]).abs() > MOVED
    void = moved | (unplayed & (seen["kickoff"] + GIVEN_UP < as_of))
    seen["settlement"] = np.select([void, seen["result"] == seen["outcome"]], ["void", "won"], default="lost")
    decided = seen[void | ~unplayed].sort_values(["kickoff", "home_team"], kind="stable", ignore_index=True)
    decided["profit"] = profits(*(decided[name].to_numpy() for name in ("settlement", "stake", "odds")))
    decided["bankroll_after"] = (bankroll + decided["profit"].cumsum()).round(2)
    return decided.drop(columns=["played_at", "result"])


def profits(settlement: NDArray[Any], stake: Floats, odds: Floats) -> Floats:
    """(n,) what bets won, or lost (under 0), by their SETTLEMENTS; to the hundredth."""
    won = np.round(stake * (odds - 1.0), 2)
    gained: Floats = np.select([settlement == "won", settlement == "lost"], [won, -stake], default=0.0)
    return gained


def book(ledger: pd.DataFrame, staking: Staking) -> Book:
    """Where a ledger stands (rows of bets, settlement None while open)."""
    settled = ledger["settlement"].notna()
    counted = ledger[ledger["settlement"] != "void"]
    return Book(
        bankroll=round(staking.bankroll + float(ledger.loc[settled, "profit"].sum()), 2),
        at_stake=round(float(ledger.loc[~settled, "stake"].sum()), 2),
        matches=frozenset(counted[MATCH].itertuples(index=False, name=None)),
    )


def simulate(forecasts: pd.DataFrame, matches: pd.DataFrame, staking: Staking) -> pd.DataFrame:
    """The ledger that these forecasts would have made: BET_COLUMNS, settlement, profit, bankroll_after, a row a bet, in
    the order of the kick-offs.

    forecasts: forecast frame with made_at, as a walk-forward gives it: kick-offs are those at which the matches were
    played, so that no bet is void. matches: match frame with results and odds; one without a result is not bet on. Each
    round is bet on when its forecasts were made, with the bankroll that the results known then had left.
    """
    finished = matches[matches["result"].notna()]
    worth = edges(forecasts, finished, staking)
    worth = worth[worth["verdict"] == VALUE].merge(forecasts[[*KEY, "made_at"]], on=MATCH)
    # What becomes of a bet does not depend on its stake: settled as one of 0, all are known before the first is taken.
    bets = settle(worth.assign(stake=0.0), finished, worth["made_at"].max(), staking.bankroll)
    known_from = result_known_from(bets["kickoff"])
    p, odds, settlement = (bets[name].to_numpy() for name in ("probability", "odds", "settlement"))
    stake, bankroll, profit = np.zeros((3, len(bets)))
    for moment, rows in bets.groupby("made_at"):
        known, now = (known_from <= moment).to_numpy(), rows.index.to_numpy()
        state = Book(round(staking.bankroll + profit[known].sum(), 2), at_stake=round(stake[~known].sum(), 2))
        stake[now], bankroll[now] = stakes(p[now], odds[now], state, staking), state.bankroll
        profit[now] = profits(settlement[now], stake[now], odds[now])
    after = np.round(staking.bankroll + profit.cumsum(), 2)
    ledger = bets.assign(stake=stake, bankroll=bankroll, profit=profit, bankroll_after=after)
    columns = [*BET_COLUMNS, "settlement", "profit", "bankroll_after"]
    return ledger.loc[stake > 0.0, columns].reset_index(drop=True)
