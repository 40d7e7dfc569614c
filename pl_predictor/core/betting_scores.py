"""How paper bets did: profit, yield, closing line value, claimed value, and what blind betting would have won.

Here: scores of a ledger with sample sizes and intervals, in all and by slice. Not here: how bets are chosen and settled
(core/betting.py), scores of forecasts (core/scoring.py). A void bet has no part in any score. A score that cannot be
computed is absent, never 0.
"""

from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.matches import KEY, MAX_ODDS, OUTCOMES, PRE_MATCH_ODDS
from pl_predictor.core.scoring import CLOSING, Estimate, Floats, Part, bootstrapped, by_day, one_hot, with_closing_odds

METRICS: Final = {
    "bankroll": "units: what the ledger began with and all that it won and lost",
    "profit": "units won, less units lost",
    "turnover": "units staked",
    "roi": "profit / the bankroll that the ledger began with",
    "yield": "profit / turnover: what a staked unit won",
    "claimed_value": "what a staked unit was expected to win by our own probabilities",
    "overconfidence": "claimed value minus yield: over 0 the bets are worth less than was claimed",
    "hit_rate": "share of the bets that were won",
    "hit_rate_implied": "share that the prices taken imply, margin included: 1 / odds",
    "clv": "closing line value: what a staked unit was worth at the closing odds without their margin",
    "max_drawdown": "largest fall of the bankroll from a peak, as a share of that peak",
}
"""What each score says, in the order in which they are shown."""
ALL: Final = "all"
OUTCOME_SLICES: Final = {"H": "home wins", "D": "draws", "A": "away wins"}
BANDS: Final = ((1.0, 1.5), (1.5, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, np.inf))
BLIND: Final = ("every outcome", "home", "favourite", "outsider")
"""Which outcome of each match blind betting bets on."""
CHOSEN: Final = "our choice"
"""The outcome that the ledger bet on: at one bookmaker's prices it shows what the choice among many was worth."""
ONE_BOOKMAKER: Final = "B365"
"""Whose own prices stand beside the best and the average of all: complete in the files since 2002/03."""
BOOKMAKER_ODDS: Final = ("bookmaker_home_odds", "bookmaker_draw_odds", "bookmaker_away_odds")
BLIND_PRICES: Final = {"best": MAX_ODDS, "consensus": PRE_MATCH_ODDS, ONE_BOOKMAKER: BOOKMAKER_ODDS}
SCORE_COLUMNS: Final = ("slice", "metric", "value", "n", "low", "high")

Row = tuple[str, float, int, float | None, float | None]
"""Metric, value, n, low, high: a row of SCORE_COLUMNS but for its slice."""


def ledger_scores(ledger: pd.DataFrame, matches: pd.DataFrame, as_of: datetime, *, began_with: float) -> pd.DataFrame:
    """The METRICS of the bets of a ledger that were won or lost, SCORE_COLUMNS, in all and by slice.

    ledger: BET_COLUMNS, settlement and profit, of core.betting, in the order of settlement, in which the bankroll is
    followed. matches: match frame with closing odds, which count 48 hours after a match. began_with: its bankroll at
    the beginning, units. n: bets; of clv those with closing odds. Intervals (95 %) as those of core.scoring: by match
    day; low and high are NaN where there is none.
    """
    decided = ledger[ledger["settlement"].isin(["won", "lost"])].reset_index(drop=True)
    if decided.empty:
        return _table([])
    decided = decided.assign(fair=_closing_probability(decided, matches, as_of))
    after = began_with + decided["profit"].cumsum()
    peak = np.maximum(after.cummax(), began_with)
    fall = float(((peak - after) / peak).max())
    rows = [
        *_scores(decided),
        *_return(decided, began_with),
        ("bankroll", round(float(after.iloc[-1]), 2), len(decided), None, None),
        ("max_drawdown", fall, len(decided), None, None),
    ]
    parts = {name: _scores(part) for name, part in slices(decided)}
    return _table([(name, *row) for name, found in {ALL: rows, **parts}.items() for row in found])


def slices(bets: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The bets by outcome and by band of odds; a slice without a bet is left out."""
    parts = [(name, bets[bets["outcome"] == outcome]) for outcome, name in OUTCOME_SLICES.items()]
    for low, high in BANDS:
        name = f"odds {low:g} to {high:g}" if np.isfinite(high) else f"odds {low:g} and more"
        parts.append((name, bets[(bets["odds"] >= low) & (bets["odds"] < high)]))
    return [(name, part.reset_index(drop=True)) for name, part in parts if len(part)]


def with_bookmaker(matches: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """The match frame with BOOKMAKER_ODDS, the pre-match prices of ONE_BOOKMAKER in an odds frame; without these
    columns where it has none."""
    own = prices[(prices["bookmaker"] == ONE_BOOKMAKER) & (prices["moment"] == "pre_match")]
    if own.empty:
        return matches
    own = own.rename(columns=dict(zip(PRE_MATCH_ODDS, BOOKMAKER_ODDS, strict=True)))
    return matches.merge(own[[*KEY, *BOOKMAKER_ODDS]], how="left", on=list(KEY), validate="one_to_one")


def blind_scores(matches: pd.DataFrame) -> pd.DataFrame:
    """The yield of betting a unit on BLIND outcomes of these matches at each of BLIND_PRICES: SCORE_COLUMNS.

    matches: match frame with result and those of the columns of BLIND_PRICES that there are; a match without a result
    or a price has no part. It is what the margin, and the choice among many prices, are worth without any skill. Of two
    outcomes at one price the first in the order H, D, A is the favourite, or the outsider. Where there is a column
    `outcome`, what was bet on in each match, CHOSEN stands beside BLIND.
    """
    rows: list[tuple[Any, ...]] = []
    for prices, columns in BLIND_PRICES.items():
        if not set(columns) <= set(matches.columns):
            continue
        priced = matches[matches["result"].notna() & matches[list(columns)].notna().all(axis=1)].reset_index(drop=True)
        if priced.empty:
            continue
        odds = priced[list(columns)].to_numpy(dtype=np.float64)
        gain = np.where(one_hot(priced["result"].to_numpy()) == 1.0, odds - 1.0, -1.0)
        every = np.arange(len(odds))
        favourite, outsider = gain[every, odds.argmin(axis=1)], gain[every, odds.argmax(axis=1)]
        profits = [gain.mean(axis=1), gain[:, 0], favourite, outsider]
        won = {f"blind {which}": profit for which, profit in zip(BLIND, profits, strict=True)}
        if "outcome" in priced:
            won[CHOSEN] = _of_outcome(gain, priced["outcome"])
        for name, profit in won.items():
            bets = priced[["kickoff"]].assign(stake=1.0, profit=profit)
            rows += [(f"{name}, {prices}", *row) for row in _ratios(bets, {"yield": "profit"})]
    return _table(rows)


def _closing_probability(bets: pd.DataFrame, matches: pd.DataFrame, as_of: datetime) -> Floats:
    """(n,) what the closing odds, without their margin, gave the outcome of each bet; NaN without closing odds."""
    # The match's kick-off and not the bet's: a match that is moved a little has its closing odds later.
    games = bets[list(KEY)].merge(matches[[*KEY, "kickoff"]], how="left", on=list(KEY), validate="one_to_one")
    fair = with_closing_odds(games, matches, as_of)[list(CLOSING)].to_numpy(dtype=np.float64)
    return _of_outcome(fair, bets["outcome"])


def _of_outcome(cells: Floats, outcome: pd.Series) -> Floats:
    """(n,) of (n, 3) cells over H, D, A those of each outcome."""
    chosen: Floats = cells[np.arange(len(cells)), outcome.map(OUTCOMES.index).to_numpy(dtype=np.int64)]
    return chosen


def _table(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """SCORE_COLUMNS of such rows."""
    dtypes = {"value": "float64", "n": "int64", "low": "float64", "high": "float64"}
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS)).astype(dtypes)


def _scores(bets: pd.DataFrame) -> list[Row]:
    """Of some bets that were won or lost."""
    stake, profit = bets["stake"], bets["profit"]
    claimed = stake * bets["edge"]
    parts = bets[["kickoff", "stake", "profit"]].assign(claimed=claimed, over=claimed - profit)
    ratios = {"yield": "profit", "claimed_value": "claimed", "overconfidence": "over"}
    even = bets[["kickoff"]].assign(stake=1.0, won=bets["settlement"].eq("won"), implied=1.0 / bets["odds"])
    rows: list[Row] = [
        ("profit", round(float(profit.sum()), 2), len(bets), None, None),
        ("turnover", round(float(stake.sum()), 2), len(bets), None, None),
        *_ratios(parts, ratios),
        *_ratios(even, {"hit_rate": "won", "hit_rate_implied": "implied"}),
    ]
    closed = bets[bets["fair"].notna()].reset_index(drop=True)
    if len(closed):
        worth = closed["stake"] * (closed["odds"] * closed["fair"] - 1.0)
        rows += _ratios(closed[["kickoff", "stake"]].assign(worth=worth), {"clv": "worth"})
    return rows


def _return(bets: pd.DataFrame, began_with: float) -> list[Row]:
    """roi: profit over what the ledger began with, as the growth of the bankroll from day to day, so that no
    resample of days loses more than there is."""

    def part(rows: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
        profit = by_day(rows[["profit"]].to_numpy(dtype=np.float64), day)[:, 0]
        before = began_with + profit.cumsum() - profit
        growth = np.log(np.maximum(1.0 + profit / before, np.finfo(np.float64).tiny))
        return lambda counts: {"roi": np.expm1(counts @ growth)}

    return _rows(bets, part)


def _ratios(bets: pd.DataFrame, wanted: dict[str, str]) -> list[Row]:
    """Of each wanted metric the sum of its column over the sum of the stakes."""
    columns = list(wanted.values())

    def part(rows: pd.DataFrame, day: NDArray[np.int64]) -> Estimate:
        days = by_day(rows[["stake", *columns]].to_numpy(dtype=np.float64), day)

        def estimate(counts: Floats) -> dict[str, Floats]:
            sums = counts @ days
            return {metric: sums[:, k] / sums[:, 0] for k, metric in enumerate(wanted, start=1)}

        return estimate

    return _rows(bets, part)


def _rows(bets: pd.DataFrame, part: Part) -> list[Row]:
    """The metrics of a part. Resamples that are all alike, as of bets that were all lost, show no certainty but a small
    sample: such a metric has no interval."""
    rows: list[Row] = []
    for score in bootstrapped(bets, [part]):
        varies = score.low is not None and score.high is not None and score.high - score.low > 1e-12
        low, high = (score.low, score.high) if varies else (None, None)
        rows.append((score.metric, score.value, score.n, low, high))
    return rows
