"""The ledger of paper bets cannot be polished: the database itself refuses, whoever asks, and nothing changes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from pl_predictor.storage.bets import BetStorage
from pl_predictor_tests.frames import fixture, played
from pl_predictor_tests.storage.ledgers import (
    BEFORE,
    KICKOFF,
    PRICES,
    as_if_taken_then,
    bet,
    bettable,
    execute,
    know,
    seal,
    settle,
    take,
    write,
    write_in,
)


@pytest.fixture
def storage(engine: Engine) -> BetStorage:
    """Two matches with forecasts 1 and 2, a bet on the second; 3: of the first at another moment; 4: settled."""
    storage = bettable(engine)
    know(engine, fixture("Arsenal", "Leeds", KICKOFF, **PRICES), fixture("Wolves", "Spurs", KICKOFF, **PRICES))
    seal(engine, "Arsenal", "Leeds")
    seal(engine, as_of=BEFORE - timedelta(days=1))
    seal(engine, "Wolves", "Spurs")
    know(engine, played("Wolves", "Spurs", KICKOFF, 1, 0))
    execute(engine, "UPDATE model_predictions SET actual_result = 'H' WHERE id = 4")
    take(storage, bet("A", "Arsenal", "Leeds", forecast_id=2))
    return storage


@contextmanager
def refused(storage: BetStorage, why: str, *, replay: bool = True) -> Iterator[None]:
    """The block is refused for that reason, and the ledger is what it was before."""
    before = storage.ledger(replay=replay)
    with pytest.raises(IntegrityError, match=why):
        yield
    pd.testing.assert_frame_equal(storage.ledger(replay=replay), before)


@pytest.mark.parametrize(
    ("cheat", "refusal"),
    [
        ({"odds": 2.1}, "odds 2.1 for H are not the best ones, which are 2.25"),
        ({"prices": "consensus"}, "are not the consensus ones, which are 2.1"),
        ({"odds": 2.26}, "are not the best ones, which are 2.25"),
        ({"odds": 3.6}, "are not the best ones, which are 2.25"),
        ({"prices": "closing"}, "are not the closing ones, which are unknown"),
        ({"outcome": "X", "probability": 0.5, "odds": 2.25}, "probability 0.5 of X is not the forecast's"),
        ({"outcome": "D", "probability": 0.5}, "probability 0.5 of D is not the forecast's 0.3"),
        ({"probability": 0.51}, "probability 0.51 of H is not the forecast's 0.5"),
        ({"probability": 1.5}, "is not the forecast's"),
        ({"edge": 0.5}, "edge_is_that_of_the_odds"),
        ({"edge": -0.125}, "value_is_claimed|edge_is_that_of_the_odds"),
        ({"forecast_id": 2}, "is not that of forecast 2 of .*Arsenal"),
        ({"forecast_id": 3}, "is not that of forecast 3 of"),
        ({"forecast_id": 99}, "is not that of forecast 99"),
        ({"forecast_id": 4, "home_team": "Wolves", "away_team": "Spurs"}, "forecast 4 is settled already with H"),
        ({"model_version": "2"}, "is not that of forecast 1"),
        ({"model_name": "another"}, "is not that of forecast 1"),
        ({"as_of": BEFORE + timedelta(minutes=1)}, "is not that of forecast 1"),
        ({"as_of": datetime(2024, 1, 13, 15, tzinfo=timezone.utc)}, "is not that of forecast 1"),
        ({"replay": False}, "is not that of forecast 1"),
        ({"kickoff": pd.Timestamp("2024-02-13 15:00", tz="UTC")}, "is not that of forecast 1 of"),
        ({"stake": 50.01}, "stake 50.01 is over 5 % of the bankroll 1000.00"),
        ({"stake": 0.0}, "something_is_staked"),
        ({"stake": -50.0}, "something_is_staked"),
        ({"stake": float("nan")}, "is over 5 %"),
        ({"bankroll": 2000.0}, "bankroll 2000.00 is not the ledger's: 1000.00 at the start and 0 settled"),
        ({"bankroll": float("nan")}, "bankroll NaN is not the ledger's"),
        ({"starting_bankroll": 2000.0, "bankroll": 2000.0}, "its ledger began with 1000.00, not with 2000.00"),
        ({"settlement": "won", "profit": 62.5, "bankroll_after": 1062.5, "settled_at": BEFORE}, "is settled already"),
        ({"profit": 62.5}, "is settled already"),
        ({"home_team": "Arsenal", "away_team": "Leeds", "forecast_id": 2}, "bets_one_a_match_idx"),
        ({"away_team": "Nowhere"}, "is not that of forecast 1"),
    ],
)
def test_the_database_refuses_a_bet_that_cheats(
    engine: Engine, storage: BetStorage, cheat: dict[str, Any], refusal: str
) -> None:
    with refused(storage, refusal):
        write(engine, bet(**cheat))
    write(engine, bet())
    assert len(storage.ledger(replay=True)) == 2


def test_a_ledger_begins_with_a_number_of_units(engine: Engine) -> None:
    storage = bettable(engine)
    for start in (float("nan"), 0.0):
        with refused(storage, "began_with_something|is over 5 %"):
            write(engine, bet(bankroll=start, starting_bankroll=start))


def test_open_bets_cannot_stake_more_than_the_bankroll(engine: Engine) -> None:
    storage = bettable(engine)
    names = [(f"Home {n}", f"Away {n}") for n in range(20)]
    know(engine, *(fixture(*teams, KICKOFF, **PRICES) for teams in names))
    rows = [bet("H", *teams, forecast_id=seal(engine, *teams)) for teams in names]
    with refused(storage, "stake 50.00 and the 1000.00 of open bets are more than the bankroll 1000.00"):
        take(storage, *rows, bet())
    assert take(storage, *rows) == 20
    with refused(storage, "stake 0.01 and the 1000.00 of open bets"):
        write(engine, bet(stake=0.01))


def test_a_replay_takes_the_price_that_the_log_has_for_its_moment(engine: Engine) -> None:
    storage = bettable(engine)
    execute(engine, "UPDATE match_revisions SET seen_at = '2024-01-12'")
    execute(engine, "UPDATE matches SET max_home_odds = 9")
    with refused(storage, "odds 9 for H are not the best ones, which are 2.25"):
        take(storage, bet(odds=9.0))
    assert take(storage, bet()) == 1


def test_a_replay_settles_by_the_result_that_the_log_has_for_its_moment(engine: Engine) -> None:
    storage = bettable(engine)
    take(storage, bet())
    know(engine, played("Chelsea", "Fulham", KICKOFF, 1, 0))
    seen_at = "CASE WHEN result IS NULL THEN timestamptz '2024-01-12' ELSE '2024-01-14 06:00' END"
    execute(engine, f"UPDATE match_revisions SET seen_at = {seen_at}")
    execute(engine, "UPDATE matches SET result = 'D', home_goals = 1, away_goals = 1")
    won = pd.DataFrame([{"id": 1, "settlement": "won", "profit": 62.5, "bankroll_after": 1062.5}])
    with refused(storage, "cannot be won: its match has result none"):
        storage.settle(won, settled_at=datetime(2024, 1, 13, 20, tzinfo=timezone.utc))
    assert storage.settle(won, settled_at=datetime(2024, 1, 14, 12, tzinfo=timezone.utc)) == 1


def test_no_bet_is_settled_before_its_match_or_at_a_time_to_come(engine: Engine) -> None:
    storage = bettable(engine)
    take(storage, bet())
    know(engine, played("Chelsea", "Fulham", KICKOFF, 1, 0))
    won = pd.DataFrame([{"id": 1, "settlement": "won", "profit": 62.5, "bankroll_after": 1062.5}])
    with refused(storage, "cannot be won"):
        storage.settle(won, settled_at=BEFORE + timedelta(minutes=5))
    now = datetime.now(timezone.utc)
    as_if_taken_then(engine, now - timedelta(hours=5))
    with refused(storage, "which is to come", replay=False):
        storage.settle(won.assign(id=2), settled_at=now + timedelta(days=365))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("kickoff = kickoff + interval '1 hour'", "its kick-off .* is not the match's"),
        ("result = 'D'", r"a result \(D\)"),
        ("max_home_odds = 2.4", "are not the best ones, which are 2.4"),
        ("home_odds = 2.4", None),
    ],
)
def test_a_live_bet_is_on_the_match_as_it_is_known_now(engine: Engine, change: str, refusal: str | None) -> None:
    storage, now = BetStorage(engine), datetime.now(timezone.utc)
    day = f"{now + timedelta(days=2):%Y-%m-%d %H:%M}"
    know(engine, fixture("Chelsea", "Fulham", day, **PRICES))
    row = bet(kickoff=pd.Timestamp(day, tz="UTC"), as_of=now, replay=False)
    seal(engine, kickoff=day, as_of=now, replay=False)
    execute(engine, f"UPDATE matches SET {change}")
    if refusal is None:
        write(engine, row)
        return
    with refused(storage, refusal, replay=False):
        write(engine, row)


def test_a_live_bet_after_kick_off_is_refused(engine: Engine) -> None:
    kickoff = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=1)
    row = as_if_taken_then(engine, kickoff, bet_on=False)
    with refused(BetStorage(engine), "after kick-off .* or a result \\(none\\)", replay=False):
        write(engine, row)


def test_whoever_writes_in_a_ledger_waits_for_and_sees_what_another_writes(engine: Engine) -> None:
    storage, refusals = bettable(engine), list[str]()
    know(engine, fixture("Arsenal", "Leeds", KICKOFF, **PRICES))
    number = seal(engine, "Arsenal", "Leeds")

    def work() -> None:
        with pytest.raises(IntegrityError) as refusal:
            write(engine, bet("H", "Arsenal", "Leeds", forecast_id=number, bankroll=2000.0, starting_bankroll=2000.0))
        refusals.append(str(refusal.value))

    def waits() -> bool:
        with engine.connect() as connection:
            return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

    other = threading.Thread(target=work)
    with engine.begin() as connection:
        write_in(connection, bet())
        other.start()
        while other.is_alive() and not waits():
            time.sleep(0.01)
    other.join()
    assert ["its ledger began with 1000.00, not with 2000.00" in refusal for refusal in refusals] == [True]
    assert len(storage.ledger(replay=True)) == 1


def test_a_transaction_that_cannot_see_what_others_wrote_takes_no_bets(engine: Engine) -> None:
    storage = bettable(engine)
    with refused(storage, "repeatable read hides"):
        write(engine.execution_options(isolation_level="REPEATABLE READ"), bet())


def settled_ledger(engine: Engine) -> BetStorage:
    """Bet 1 was lost; bet 2 is open, and the result of its match, by which it is won, is known."""
    storage = bettable(engine)
    know(engine, fixture("Arsenal", "Leeds", KICKOFF, **PRICES))
    take(storage, bet("A"))
    take(storage, bet("H", "Arsenal", "Leeds", forecast_id=seal(engine, "Arsenal", "Leeds")))
    know(engine, played("Chelsea", "Fulham", KICKOFF, 1, 0))
    settle(engine)
    know(engine, played("Arsenal", "Leeds", KICKOFF, 1, 0))
    return storage


OPEN = "WHERE id = 2"
A_LIE = (
    "CREATE TEMPORARY TABLE matches AS SELECT * FROM public.matches; UPDATE pg_temp.matches SET result = NULL; "
    "DISCARD PLANS; "  # a session that has not written any bet before has none
)
REPLICA = "SET LOCAL session_replication_role = replica; "


def settling(
    settlement: str = "won", profit: str = "62.5", after: str = "1012.5", on: str = "2024-01-14", more: str = ""
) -> str:
    """The statement that settles the open bet of `settled_ledger`: as it was won, unless told otherwise."""
    return (
        f"UPDATE bets SET settlement = '{settlement}', profit = '{profit}', bankroll_after = '{after}', "
        f"settled_at = '{on}'{more} {OPEN}"
    )


@pytest.mark.parametrize(
    ("cheat", "refusal"),
    [
        # a bet that was lost
        ("UPDATE bets SET settlement = 'won', profit = 225, bankroll_after = 1225", "is sealed"),
        ("UPDATE bets SET settlement = 'void', profit = 0, bankroll_after = 1000", "is sealed"),
        ("UPDATE bets SET settlement = NULL, profit = NULL, bankroll_after = NULL, settled_at = NULL", "is sealed"),
        ("UPDATE bets SET profit = -1 WHERE id = 1", "is sealed"),
        ("UPDATE bets SET bankroll_after = 2000 WHERE id = 1", "is sealed"),
        ("UPDATE bets SET settled_at = settled_at + interval '1 day' WHERE id = 1", "is sealed"),
        ("UPDATE matches SET result = 'A'; UPDATE bets SET settlement = 'won' WHERE id = 1", "is sealed"),
        # a bet that was won, and is open
        *(
            (f"UPDATE bets SET {column} = {value} {OPEN}", "is sealed")
            for column, value in {
                **{"stake": "500", "odds": "3.6", "probability": "0.9", "edge": "0.9", "outcome": "'D'"},
                **{"bankroll": "2000", "starting_bankroll": "2000", "prices": "'consensus'", "forecast_id": "1"},
                **{"as_of": "as_of - interval '1 hour'", "kickoff": "kickoff + interval '9 days'", "id": "99"},
                **{"timestamp": "now()", "replay": "false", "model_version": "'2'", "home_team": "'Arsenal'"},
                **{"settlement": "settlement", "profit": "62.5"},
            }.items()
        ),
        (settling(more=", stake = 49"), "is sealed"),
        (f"SET LOCAL extra_float_digits = -15; {settling(more=', odds = 2.26')}", "is sealed"),
        (settling(profit="62.51"), "with a profit of 62.50*, not 62.51"),
        (settling(profit="NaN", after="NaN"), "not NaN"),
        (settling(after="1062.5"), "leaves a bankroll of 1012.50, not 1062.50"),
        (settling("lost", "-50", "900"), "cannot be lost"),
        (settling("half"), "cannot be half"),
        (settling(on="2024-01-13"), "cannot be won: its match has result H"),
        (settling("void", "0", "950"), "cannot be void"),
        (settling("void", "0", "950", on="2025-01-14"), "cannot be void"),
        (A_LIE + settling("void", "0", "950", on="2025-01-14"), "cannot be void"),
        (REPLICA + settling("void", "0", "950"), "cannot be void"),
        (REPLICA + "UPDATE bets SET stake = 1", "is sealed"),
        (f"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; {settling()}", "serializable hides"),
        ("DELETE FROM bets", "append-only: DELETE refused"),
        (REPLICA + "DELETE FROM bets", "append-only: DELETE refused"),
        ("TRUNCATE bets", "append-only: TRUNCATE refused"),
        ("TRUNCATE matches, model_predictions CASCADE", "append-only: TRUNCATE refused"),
        (
            "INSERT INTO bets SELECT (jsonb_populate_record(b, '{\"stake\": 1}')).* FROM bets b "
            "ON CONFLICT (id) DO UPDATE SET stake = 1",
            "is sealed|bets_one_a_match_idx",
        ),
    ],
)
def test_the_database_refuses_to_polish_the_ledger(engine: Engine, cheat: str, refusal: str) -> None:
    storage = settled_ledger(engine)
    with refused(storage, refusal), engine.connect() as connection:
        connection.execute(text(cheat))


def test_an_honest_settlement_of_that_ledger_is_taken(engine: Engine) -> None:
    storage = settled_ledger(engine)
    execute(engine, settling())
    assert storage.ledger(replay=True)["settlement"].tolist() == ["lost", "won"]
