"""What the ledger of paper bets takes, how it is settled, and that it adds up."""

import threading
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from pl_predictor.core import betting
from pl_predictor.core.betting import Method, Staking
from pl_predictor.core.matches import KEY
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.frames import fixture, forecast, matches, played
from pl_predictor_tests.storage.ledgers import (
    AFTER,
    BEFORE,
    BEST,
    KICKOFF,
    PRICE,
    PRICES,
    SETTLED,
    STAKING,
    as_if_taken_then,
    bet,
    bettable,
    know,
    seal,
    settle,
    take,
    told,
)


@pytest.fixture
def storage(engine: Engine) -> BetStorage:
    return bettable(engine)


def test_a_bet_before_kick_off_is_kept(storage: BetStorage) -> None:
    assert take(storage, bet()) == 1
    kept = storage.ledger(replay=True).iloc[0]
    expected = {**bet(), "as_of": BEFORE, "replay": True, "model_version": "1", "code_version": "abc"}
    assert {name: kept[name] for name in expected} == expected
    assert kept["settlement"] is None
    assert kept[["profit", "bankroll_after", "settled_at"]].isna().all()
    assert timedelta(0) < datetime.now(timezone.utc) - kept["timestamp"] < timedelta(minutes=1)
    assert storage.ledger(replay=False).empty


def test_an_empty_ledger_has_the_types_of_a_full_one(storage: BetStorage) -> None:
    empty = storage.ledger(replay=True)
    take(storage, bet())
    assert empty.dtypes.to_dict() == storage.ledger(replay=True).dtypes.to_dict()


def test_the_same_bet_twice_is_one_row(storage: BetStorage) -> None:
    assert (take(storage, bet()), take(storage, bet())) == (1, 0)
    assert len(storage.ledger(replay=True)) == 1


def test_a_match_that_is_bet_on_stays_as_it_is_whatever_a_later_bet_says(engine: Engine, storage: BetStorage) -> None:
    take(storage, bet())
    know(engine, fixture("Arsenal", "Leeds", KICKOFF, **PRICES))
    other = bet("D", "Arsenal", "Leeds", forecast_id=seal(engine, "Arsenal", "Leeds"))
    assert take(storage, bet("A", stake=10.0), bet("D", odds=99.0), other) == 1
    assert told(storage, "home_team", "outcome", "stake") == [("Chelsea", "H", 50.0), ("Arsenal", "D", 50.0)]


def test_two_that_take_the_same_bet_at_once_end_as_one(storage: BetStorage) -> None:
    barrier, taken = threading.Barrier(2), list[int]()

    def work() -> None:
        barrier.wait()
        taken.append(take(storage, bet()))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [0, 1]


@pytest.mark.parametrize("result", "HDA")
@pytest.mark.parametrize("outcome", "HDA")
def test_a_bet_is_won_by_its_outcome_and_lost_by_any_other(
    engine: Engine, storage: BetStorage, outcome: str, result: str
) -> None:
    take(storage, bet(outcome))
    sealed = storage.ledger(replay=True)
    assert settle(engine) == 0
    goals = {"H": (1, 0), "D": (1, 1), "A": (0, 1)}[result]
    know(engine, played("Chelsea", "Fulham", KICKOFF, *goals))
    assert (settle(engine), settle(engine)) == (1, 0)
    profit = round(50.0 * (PRICE[outcome] - 1), 2) if outcome == result else -50.0
    settlement = "won" if outcome == result else "lost"
    assert told(storage, *SETTLED) == [(outcome, settlement, profit, 1000.0 + profit)]
    filled = ["settlement", "profit", "bankroll_after", "settled_at"]
    settled = storage.ledger(replay=True)
    assert settled["settled_at"].tolist() == [AFTER]
    pd.testing.assert_frame_equal(settled.drop(columns=filled), sealed.drop(columns=filled))


def test_a_postponed_match_makes_its_bet_void_and_can_be_bet_on_again(engine: Engine, storage: BetStorage) -> None:
    take(storage, bet())
    moved, day = "2024-03-02 15:00", datetime(2024, 3, 1, tzinfo=timezone.utc)
    know(engine, fixture("Chelsea", "Fulham", moved))
    assert settle(engine) == 1
    again = bet("D", kickoff=pd.Timestamp(moved, tz="UTC"), forecast_id=seal(engine, kickoff=moved, as_of=day))
    assert (take(storage, again, as_of=day), take(storage, again, as_of=day)) == (1, 0)
    know(engine, played("Chelsea", "Fulham", moved, 1, 1))
    assert settle(engine, day + timedelta(days=3)) == 1
    assert told(storage, *SETTLED) == [("H", "void", 0.0, 1000.0), ("D", "won", 130.0, 1130.0)]


@pytest.mark.parametrize(
    ("played_at", "settlement"),
    [("2024-01-16 15:00", "won"), ("2024-01-16 15:01", "void"), ("2024-01-10 14:59", "void")],
)
def test_three_days_from_its_kick_off_a_match_is_still_the_one_that_was_bet_on(
    engine: Engine, storage: BetStorage, played_at: str, settlement: str
) -> None:
    take(storage, bet())
    know(engine, played("Chelsea", "Fulham", played_at, 1, 0))
    other = {"won": ("void", 0.0), "void": ("won", 62.5)}[settlement]
    lie = pd.DataFrame([{"id": 1, "settlement": other[0], "profit": other[1], "bankroll_after": 1000 + other[1]}])
    with pytest.raises(IntegrityError, match=f"cannot be {other[0]}"):
        storage.settle(lie, settled_at=AFTER + timedelta(days=9))
    assert settle(engine, AFTER + timedelta(days=9)) == 1
    assert told(storage, "settlement") == [(settlement,)]


def test_a_match_without_a_result_makes_its_bet_void_after_thirty_days_and_not_before(
    engine: Engine, storage: BetStorage
) -> None:
    take(storage, bet())
    given_up = pd.DataFrame([{"id": 1, "settlement": "void", "profit": 0.0, "bankroll_after": 1000.0}])
    deadline = datetime(2024, 2, 12, 15, tzinfo=timezone.utc)
    with pytest.raises(IntegrityError, match="cannot be void"):
        storage.settle(given_up, settled_at=deadline)
    assert told(storage, "settlement") == [(None,)]
    assert settle(engine, deadline + timedelta(seconds=1)) == 1
    assert told(storage, *SETTLED) == [("H", "void", 0.0, 1000.0)]


@pytest.mark.parametrize(("days", "void"), [(29, False), (31, True)])
def test_a_live_match_without_a_result_is_given_up_after_thirty_days(engine: Engine, days: int, void: bool) -> None:
    now = datetime.now(timezone.utc)
    kickoff = now.replace(microsecond=0) - timedelta(days=days)
    as_if_taken_then(engine, kickoff)
    storage = BetStorage(engine)
    rows = pd.DataFrame([{"id": 1, "settlement": "void", "profit": 0.0, "bankroll_after": 1000.0}])
    if void:
        assert storage.settle(rows, settled_at=now) == 1
        return
    with pytest.raises(IntegrityError, match="cannot be void"):
        storage.settle(rows, settled_at=now)
    assert storage.ledger(replay=False)["settlement"].tolist() == [None]


def test_bets_settled_in_a_row_add_up_and_the_next_bet_starts_from_their_sum(
    engine: Engine, storage: BetStorage
) -> None:
    names = [("Arsenal", "Leeds"), ("Burnley", "Everton"), ("Wolves", "Spurs")]
    know(engine, *(fixture(*teams, KICKOFF, **PRICES) for teams in names))
    ids = [seal(engine, *teams) for teams in names]
    rows = [bet(outcome, *teams, forecast_id=n) for outcome, teams, n in zip("HDA", names, ids, strict=True)]
    assert take(storage, *rows) == 3
    know(engine, *(played(*teams, KICKOFF, 1, 0) for teams in names))
    assert settle(engine) == 3
    assert told(storage, *SETTLED) == [
        ("H", "won", 62.5, 1062.5), ("D", "lost", -50.0, 1012.5), ("A", "lost", -50.0, 962.5),
    ]  # fmt: skip
    with pytest.raises(IntegrityError, match=r"bankroll 1000\.00 is not .* 1000\.00 at the start and -37\.50"):
        take(storage, bet())
    assert len(told(storage, "id")) == 3
    assert take(storage, bet(bankroll=962.5, stake=48.13)) == 1


def test_a_set_of_settlements_with_a_bad_one_settles_none(engine: Engine, storage: BetStorage) -> None:
    know(engine, fixture("Arsenal", "Leeds", KICKOFF, **PRICES))
    take(storage, bet(), bet("H", "Arsenal", "Leeds", forecast_id=seal(engine, "Arsenal", "Leeds")))
    know(engine, played("Chelsea", "Fulham", KICKOFF, 1, 0), played("Arsenal", "Leeds", KICKOFF, 0, 1))
    rows = [{"id": n, "settlement": "won", "profit": 62.5, "bankroll_after": 1000 + 62.5 * n} for n in (1, 2)]
    with pytest.raises(IntegrityError, match="cannot be won"):
        storage.settle(pd.DataFrame(rows), settled_at=AFTER)
    assert told(storage, "settlement") == [(None,), (None,)]


@pytest.mark.parametrize("method", ["kelly", "flat"])
def test_the_bankroll_is_its_start_and_all_profits_and_never_negative(engine: Engine, method: Method) -> None:
    random = np.random.default_rng(5)
    staking = Staking("best", method, 1000.0, 1.0, 0.05, 0.05, 0.01, 0.0)
    storage, metrics = BetStorage(engine), MetricsStorage(engine)
    for n in range(8):
        day = datetime(2024, 1, 5, 12, tzinfo=timezone.utc) + timedelta(days=7 * n)
        kickoff = f"{day + timedelta(hours=3):%Y-%m-%d %H:%M}"
        teams = [(f"Home {n} {k}", f"Away {k}") for k in range(25)]
        prices = [dict(zip(BEST, np.round(random.uniform(1.05, 9.0, 3), 2), strict=True)) for _ in teams]
        known = matches(*(fixture(*pair, kickoff, **PRICES | best) for pair, best in zip(teams, prices, strict=True)))
        MatchStorage(engine).store_matches(known, "test")
        p = random.dirichlet((3, 2, 2), len(teams)).tolist()
        rows = pd.DataFrame([forecast(*pair, kickoff, (h, d, a)) for pair, (h, d, a) in zip(teams, p, strict=True)])
        metrics.store_predictions(rows, as_of=day, replay=True, model_version="1", code_version="abc")
        made = metrics.get_predictions_by_date_range(day, day)
        book = betting.book(storage.ledger(replay=True), staking)
        bets = betting.take(betting.edges(made, known, staking), book, staking)
        bets = bets.merge(made[[*KEY, "id"]].rename(columns={"id": "forecast_id"}), on=list(KEY))
        bets = bets.assign(prices="best", starting_bankroll=staking.bankroll)
        taken = storage.take(bets, as_of=day, replay=True, model_version="1", code_version="abc")
        assert taken == len(bets) > 15
        results = [played(*pair, kickoff, *random.integers(0, 3, 2).tolist()) for pair in teams]
        know(engine, *results)
        assert settle(engine, day + timedelta(days=1)) == len(bets)
        ledger = storage.ledger(replay=True)
        assert ledger["bankroll_after"].tolist() == pytest.approx(1000 + ledger["profit"].cumsum().to_numpy())
        assert (ledger["bankroll_after"] >= 0).all()


def test_the_edges_are_those_of_the_last_set_only(engine: Engine, storage: BetStorage) -> None:
    made = MetricsStorage(engine).get_predictions_by_date_range(BEFORE, BEFORE)
    worth = betting.edges(made, MatchStorage(engine).season(2023, "E0"), STAKING)

    def replace(rows: pd.DataFrame, code_version: str) -> None:
        storage.replace_edges(
            rows, prices="best", as_of=BEFORE, replay=True, model_version="1", code_version=code_version
        )

    replace(worth.sample(frac=1.0, random_state=1), "abc")
    replace(worth, "def")
    kept = storage.edges()
    pd.testing.assert_frame_equal(kept[list(betting.EDGE_COLUMNS)], worth)
    assert kept[["prices", "code_version"]].drop_duplicates().to_numpy().tolist() == [["best", "def"]]
    replace(worth.assign(odds=np.nan, edge=np.nan, market_probability=np.nan), "abc")
    assert storage.edges()[["odds", "edge", "market_probability"]].isna().all(axis=None)
    replace(worth.iloc[:0], "abc")
    assert storage.edges().empty


def test_scores_are_replaced_for_their_moment_and_kept_for_others(storage: BetStorage) -> None:
    rows = pd.DataFrame([("all", "profit", 12.5, 3, None, None), ("all", "yield", 0.1, 3, -0.2, 0.4)])
    rows = rows.set_axis(["slice", "metric", "value", "n", "low", "high"], axis=1)

    def store(scores: pd.DataFrame, as_of: datetime) -> None:
        storage.store_scores(scores, as_of=as_of, replay=True, code_version="abc")

    for as_of in (BEFORE, AFTER, AFTER):
        store(rows, as_of)
    store(rows.iloc[1:], AFTER)
    kept = storage.scores(BEFORE, replay=True)
    pd.testing.assert_frame_equal(kept[list(rows.columns)], rows.astype({"low": "float64", "high": "float64"}))
    assert storage.scores(AFTER, replay=True)["metric"].tolist() == ["yield"]
    assert storage.scores(AFTER, replay=False).empty
