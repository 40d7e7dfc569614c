"""Alerts in the tables: one open row a cause, whoever opens it; what waits to be told, and what was."""

import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pl_predictor.core.alerts import Alert, Changes, Condition, Level, reconcile
from pl_predictor.storage.alerts import AlertStorage

AS_OF = datetime(2024, 1, 13, 12, tzinfo=timezone.utc)
LATER = datetime(2024, 1, 14, 12, tzinfo=timezone.utc)


@pytest.fixture
def storage(engine: Engine) -> AlertStorage:
    return AlertStorage(engine)


def failing(key: str, level: Level = Level.ERROR, message: str = "why") -> Condition:
    return Condition(key, level, f"{key} failed", message, run_id="r1")


def happens(storage: AlertStorage, *conditions: Condition, as_of: datetime = AS_OF) -> None:
    """From now on these conditions hold, and no other."""
    storage.apply(reconcile(storage.open_alerts(), conditions), as_of, replay=True)


def rows(engine: Engine, columns: str = "key, level") -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM alerts ORDER BY id"))]


def waiting(storage: AlertStorage) -> list[str]:
    return [alert.headline for alert in storage.waiting(10)]


def tell_all(storage: AlertStorage) -> None:
    for alert in storage.waiting(10):
        storage.sent(alert)


def test_an_alert_comes_back_as_it_was_opened(storage: AlertStorage, engine: Engine) -> None:
    happens(storage, failing("a", message='it\'s \\ {1,2} "why"\nand more'))
    (found,) = storage.open_alerts()
    assert (found.key, found.level, found.title) == ("a", Level.ERROR, "a failed")
    assert (found.message, found.as_of, found.replay) == ('it\'s \\ {1,2} "why"\nand more', AS_OF, True)
    assert (found.resolved_at, found.reached) == (None, ())
    assert rows(engine, "dagster_run_id, sent_at, attempts") == [("r1", None, 0)]


def test_a_cause_that_lasts_is_one_row_that_says_what_is_true_now(storage: AlertStorage, engine: Engine) -> None:
    happens(storage, failing("a"))
    tell_all(storage)
    happens(storage, failing("a", message="another reason"), as_of=LATER)
    assert rows(engine, "message, as_of, opened_at < last_seen_at") == [("another reason", LATER, True)]
    assert waiting(storage) == []


def test_an_alert_that_gets_worse_is_told_again_and_one_that_gets_better_is_not(storage: AlertStorage) -> None:
    happens(storage, failing("a", Level.WARNING))
    tell_all(storage)
    happens(storage, failing("a", Level.CRITICAL))
    assert waiting(storage) == ["[critical] a failed"]
    tell_all(storage)
    happens(storage, failing("a", Level.ERROR))
    assert waiting(storage) == []
    assert [alert.level for alert in storage.open_alerts()] == [Level.ERROR]


def test_an_alert_is_resolved_when_its_cause_is_gone_and_opens_again_when_it_returns(
    storage: AlertStorage, engine: Engine
) -> None:
    happens(storage, failing("a"), failing("b"))
    tell_all(storage)
    happens(storage, failing("b"))
    assert rows(engine, "key, resolved_at IS NULL") == [("a", False), ("b", True)]
    assert waiting(storage) == ["[resolved] a failed"]
    tell_all(storage)
    happens(storage, failing("a"), failing("b"))
    assert rows(engine, "key, resolved_at IS NULL") == [("a", False), ("b", True), ("a", True)]
    assert waiting(storage) == ["[error] a failed"]


def test_what_came_and_went_before_it_was_told_is_told_once(storage: AlertStorage) -> None:
    happens(storage, failing("a"))
    happens(storage)
    assert waiting(storage) == ["[resolved] a failed"]
    tell_all(storage)
    assert waiting(storage) == []


def test_two_reconcilers_at_once_do_not_open_two_alerts_of_one_key(storage: AlertStorage, engine: Engine) -> None:
    together = threading.Barrier(4)

    def open_all() -> None:
        changes = reconcile(storage.open_alerts(), [failing(f"a{i}") for i in range(50)])
        together.wait()
        storage.apply(changes, AS_OF, replay=True)

    threads = [threading.Thread(target=open_all) for _ in range(together.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rows(engine, "key")) == sorted((f"a{i}",) for i in range(50))


def test_one_condition_that_cannot_be_written_leaves_all_as_it_was(storage: AlertStorage, engine: Engine) -> None:
    happens(storage, failing("a"))
    impossible = Condition("b", Level.ERROR, "b", "why", run_id="x" * 37)
    with pytest.raises(Exception, match="value too long"):
        storage.apply(Changes(opened=(impossible,), resolved=tuple(storage.open_alerts())), AS_OF, replay=True)
    assert rows(engine, "key, resolved_at IS NULL") == [("a", True)]


def test_an_event_is_written_once_and_is_never_open(storage: AlertStorage, engine: Engine) -> None:
    def retrained(message: str) -> bool:
        return storage.inform("retrained:7", "Retrained", message, as_of=AS_OF, replay=False, dagster_run_id="r1")

    assert [retrained("first"), retrained("second")] == [True, False]
    assert rows(engine, "level, message, resolved_at = opened_at, dagster_run_id") == [("info", "first", True, "r1")]
    assert storage.open_alerts() == []
    assert waiting(storage) == ["[info] Retrained"]
    tell_all(storage)
    assert waiting(storage) == []


def test_what_could_not_be_sent_waits_behind_what_was_not_tried_yet(storage: AlertStorage, engine: Engine) -> None:
    happens(storage, failing("a"), failing("b"))
    first, second = storage.waiting(10)
    assert (first.key, second.key) == ("a", "b")
    storage.failed(first, "no answer", ["json-1"])
    assert rows(engine, "key, attempts, last_error, sent_at") == [("a", 1, "no answer", None), ("b", 0, None, None)]
    assert [(alert.key, alert.reached) for alert in storage.waiting(10)] == [("b", ()), ("a", ("json-1",))]
    assert [alert.key for alert in storage.waiting(1)] == ["b"]
    tell_all(storage)
    assert rows(engine, "attempts, last_error, sent_at IS NULL, reached") == [
        (2, None, False, []),
        (1, None, False, []),
    ]


@pytest.mark.parametrize(
    ("then", "still"),
    [((failing("a", Level.CRITICAL),), "[critical] a failed"), ((), "[resolved] a failed")],
    ids=["worse", "resolved"],
)
def test_what_changed_while_it_was_sent_is_still_to_be_told(
    storage: AlertStorage, then: tuple[Condition, ...], still: str
) -> None:
    happens(storage, failing("a"))
    being_sent: Alert = storage.waiting(10)[0]
    happens(storage, *then)
    storage.sent(being_sent)
    assert waiting(storage) == [still]


@pytest.mark.parametrize(
    ("level", "resolved", "told"),
    [
        ("error", "NULL", True),
        ("error", "now() - interval '6 days'", True),
        ("error", "now() - interval '8 days'", False),
        ("info", "now() - interval '6 days'", True),
        ("info", "now() - interval '8 days'", False),
    ],
    ids=["open", "resolved lately", "resolved long ago", "a late event", "an old event"],
)
def test_only_what_is_open_is_told_however_old(
    storage: AlertStorage, engine: Engine, level: str, resolved: str, told: bool
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO alerts (key, level, title, message, as_of, replay, opened_at, resolved_at) "
                f"VALUES ('a', '{level}', 'a', 'why', now(), false, now() - interval '30 days', {resolved})"
            )
        )
    assert bool(storage.waiting(10)) is told
