"""A match to bet on, a forecast of it, and ways to write and settle bets, for the tests of the ledger."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, text

from pl_predictor import tables
from pl_predictor.core import betting
from pl_predictor.core.betting import Staking
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.frames import fixture, forecast, matches

KICKOFF = "2024-01-13 15:00"
BEFORE = datetime(2024, 1, 13, 14, tzinfo=timezone.utc)
AFTER = datetime(2024, 1, 14, 12, tzinfo=timezone.utc)
P = {"H": 0.5, "D": 0.3, "A": 0.2}
BEST = {"max_home_odds": 2.25, "max_draw_odds": 3.6, "max_away_odds": 5.5}
PRICES: dict[str, Any] = {**BEST, "home_odds": 2.1, "draw_odds": 3.4, "away_odds": 5.2}
PRICE = dict(zip("HDA", BEST.values(), strict=True))
SETTLED = ("outcome", "settlement", "profit", "bankroll_after")
STAKING = Staking("best", "kelly", 1000.0, 0.5, 0.02, 0.05, 0.02, 0.1)


def know(engine: Engine, *rows: dict[str, Any]) -> None:
    MatchStorage(engine).store_matches(matches(*rows), "test")


def seal(
    engine: Engine,
    home: str = "Chelsea",
    away: str = "Fulham",
    kickoff: str = KICKOFF,
    *,
    as_of: datetime = BEFORE,
    replay: bool = True,
) -> int:
    """Seal a forecast with the probabilities P, and tell its id."""
    rows = pd.DataFrame([forecast(home, away, kickoff, (P["H"], P["D"], P["A"]))])
    storage = MetricsStorage(engine)
    storage.store_predictions(rows, as_of=as_of, replay=replay, model_version="1", code_version="abc")
    return int(storage.get_predictions_by_date_range(as_of, as_of)["id"].max())


def bet(outcome: str = "H", home: str = "Chelsea", away: str = "Fulham", **changed: Any) -> dict[str, Any]:
    """A row of `bets` that the database takes, unless `changed`; the edge is what probability and odds make of it."""
    row = {
        **{"season": 2023, "home_team": home, "away_team": away, "kickoff": pd.Timestamp(KICKOFF, tz="UTC")},
        **{"outcome": outcome, "forecast_id": 1, "probability": P.get(outcome), "odds": PRICE.get(outcome)},
        **{"prices": "best", "stake": 50.0, "bankroll": 1000.0, "starting_bankroll": 1000.0},
        **changed,
    }
    return {"edge": row["probability"] * row["odds"] - 1, **row}


def take(storage: BetStorage, *rows: dict[str, Any], as_of: datetime = BEFORE, replay: bool = True) -> int:
    return storage.take(pd.DataFrame(rows), as_of=as_of, replay=replay, model_version="1", code_version="abc")


def write(engine: Engine, row: dict[str, Any]) -> None:
    """Insert as somebody would who goes round the storage."""
    with engine.begin() as connection:
        write_in(connection, row)


def write_in(connection: Connection, row: dict[str, Any]) -> None:
    """The same in a transaction that is open."""
    written = {"as_of": BEFORE, "replay": True, "model_version": "1", "code_version": "abc", **row}
    connection.execute(tables.bets.insert().values(**written))


def settle(engine: Engine, as_of: datetime = AFTER, *, replay: bool = True) -> int:
    """Settle what core.betting finds decided by what the table of matches says."""
    storage = BetStorage(engine)
    ledger = storage.ledger(replay=replay)
    open_bets = ledger[ledger["settlement"].isna()]
    known = MatchStorage(engine).season(2023, "E0")
    bankroll = betting.book(ledger, STAKING).bankroll
    return storage.settle(betting.settle(open_bets, known, as_of, bankroll), settled_at=as_of)


def told(storage: BetStorage, *columns: str) -> list[tuple[Any, ...]]:
    return list(storage.ledger(replay=True)[list(columns)].itertuples(index=False, name=None))


def bettable(engine: Engine) -> BetStorage:
    """The storage of bets, where a match is to come and a forecast of it is sealed."""
    know(engine, fixture("Chelsea", "Fulham", KICKOFF, **PRICES))
    seal(engine)
    return BetStorage(engine)


def as_if_taken_then(engine: Engine, kickoff: datetime, *, bet_on: bool = True) -> dict[str, Any]:
    """A live forecast, and a bet on it, as they would be there had they been made an hour before `kickoff`: as the
    database's owner, who can switch triggers off. Returns the bet's row."""
    said, as_of = f"{kickoff:%Y-%m-%d %H:%M:%S}", kickoff - timedelta(hours=1)
    know(engine, fixture("Chelsea", "Fulham", said, **PRICES))
    guarded = ("model_predictions", "bets")
    for table in guarded:
        execute(engine, f"ALTER TABLE {table} DISABLE TRIGGER seal")
    number = seal(engine, kickoff=said, as_of=as_of, replay=False)
    row = bet(kickoff=kickoff, forecast_id=number, as_of=as_of, replay=False)
    if bet_on:
        write(engine, row)
    for table in guarded:
        execute(engine, f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER seal")
    return row


def execute(engine: Engine, statement: str) -> None:
    """Run and commit."""
    with engine.begin() as connection:
        connection.execute(text(statement))
