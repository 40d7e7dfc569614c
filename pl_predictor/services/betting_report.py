"""`pl-predictor backtest --bets`: the bets that a walk-forward's forecasts would have made, as tables on a terminal.

Here: what is shown, and in which words. Not here: how bets are chosen and settled (core/betting.py), what the scores
are (core/betting_scores.py).
"""

from datetime import datetime
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table

from pl_predictor.core.betting import VALUE, Staking, edges, simulate
from pl_predictor.core.betting_scores import ALL, METRICS, blind_scores, ledger_scores
from pl_predictor.core.matches import KEY, season_name
from pl_predictor.services.report import NARROWEST

MONEY: Final = ("bankroll", "profit", "turnover")
"""The metrics in units; the others are shares."""
OF_A_SEASON: Final = (
    "turnover",
    "profit",
    "yield",
    "hit_rate",
    "hit_rate_implied",
    "clv",
    "claimed_value",
    "max_drawdown",
)


def print_bets(forecasts: pd.DataFrame, matches: pd.DataFrame, staking: Staking, as_of: datetime) -> None:
    """The ledger's scores in total, by slice and by season, and those of blind betting, as tables on stdout; a sentence
    where there is no bet, or no odds.

    forecasts: forecast frame with made_at; matches: match frame with results and odds, and BOOKMAKER_ODDS where the
    source has them; as_of: when these matches were read.
    """
    console = Console()
    console.width = max(console.width, NARROWEST)
    ledger, worth = simulate(forecasts, matches, staking), edges(forecasts, matches, staking)
    if ledger.empty:
        console.print(f"No bets on paper: {_why_no_bet(worth, staking)}.", soft_wrap=True)
    else:
        scores = ledger_scores(ledger, matches, as_of, began_with=staking.bankroll)
        console.print(_total(scores, staking))
        console.print(_by_slice(scores))
        seasons = sorted(set(forecasts["season"]))
        if len(seasons) > 1:
            console.print(_by_season(ledger, matches, seasons, staking.bankroll, as_of))
        unpriced = int(worth["odds"].isna().sum()) // 3
        if unpriced:
            console.print(f"Matches without {staking.prices} prices, which are not bet on: {unpriced}")
    blind = _blind(ledger, matches)
    if blind is not None:
        console.print(blind)


def _why_no_bet(worth: pd.DataFrame, staking: Staking) -> str:
    priced = worth[worth["odds"].notna()]
    if priced.empty:
        return f"none of the {len(worth) // 3} matches has {staking.prices} prices, and none are made up"
    if (worth["verdict"] == VALUE).any():
        return f"every stake is under a hundredth of a unit; PL_BANKROLL={staking.bankroll:g} is too small for them"
    likely = priced[priced["probability"] >= staking.min_confidence]
    if likely.empty:
        return f"no outcome has a probability of {staking.min_confidence:.1%} (PL_MIN_CONFIDENCE)"
    return (
        f"of the {len(priced) // 3} matches with {staking.prices} prices no outcome with a probability of "
        f"{staking.min_confidence:.1%} (PL_MIN_CONFIDENCE) has an edge of {staking.min_edge:.1%} (PL_MIN_EDGE); the "
        f"largest is {likely['edge'].max():+.1%}"
    )


def _total(scores: pd.DataFrame, staking: Staking) -> Table:
    if staking.method == "kelly":
        stakes = f"{staking.kelly_fraction:g} of Kelly's stakes"
    else:
        stakes = f"flat stakes of {staking.flat_stake:.1%}"
    title = f"Bets on paper: {staking.prices} prices, {stakes}, from {staking.bankroll:.2f} units"
    table = _table(title, "", "value", "95 % interval", "n")
    table.add_column("what it says")
    found = _of(scores, ALL)
    for metric, meaning in METRICS.items():
        if metric in found:
            row = found[metric]
            table.add_row(_words(metric), _value(row), _interval(row), str(row.n), meaning)
    return table


def _by_slice(scores: pd.DataFrame) -> Table:
    """A row a slice; a metric that none has is left out."""
    metrics = [metric for metric in ("claimed_value", "clv") if metric in set(scores["metric"])]
    table = _table("By outcome and by odds taken", "", "bets", "yield", "95 % interval", *map(_words, metrics))
    for name in scores.loc[scores["slice"] != ALL, "slice"].unique():
        found = _of(scores, name)
        row = found["yield"]
        table.add_row(name, str(row.n), _value(row), _interval(row), *(_value(found.get(metric)) for metric in metrics))
    return table


def _by_season(
    ledger: pd.DataFrame, matches: pd.DataFrame, seasons: list[int], began_with: float, as_of: datetime
) -> Table:
    """A row a season, each of which begins with what the one before it has left; a metric that none has is left out."""
    found: dict[int, dict[str, Any]] = {}
    left = {}
    for season in seasons:
        bets = ledger[ledger["season"] == season]
        found[season] = _of(ledger_scores(bets, matches, as_of, began_with=began_with), ALL)
        began_with = left[season] = found[season]["bankroll"].value if found[season] else began_with
    metrics = [metric for metric in OF_A_SEASON if any(metric in scores for scores in found.values())]
    table = _table("By season", "", "bets", *map(_words, metrics), "bankroll")
    for season, scores in found.items():
        bets_won_or_lost = scores["yield"].n if scores else 0
        cells = [(_with_interval if metric == "yield" else _value)(scores.get(metric)) for metric in metrics]
        table.add_row(season_name(season), str(bets_won_or_lost), *cells, f"{left[season]:.2f}")
    return table


def _blind(ledger: pd.DataFrame, matches: pd.DataFrame) -> Table | None:
    """What a unit on each match would have won without any skill; None where no match has a price."""
    bet_on = blind_scores(matches.merge(ledger[[*KEY, "outcome"]], on=list(KEY))) if len(ledger) else None
    parts = {"the matches bet on": bet_on, "all matches with odds": blind_scores(matches)}
    found = {
        heading: {str(row.slice): row for row in scores.itertuples()}
        for heading, scores in parts.items()
        if scores is not None
    }
    names = list(dict.fromkeys(name for rows in found.values() for name in rows))
    if not names:
        return None
    headings = [cell for heading in found for cell in (heading, "n")]
    table = _table("Yield of a unit on each match", "", *headings)
    for name in names:
        cells: list[str] = []
        for rows in found.values():
            row = rows.get(name)
            cells += ["", ""] if row is None else [_with_interval(row), str(row.n)]
        table.add_row(name, *cells)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name else "left")
    return table


def _of(scores: pd.DataFrame, name: str) -> dict[str, Any]:
    """The rows of a slice by metric."""
    return {str(row.metric): row for row in scores[scores["slice"] == name].itertuples()}


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _value(row: Any) -> str:
    """The value of a row of SCORE_COLUMNS; blank where there is none."""
    if row is None:
        return ""
    return f"{row.value:.2f}" if row.metric in MONEY else _share(row.value)


def _interval(row: Any) -> str:
    return "" if pd.isna(row.low) or pd.isna(row.high) else f"{_share(row.low)} to {_share(row.high)}"


def _with_interval(row: Any) -> str:
    if row is None:
        return ""
    interval = _interval(row)
    return f"{_value(row)} ({interval})" if interval else _value(row)


def _share(value: float) -> str:
    return f"{round(value, 3) + 0.0:.1%}"  # the sum makes a minus of what is 0.0% go away
