"""Telling alerts to somebody: every channel that Apprise speaks, by the addresses of PL_ALERT_URLS.

The addresses hold passwords and tokens: no message, log or row has any of one but its schema. A channel that does not
answer is a result, no error; an address that is none is an error. What is told, and what was, is kept by
`storage.alerts`.
"""

import hashlib
import logging
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import dagster as dg
from pydantic import Field

from pl_predictor.core.alerts import Alert, Level
from pl_predictor.core.errors import PredictorError
from pl_predictor.storage.alerts import AlertStorage

if TYPE_CHECKING:
    from apprise import Apprise, AppriseResult

MESSAGES_A_ROUND = 10
ROUND_SECONDS = 20.0
"""A round begins no further message after this: Dagster gives a sensor 60 seconds in all."""
MESSAGE_SECONDS = 10.0

# Apprise's NotifyType by value: what colour or icon a channel shows.
NOTIFY_TYPES = {Level.INFO: "info", Level.WARNING: "warning", Level.ERROR: "failure", Level.CRITICAL: "failure"}


@dataclass(frozen=True)
class Delivery:
    """Names of the channels that have a message, and why the others do not; None where all do."""

    reached: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Round:
    """How many messages every channel has now, and why others wait on, a sentence each."""

    sent: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Channel:
    """One address, as Apprise reads it. `name`: what it is called where secrets are not."""

    name: str
    address: str
    apprise: "Apprise"

    def tell(self, alert: Alert) -> str | None:
        """Send the alert; why that did not work, or None."""
        kind = "success" if alert.over else NOTIFY_TYPES[alert.level]
        result = self.apprise.notify(
            title=alert.headline, body=alert.body, notify_type=kind, body_format="text", timeout=MESSAGE_SECONDS
        )
        return None if result else self._why(result)

    def _why(self, result: "AppriseResult") -> str:
        said = " ".join(entry.message for entry in result.logs() if entry.level in {"WARNING", "ERROR"})
        return f"{self.name}: {without_secrets(said, self.address) or result.status.name.lower()}"


class AlertChannel(dg.ConfigurableResource[Any]):
    """The channels of `urls`, Apprise addresses separated by spaces. None: the rows of `alerts` are all there is."""

    urls: str = Field(default="", repr=False, description="where alerts are sent: Apprise addresses, by spaces apart")

    def channels(self) -> list[Channel]:
        """Every channel. PredictorError for an address that Apprise does not know; it names the schema only."""
        return list(_channels(self.urls)) if self.urls.split() else []

    def deliver(self, alert: Alert, channels: Sequence[Channel] | None = None) -> Delivery:
        """Tell an alert to those channels (all, if none are given) that do not have it yet."""
        reached, errors = list(alert.reached), []
        for channel in self.channels() if channels is None else channels:
            if channel.name in alert.reached:
                continue
            error = channel.tell(alert)
            if error is None:
                reached.append(channel.name)
            else:
                errors.append(error)
        return Delivery(tuple(reached), "; ".join(errors) or None)

    def deliver_waiting(self, alerts: AlertStorage) -> Round:
        """Tell what waits, the oldest first, and note each message at once: a killed process repeats one at most.

        Without a channel nothing is told, and nothing noted as told.
        """
        if not self.urls.split():
            return Round()
        waiting = alerts.waiting(MESSAGES_A_ROUND)
        channels = self.channels() if waiting else []
        sent, errors, began = 0, list[str](), time.monotonic()
        for alert in waiting:
            if time.monotonic() - began > ROUND_SECONDS:
                break
            delivery = self.deliver(alert, channels)
            if delivery.error is None:
                alerts.sent(alert)
                sent += 1
            else:
                alerts.failed(alert, delivery.error, delivery.reached)
                errors.append(delivery.error)
        return Round(sent, tuple(dict.fromkeys(errors)))


def _channels(urls: str) -> Iterator[Channel]:
    from apprise import Apprise

    # It logs addresses that it cannot read as they are.
    logging.getLogger("apprise").propagate = False
    for number, address in enumerate(dict.fromkeys(urls.split()), start=1):
        apprise = Apprise()
        schema = re.match(r"([A-Za-z][\w+-]*)://", address)
        # As a list: Apprise would take commas, which addresses may have, to separate several.
        if schema is None or not apprise.add([address]):
            shown = f"{schema[1]}://..." if schema else "without a schema"
            raise PredictorError(
                f"PL_ALERT_URLS: address {number} ({shown}) is none that Apprise can use: correct it, by "
                "https://github.com/caronc/apprise/wiki"
            )
        # Tells channels of one kind apart, and is too short to find out a secret by.
        digest = hashlib.sha256(address.encode()).hexdigest()[:4]
        yield Channel(f"{schema[1]}-{digest}", address, apprise)


def without_secrets(said: str, address: str) -> str:
    """A text without any part of an address, be it a host, a user, a password or a token; the schema may stay."""
    rest = address.partition("://")[2]
    parts = {part for part in re.split(r"[/:@?&=+,;#]+", rest) if len(part) > 2}
    for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        said = said.replace(part, "***")
    return said
