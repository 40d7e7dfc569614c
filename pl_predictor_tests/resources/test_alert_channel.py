"""Alerts reach real channels: exactly once each, later if need be, and never with a secret in what is kept."""

import io
import logging
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from sqlalchemy import Engine, text

from pl_predictor.core.alerts import Alert, Changes, Condition, Level
from pl_predictor.core.errors import PredictorError
from pl_predictor.resources import alert_channel
from pl_predictor.resources.alert_channel import MESSAGES_A_ROUND, AlertChannel, Round, without_secrets
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.web_hook import Hook, listening

AS_OF = datetime(2024, 1, 13, 12, tzinfo=timezone.utc)


@pytest.fixture
def storage(engine: Engine) -> AlertStorage:
    return AlertStorage(engine)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that reaches the root logger. pytest's own `caplog` also listens to loggers that pass nothing on."""
    handler = logging.StreamHandler(written := io.StringIO())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def hook() -> Hook:
    return Hook(free_port())


def opened(storage: AlertStorage, *keys: str) -> None:
    conditions = tuple(Condition(key, Level.ERROR, f"{key} failed", "why") for key in keys)
    storage.apply(Changes(opened=conditions), AS_OF, replay=False)


def one(level: Level, resolved_at: datetime | None = None) -> Alert:
    return Alert(1, "a", level, "a failed", "why", AS_OF, False, AS_OF, resolved_at)


def kept(engine: Engine) -> list[tuple[str, bool, int, str | None]]:
    with engine.connect() as connection:
        query = "SELECT key, sent_at IS NOT NULL, attempts, last_error FROM alerts ORDER BY id"
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize(
    ("alert", "kind", "title"),
    [
        (one(Level.INFO, AS_OF), "info", "[info] a failed"),
        (one(Level.WARNING), "warning", "[warning] a failed"),
        (one(Level.ERROR), "failure", "[error] a failed"),
        (one(Level.CRITICAL), "failure", "[critical] a failed"),
        (one(Level.CRITICAL, AS_OF), "success", "[resolved] a failed"),
    ],
    ids=["info", "warning", "error", "critical", "resolved"],
)
def test_a_channel_is_told_level_title_and_message(hook: Hook, alert: Alert, kind: str, title: str) -> None:
    with listening(hook):
        assert AlertChannel(urls=hook.address).deliver(alert).error is None
    (told,) = hook.received
    assert (told["type"], told["title"]) == (kind, title)
    assert told["message"] == alert.body


def test_what_a_dead_channel_missed_is_sent_exactly_once_when_it_is_back(
    storage: AlertStorage, engine: Engine, hook: Hook
) -> None:
    channel = AlertChannel(urls=hook.address)
    opened(storage, "a", "b")
    (error,) = channel.deliver_waiting(storage).errors
    assert "A Connection error occurred" in error
    assert kept(engine) == [("a", False, 1, error), ("b", False, 1, error)]
    hook.status = 503
    with listening(hook):
        (error,) = channel.deliver_waiting(storage).errors
        assert "error=503" in error
        assert kept(engine) == [("a", False, 2, error), ("b", False, 2, error)]
        hook.status = 200
        assert channel.deliver_waiting(storage) == Round(sent=2)
        assert channel.deliver_waiting(storage) == Round()
    assert hook.titles == ["[error] a failed", "[error] b failed"]
    assert kept(engine) == [("a", True, 3, None), ("b", True, 3, None)]


def test_a_channel_that_works_gets_nothing_twice_because_another_is_down(storage: AlertStorage, hook: Hook) -> None:
    other = Hook(free_port())
    channel = AlertChannel(urls=f"{other.address}  {hook.address}")
    opened(storage, "a")
    with listening(hook):
        for _ in range(2):
            assert channel.deliver_waiting(storage).sent == 0
        with listening(other):
            assert channel.deliver_waiting(storage) == Round(sent=1)
    assert (hook.titles, other.titles) == (["[error] a failed"], ["[error] a failed"])


def test_a_round_sends_the_oldest_and_leaves_the_others_to_the_next(storage: AlertStorage, hook: Hook) -> None:
    keys = [f"a{i:02}" for i in range(MESSAGES_A_ROUND + 2)]
    opened(storage, *keys)
    with listening(hook):
        rounds = [AlertChannel(urls=hook.address).deliver_waiting(storage) for _ in range(2)]
    assert rounds == [Round(MESSAGES_A_ROUND), Round(2)]
    assert hook.titles == [f"[error] {key} failed" for key in keys]


def test_a_round_whose_time_is_up_begins_no_further_message(
    storage: AlertStorage, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(storage, "a", "b")
    monkeypatch.setattr(alert_channel, "ROUND_SECONDS", -1.0)
    with listening(hook):
        assert AlertChannel(urls=hook.address).deliver_waiting(storage) == Round()
    assert hook.titles == []
    assert len(storage.waiting(10)) == 2


@pytest.mark.parametrize("urls", ["", "  "])
def test_without_a_channel_nothing_is_noted_as_sent(storage: AlertStorage, engine: Engine, urls: str) -> None:
    opened(storage, "a")
    assert AlertChannel(urls=urls).deliver_waiting(storage) == Round()
    assert kept(engine) == [("a", False, 0, None)]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("nosuch://s3cretword@host", "nosuch://..."),
        ("mailto://", "mailto://..."),
        ("s3cretword", "without a schema"),
        ("s3cretword:// ", "s3cretword://..."),
    ],
    ids=["unknown", "incomplete", "no address", "only a schema"],
)
def test_a_wrong_address_is_an_error_that_names_the_variable_and_the_schema_only(
    storage: AlertStorage, hook: Hook, address: str, shown: str, log: io.StringIO
) -> None:
    opened(storage, "a")
    with listening(hook), pytest.raises(PredictorError) as raised:
        AlertChannel(urls=f"{hook.address} {address}").deliver_waiting(storage)
    assert str(raised.value).startswith(f"PL_ALERT_URLS: address 2 ({shown}) is none that Apprise can use")
    assert ("s3cretword" in str(raised.value)) is (shown == "s3cretword://...")
    assert "s3cretword" not in log.getvalue()
    assert hook.titles == []


def test_no_secret_is_in_what_is_kept_of_a_failure(storage: AlertStorage, engine: Engine, hook: Hook) -> None:
    opened(storage, "a")
    channel = AlertChannel(urls=hook.address)
    shown = f"{channel.deliver_waiting(storage)} {kept(engine)} {channel!r}"
    with engine.connect() as connection:
        shown += str(connection.execute(text("SELECT * FROM alerts")).all())
    for secret in ("robot", "s3cretword", "t0ken", "127.0.0.1"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("said", "address", "left"),
    [
        ("refused abc123def by api", "slack://abc123def/ghi", "refused *** by api"),
        ("user p@ss: no", "mailto://me:p%40ss@host", "user ***: no"),
        ("error=503", "json://host:503x/", "error=503"),
    ],
    ids=["a token", "a quoted password", "a number of its own"],
)
def test_parts_of_an_address_are_blacked_out(said: str, address: str, left: str) -> None:
    assert without_secrets(said, address) == left
