"""The asset `bet_ledger`."""

from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.bettable import bettable
from pl_predictor.assets.market_edges import market_edges
from pl_predictor.assets.matches import matches
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.code_version import code_version
from pl_predictor.core.betting import SETTLED_ORDER, VALUE, Book, Staking, book, edges, settle, take
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.matches import KEY
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

SHOWN = ("kickoff", "home_team", "away_team", "outcome", "probability", "odds", "edge", "stake", "settlement", "profit")


@dg.asset(
    deps=[matches, market_edges],
    group_name="betting",
    owners=OWNERS,
    kinds={"python", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.bets),
)
def bet_ledger(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """Bets on paper, never a real one: settled by the match key, and taken where a forecast of this moment has value.

    Append-only: a bet is written before kick-off at a price that was there, with the probability of its forecast, and
    only its settlement is filled in; the database refuses everything else. A match is bet on once.
    """
    moment, staking = feed.moment(context), policy.betting()
    version = registry.serving(moment.as_of).version
    with postgres.one_at_a_time("bets"):
        before = postgres.bets.ledger(replay=moment.replay)
        if reason := _unfit(before, moment, staking):
            return dg.MaterializeResult(metadata={"dagster/row_count": len(before), "reason": reason})
        known = postgres.matches.matches(moment.as_of, replay=moment.replay)
        settled = settle(before[before["settlement"].isna()], known, moment.as_of, book(before, staking).bankroll)
        postgres.bets.settle(settled, settled_at=moment.as_of)
        state = book(postgres.bets.ledger(replay=moment.replay), staking)
        found = bettable(version, known, moment, feed, postgres)
        worth = edges(found.forecasts, found.matches, staking)
        new = _write(take(worth, state, staking), found.forecasts, staking, postgres, context.run.run_id)
        ledger = postgres.bets.ledger(replay=moment.replay)
    return dg.MaterializeResult(metadata=_about(ledger, worth, book(ledger, staking), moment, new, len(settled)))


def _unfit(ledger: pd.DataFrame, moment: Moment, staking: Staking) -> str | None:
    """Why nothing may be written at this moment; PredictorError where the ledger began with another bankroll."""
    if ledger.empty:
        return None
    began = float(ledger["starting_bankroll"].iloc[0])
    if began != staking.bankroll:
        raise PredictorError(
            f"the ledger began with {began:.2f} units and PL_BANKROLL is {staking.bankroll:.2f}: set it to "
            f"{began:.2f}, or begin another ledger in a home (PL_HOME) and database of its own"
        )
    stands_at = pd.concat([ledger["as_of"], ledger["settled_at"]]).max()
    if moment.replay and stands_at > moment.as_of:
        return (
            f"the ledger stands at {stands_at:%d %B %Y, %H:%M} UTC and neither bets nor settles at an earlier moment: "
            "live that in a home (PL_HOME) of its own"
        )
    return None


def _write(bets: pd.DataFrame, forecasts: pd.DataFrame, staking: Staking, postgres: Postgres, run_id: str) -> int:
    if bets.empty:
        return 0
    followed = forecasts.rename(columns={"id": "forecast_id"})
    return postgres.bets.take(
        bets.merge(followed[[*KEY, "forecast_id"]], on=list(KEY)).assign(
            prices=staking.prices, starting_bankroll=staking.bankroll
        ),
        as_of=followed["as_of"].iloc[0],
        replay=bool(followed["replay"].iloc[0]),
        model_version=str(followed["model_version"].iloc[0]),
        code_version=code_version(),
        dagster_run_id=run_id,
    )


def _about(
    ledger: pd.DataFrame, worth: pd.DataFrame, state: Book, moment: Moment, new: int, settled: int
) -> dict[str, Any]:
    about: dict[str, Any] = {
        **rows(ledger, preview=ledger.iloc[::-1][list(SHOWN)]),
        "as_of": dg.MetadataValue.timestamp(moment.as_of),
        "bankroll": state.bankroll,
        "at_stake": state.at_stake,
        "open": int(ledger["settlement"].isna().sum()),
        "taken_now": new,
        "settled_now": settled,
    }
    if not new:
        about["reason"] = _why_no_bet(worth, state)
    return about


def _why_no_bet(worth: pd.DataFrame, state: Book) -> str:
    if worth.empty:
        return "no coming fixture was forecast within a day"
    priced = worth[worth["odds"].notna()]
    if priced.empty:
        return f"none of {len(worth) // 3} fixtures has odds that were there when it was forecast"
    if (priced["verdict"] == VALUE).any():
        return f"what has value is bet on already, or {state.bankroll - state.at_stake:.2f} units are too little for it"
    best = priced.sort_values("edge", kind="stable").iloc[-1]
    return (
        f"no outcome of {len(priced) // 3} fixtures with odds is worth a bet; the most, {best['home_team']} - "
        f"{best['away_team']} {best['outcome']}, has {best['edge']:+.1%}: {best['verdict']}"
    )


@dg.asset_check(asset=bet_ledger)
def ledger_adds_up(context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres) -> dg.AssetCheckResult:
    """The bankroll after each settled bet is what the ledger began with and all profits by then, and never negative;
    its match still has the result by which it was settled."""
    moment = feed.moment(context)
    ledger, known = (
        postgres.bets.ledger(replay=moment.replay),
        postgres.matches.matches(moment.as_of, replay=moment.replay),
    )
    settled = ledger[ledger["settlement"].notna()].sort_values(SETTLED_ORDER, kind="stable")
    if settled.empty:
        return dg.AssetCheckResult(passed=True, description=f"{len(ledger)} bets, none settled yet")
    expected = settled["starting_bankroll"].iloc[0] + settled["profit"].cumsum()
    wrong = settled[((settled["bankroll_after"] - expected).abs() > 0.005) | (settled["bankroll_after"] < 0)]
    problems = [
        f"bet {bet.id} leaves {bet.bankroll_after:.2f} where {expected[bet.Index]:.2f} is left"
        for bet in wrong.itertuples()
    ]
    problems += [
        f"bet {bet.id} on {bet.outcome} was {bet.settlement} and {bet.home_team} - {bet.away_team} is {bet.result} now"
        for bet in _settled_otherwise(settled, known).itertuples()
    ]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description=problems[0]
        if problems
        else f"{len(settled)} settled bets, bankroll {settled['bankroll_after'].iloc[-1]:.2f}",
        metadata={"settled": len(settled), "open": int(ledger["settlement"].isna().sum()), "problems": problems},
    )


def _settled_otherwise(settled: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The settled bets whose match has another result now than then: sealed all the same, and worth knowing."""
    seen = settled.merge(known[[*KEY, "result"]], on=list(KEY))
    says = (seen["result"] == seen["outcome"]).map({True: "won", False: "lost"})
    return seen[seen["settlement"].isin(["won", "lost"]) & seen["result"].notna() & (seen["settlement"] != says)]
