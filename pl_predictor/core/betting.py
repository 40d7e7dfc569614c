"""Bets on paper: what an outcome is worth at a price, how much is staked on it, and what became of it.

Here: value, stakes, settlement, and the ledger that these make of past seasons. Not here: how the bets did
(core/betting_scores.py), what prices mean (core/market.py), where the ledger is kept (storage/bets.py). No price is
made up: an outcome without odds has no value, and is not bet on. Money is in units, to the hundredth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY, MAX_ODDS, OUTCOMES, PRE_MATCH_ODDS

Prices = Literal["best", "consensus"]
Method = Literal["kelly", "flat"]
Floats = NDArray[np.float64]

PRICES: Final[dict[Prices, tuple[str, str, str]]] = {"best": MAX_ODDS, "consensus": PRE_MATCH_ODDS}
"""The columns of a match frame that hold them. best: the highest of all bookmakers; consensus: their average."""
PROBABILITIES: Final = ("p_home", "p_draw", "p_away")
MATCH: Final = list(KEY)
VALUE: Final = "value"
"""The verdict of the outcome of a match that is worth a bet."""
MOVED: Final = timedelta(days=3)
"""A match that is played further than this from the kick-off that was bet on makes the bet void, as bookmakers do with
what is not played within its round."""
GIVEN_UP: Final = timedelta(days=30)
"""So long after a kick-off without a result, the match is taken for abandoned."""
EDGE_COLUMNS: Final = (*KEY, "kickoff", "outcome", "probability", "market_probability", "odds", "edge", "verdict")
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
    margin. verdict: VALUE for the one outcome of a match to bet on, for any other why not, in words.
    """
    columns = dict.fromkeys([*PRE_MATCH_ODDS, *PRICES[staking.prices]])
    seen = forecasts[[*KEY, "kickoff", *PROBABILITIES]].merge(
        matches[[*KEY, *columns]], how="left", on=MATCH, validate="one_to_one"
    )
    seen = seen.sort_values(["kickoff", "home_team"], kind="stable", ignore_index=True)
    n = len(seen)
    probability = seen[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    odds = seen[list(PRICES[staking.prices])].to_numpy(dtype=np.float64)
    market = implied_probabilities(seen[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64))
    table = seen.loc[seen.index.repeat(3), [*KEY, "kickoff"]].reset_index(drop=True)
    table = table.assign(
        outcome=pd.Series(np.tile(np.array(OUTCOMES, dtype=object), n), dtype=object),
        probability=probability.ravel(),
        market_probability=market.ravel(),
        odds=odds.ravel(),
        edge=value(probability, odds).ravel(),
    )
    return table.assign(verdict=_verdicts(table, staking))[list(EDGE_COLUMNS)]


def _verdicts(table: pd.DataFrame, staking: Staking) -> pd.Series:
    priced = table["odds"].notna()
    short, unlikely = table["edge"] < staking.min_edge, table["probability"] < staking.min_confidence
    worth = priced & ~short & ~unlikely
    best = table["edge"].where(worth).groupby([table[name] for name in MATCH]).rank(method="first", ascending=False)
    verdict = pd.Series(VALUE, index=table.index, dtype=object)
    verdict[worth & (best > 1)] = "another outcome is worth more"
    limits = {"confidence": f" is under {staking.min_confidence:.1%}", "edge": f" is under {staking.min_edge:.1%}"}
    probability = "probability " + table["probability"].map("{:.1%}".format) + limits["confidence"]
    verdict = verdict.mask(unlikely, probability)
    verdict = verdict.mask(short, "edge " + table["edge"].map("{:+.1%}".format) + limits["edge"])
    verdict[~priced] = "no odds"
    return verdict


def take(worth: pd.DataFrame, book: Book, staking: Staking) -> pd.DataFrame:
    """The bets on what has the verdict VALUE among `worth` (rows of `edges`): BET_COLUMNS, a row a bet.

    Stakes are shares of the whole bankroll, and together no more than what is not at stake: where that is too little,
    all are cut alike. What is left of a stake under a hundredth is no bet. A match that is bet on already is left out.
    """
    key = worth[MATCH].apply(tuple, axis=1).isin(book.matches) if len(worth) else pd.Series(dtype=bool)
    bets = worth[(worth["verdict"] == VALUE) & ~key].reset_index(drop=True)
    p, odds = bets["probability"].to_numpy(dtype=np.float64), bets["odds"].to_numpy(dtype=np.float64)
    if staking.method == "kelly":
        wanted = staking.kelly_fraction * kelly(p, odds) * book.bankroll
    else:
        wanted = np.full(len(bets), staking.flat_stake * staking.bankroll)
    wanted = np.minimum(wanted, staking.max_stake * book.bankroll)
    left = max(book.bankroll - book.at_stake, 0.0)
    cut = min(1.0, left / wanted.sum()) if wanted.sum() > 0 else 1.0
    stake = np.floor(np.round(wanted * cut * 100.0, 6)) / 100.0
    bets = bets.assign(stake=stake, bankroll=book.bankroll)
    return bets.loc[stake > 0, list(BET_COLUMNS)].reset_index(drop=True)


def settle(bets: pd.DataFrame, matches: pd.DataFrame, as_of: datetime, bankroll: float) -> pd.DataFrame:
    """What became of open bets (BET_COLUMNS; other columns are kept) by what is known at `as_of`: those that are
    decided, in the order of their kick-offs, with settlement (won, lost, void), profit and bankroll_after.

    matches: match frame, in which a bet finds its match by KEY, whenever that is played. bankroll: before the first of
    these. A match that was moved by more than MOVED makes its bet void: the stake comes back, and the match may be bet
    on again. So does one that has no result GIVEN_UP after its kick-off.
    """
    known = matches[[*KEY, "kickoff", "result"]].rename(columns={"kickoff": "played_at"})
    seen = bets.merge(known, how="left", on=MATCH, validate="many_to_one")
    played = seen["result"].notna()
    moved = (seen["played_at"] - seen["kickoff"]).abs() > MOVED
    void = moved | (~played & (seen["kickoff"] + GIVEN_UP < as_of))
    decided = seen[played | void].copy()
    void = void[decided.index]
    won = decided["result"] == decided["outcome"]
    decided["settlement"] = np.select([void, won], ["void", "won"], default="lost")
    gain = (decided["stake"] * (decided["odds"] - 1.0)).round(2)
    decided["profit"] = np.select([void, won], [0.0, gain], default=-decided["stake"])
    decided = decided.sort_values(["kickoff", "home_team"], kind="stable", ignore_index=True)
    decided["bankroll_after"] = (bankroll + decided["profit"].cumsum()).round(2)
    return decided.drop(columns=["played_at", "result"])


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
    """The ledger that these forecasts would have made: BET_COLUMNS, settlement, profit, bankroll_after, a row a bet.

    forecasts: forecast frame with made_at, as a walk-forward gives it; matches: match frame with results and odds. Each
    round is bet on when its forecasts were made, with what the rounds before it had left.
    """
    worth = edges(forecasts, matches, staking).merge(forecasts[[*KEY, "made_at"]], on=MATCH)
    state, rounds = Book(staking.bankroll), []
    for _, coming in worth.groupby("made_at", sort=True):
        bets = take(coming, state, staking)
        if bets.empty:
            continue
        settled = settle(bets, matches, bets["kickoff"].max() + MOVED, state.bankroll)
        rounds.append(settled)
        state = Book(float(settled["bankroll_after"].iloc[-1]))
    columns: Sequence[str] = [*BET_COLUMNS, "settlement", "profit", "bankroll_after"]
    return pd.concat(rounds, ignore_index=True)[columns] if rounds else pd.DataFrame(columns=list(columns))
