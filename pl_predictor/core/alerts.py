"""What an alert is, and how alerts follow what is true: the life of an alert, as pure functions.

Which facts are a condition belongs to `core.alert_rules`, keeping alerts to `storage.alerts`, telling somebody to
`resources.alert_channel`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TypeVar


class Level(IntEnum):
    """How much an alert matters. An info is an event; each of the others is a state that ends."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The level as the table says it: info, warning, error, critical."""
        return self.name.lower()


@dataclass(frozen=True)
class Condition:
    """Something that is true now and should not be; `key` is what makes it the same one tomorrow.

    run_id: the Dagster run that it is about, if it is about one. ValueError for an info: an event does not last.
    """

    key: str
    level: Level
    title: str
    message: str
    run_id: str | None = None

    def __post_init__(self) -> None:
        if self.level is Level.INFO:
            raise ValueError(f"{self.key}: what lasts is at least a warning")


@dataclass(frozen=True)
class Alert:
    """A row of `alerts`. `reached`: names of the channels that have the message which waits to be sent."""

    id: int
    key: str
    level: Level
    title: str
    message: str
    as_of: datetime
    replay: bool
    opened_at: datetime
    resolved_at: datetime | None
    reached: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """True for a state that has ended; an event is never over."""
        return self.level is not Level.INFO and self.resolved_at is not None

    @property
    def headline(self) -> str:
        """The first line that a person reads of it."""
        return f"[{'resolved' if self.over else self.level.word}] {self.title}"

    @property
    def body(self) -> str:
        """What a person reads of it beneath the headline."""
        moment = f"{'Replay of' if self.replay else 'As of'} {self.as_of:%Y-%m-%d %H:%M} UTC"
        if not self.over or self.resolved_at is None:
            return f"{self.message}\n{moment}"
        lasted = f"Open as {self.level.word} from {self.opened_at:%Y-%m-%d %H:%M} to {self.resolved_at:%Y-%m-%d %H:%M}"
        return f"{lasted} UTC: {self.message}\n{moment}"


_T = TypeVar("_T", Alert, Condition)


@dataclass(frozen=True)
class Lasting:
    """An open alert whose condition still holds, perhaps at another level or in other words."""

    alert: Alert
    condition: Condition

    @property
    def worsened(self) -> bool:
        """True if it has to be told again."""
        return self.condition.level > self.alert.level


@dataclass(frozen=True)
class Changes:
    """What turns the open alerts into those that the conditions ask for."""

    opened: tuple[Condition, ...] = ()
    lasting: tuple[Lasting, ...] = ()
    resolved: tuple[Alert, ...] = ()


def reconcile(
    open_alerts: Sequence[Alert], conditions: Iterable[Condition], undecided: Collection[str] = frozenset()
) -> Changes:
    """Compare what is open with what is true: one alert a key, open for as long as the condition of that key holds.

    undecided: keys of which nobody knows now whether their condition holds: an open alert stays, none is opened.
    ValueError where two conditions, or two open alerts, have the same key.
    """
    now = _by_key(conditions)
    before = _by_key(open_alerts)
    return Changes(
        opened=tuple(c for key, c in now.items() if key not in before and key not in undecided),
        lasting=tuple(Lasting(alert, now[key]) for key, alert in before.items() if key in now),
        resolved=tuple(alert for key, alert in before.items() if key not in now and key not in undecided),
    )


def _by_key(things: Iterable[_T]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for thing in things:
        if thing.key in found:
            raise ValueError(f"two of {thing.key}")
        found[thing.key] = thing
    return found
