"""The life of an alert: opened once, lasting while its cause does, told again when worse, resolved when it is gone."""

from datetime import datetime, timezone

import pytest

from pl_predictor.core.alerts import Alert, Changes, Condition, Lasting, Level, reconcile

NOON = datetime(2024, 1, 13, 12, tzinfo=timezone.utc)


def alert(key: str, level: Level = Level.ERROR, *, replay: bool = False, resolved: datetime | None = None) -> Alert:
    return Alert(1, key, level, f"{key} failed", "why", NOON, replay, NOON, resolved)


def true(key: str, level: Level = Level.ERROR) -> Condition:
    return Condition(key, level, f"{key} failed", "why")


@pytest.mark.parametrize(
    ("before", "now", "undecided", "changes"),
    [
        ([], [], set(), Changes()),
        ([], [true("a"), true("b")], set(), Changes(opened=(true("a"), true("b")))),
        ([alert("a")], [true("a")], set(), Changes(lasting=(Lasting(alert("a"), true("a")),))),
        ([alert("a")], [], set(), Changes(resolved=(alert("a"),))),
        ([alert("a")], [true("b")], set(), Changes(opened=(true("b"),), resolved=(alert("a"),))),
        ([alert("a")], [], {"a"}, Changes()),
        ([], [true("a")], {"a"}, Changes()),
        ([alert("a")], [true("a")], {"a"}, Changes(lasting=(Lasting(alert("a"), true("a")),))),
        ([alert("a")], [], {"b"}, Changes(resolved=(alert("a"),))),
    ],
    ids=[
        "nothing",
        "two new",
        "lasts",
        "gone",
        "another",
        "undecided stays open",
        "undecided is not opened",
        "undecided and true lasts",
        "another is undecided",
    ],
)
def test_open_alerts_follow_what_is_true(
    before: list[Alert], now: list[Condition], undecided: set[str], changes: Changes
) -> None:
    assert reconcile(before, now, undecided) == changes


@pytest.mark.parametrize(
    ("was", "now", "told_again"),
    [
        (Level.WARNING, Level.WARNING, False),
        (Level.WARNING, Level.ERROR, True),
        (Level.ERROR, Level.CRITICAL, True),
        (Level.CRITICAL, Level.WARNING, False),
    ],
    ids=["the same", "worse", "worst", "better"],
)
def test_only_a_worse_level_is_told_again(was: Level, now: Level, told_again: bool) -> None:
    (lasting,) = reconcile([alert("a", was)], [true("a", now)]).lasting
    assert lasting.worsened is told_again


def test_two_conditions_of_one_key_are_an_error_and_not_one_of_them() -> None:
    with pytest.raises(ValueError, match="two of a"):
        reconcile([], [true("a"), true("a", Level.CRITICAL)])


def test_an_info_is_no_condition() -> None:
    with pytest.raises(ValueError, match="at least a warning"):
        true("retrained", Level.INFO)


@pytest.mark.parametrize(
    ("found", "headline", "body"),
    [
        (alert("a"), "[error] a failed", "why\nAs of 2024-01-13 12:00 UTC"),
        (alert("a", replay=True), "[error] a failed", "why\nReplay of 2024-01-13 12:00 UTC"),
        (
            alert("a", resolved=NOON.replace(hour=14)),
            "[resolved] a failed",
            "Open as error from 2024-01-13 12:00 to 2024-01-13 14:00 UTC: why\nAs of 2024-01-13 12:00 UTC",
        ),
        (alert("a", Level.INFO, resolved=NOON), "[info] a failed", "why\nAs of 2024-01-13 12:00 UTC"),
    ],
    ids=["open", "in a replay", "over", "an event"],
)
def test_a_message_says_level_cause_and_the_moment_it_speaks_of(found: Alert, headline: str, body: str) -> None:
    assert (found.headline, found.body) == (headline, body)
