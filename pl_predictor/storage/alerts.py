"""`alerts`: what is or was wrong, what happened, and what of it has been told. Who is told, and how, is not known here.

The clock is the database's: `opened_at`, `resolved_at` and `sent_at` are when it happened to the platform, while
`as_of` is the moment that the alert speaks of.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, RowMapping, and_, func, or_, select, text

from pl_predictor import tables
from pl_predictor.core.alerts import Alert, Changes, Condition, Level

NEWS = timedelta(days=7)
"""What happened, or came and went, longer ago is not told any more. What is open is, however old."""

RESOLVE = text(
    "UPDATE alerts SET resolved_at = now(), reached = '[]', attempts = 0, last_error = NULL "
    "WHERE id = ANY(:ids) AND resolved_at IS NULL"
)
SEE_AGAIN = text(
    "UPDATE alerts a SET level = c.level, title = c.title, message = c.message, dagster_run_id = c.run_id, "
    "as_of = :as_of, replay = :replay, last_seen_at = now(), "
    "sent_at = CASE WHEN NOT c.worsened THEN a.sent_at END, "
    "reached = CASE WHEN c.worsened THEN '[]' ELSE a.reached END, "
    "attempts = CASE WHEN c.worsened THEN 0 ELSE a.attempts END "
    "FROM unnest(CAST(:ids AS integer[]), CAST(:levels AS text[]), CAST(:titles AS text[]), CAST(:messages AS text[]), "
    "CAST(:run_ids AS text[]), CAST(:worsened AS boolean[])) AS c (id, level, title, message, run_id, worsened) "
    "WHERE a.id = c.id AND a.resolved_at IS NULL"
)
OPEN = text(
    "INSERT INTO alerts (key, level, title, message, dagster_run_id, as_of, replay) "
    "SELECT c.*, :as_of, :replay FROM unnest(CAST(:keys AS text[]), CAST(:levels AS text[]), CAST(:titles AS text[]), "
    "CAST(:messages AS text[]), CAST(:run_ids AS text[])) AS c "
    "ON CONFLICT (key) WHERE resolved_at IS NULL DO NOTHING"
)
INFORM = text(
    "INSERT INTO alerts (key, level, title, message, as_of, replay, dagster_run_id, resolved_at) "
    "VALUES (:key, 'info', :title, :message, :as_of, :replay, :dagster_run_id, now()) "
    "ON CONFLICT (key) WHERE level = 'info' DO NOTHING"
)


class AlertStorage:
    """Reads and writes alerts on one engine. Each write is one transaction of a few statements, however many alerts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_alerts(self) -> list[Alert]:
        """The alerts whose cause is not gone, the worst first, then the oldest."""
        query = select(tables.alerts).where(tables.alerts.c.resolved_at.is_(None)).order_by(tables.alerts.c.id)
        with self._engine.connect() as connection:
            found = [_alert(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda alert: -alert.level)

    def apply(self, changes: Changes, as_of: datetime, replay: bool) -> None:
        """Open, see again and resolve, all or nothing. Of two that open an alert of one key, the first does.

        An alert that got worse waits to be sent again; one that is resolved waits for that to be said.
        """
        moment = {"as_of": as_of, "replay": replay}
        lasting = changes.lasting
        with self._engine.begin() as connection:
            if changes.resolved:
                connection.execute(RESOLVE, {"ids": [alert.id for alert in changes.resolved]})
            if lasting:
                said = {**_arrays([each.condition for each in lasting]), "worsened": [e.worsened for e in lasting]}
                connection.execute(SEE_AGAIN, {**moment, **said, "ids": [each.alert.id for each in lasting]})
            if changes.opened:
                connection.execute(OPEN, {**moment, **_arrays(changes.opened)})

    def inform(
        self,
        key: str,
        title: str,
        message: str,
        *,
        as_of: datetime,
        replay: bool,
        dagster_run_id: str | None = None,
    ) -> bool:
        """Write an event, once for each key for ever; False if it was there."""
        row = {"key": key, "title": title, "message": message, "as_of": as_of, "replay": replay}
        with self._engine.begin() as connection:
            return connection.execute(INFORM, {**row, "dagster_run_id": dagster_run_id}).rowcount == 1

    def waiting(self, limit: int) -> list[Alert]:
        """At most `limit` alerts with something to tell, the oldest first.

        Those that were tried less often come before: one that a channel refuses holds up no other.
        """
        table = tables.alerts
        event, news = table.c.level == "info", table.c.resolved_at >= func.now() - NEWS
        unsaid = or_(
            and_(table.c.resolved_at.is_(None), table.c.sent_at.is_(None)),
            and_(event, table.c.sent_at.is_(None), news),
            and_(~event, table.c.resolution_sent_at.is_(None), news),
        )
        query = select(table).where(unsaid).order_by(table.c.attempts, table.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [_alert(row) for row in connection.execute(query).mappings()]

    def sent(self, alert: Alert) -> None:
        """Note that every channel has what `alert`, as `waiting` gave it, has to tell.

        If it got worse or was resolved since, that is still to be told.
        """
        table = tables.alerts
        told = {"resolution_sent_at": func.now()} if alert.over else {"sent_at": func.now()}
        self._note(alert, {**told, "reached": [], "last_error": None, "attempts": table.c.attempts + 1})

    def failed(self, alert: Alert, error: str, reached: Sequence[str] = ()) -> None:
        """Note why not every channel has it, and which do; it waits for the next time."""
        noted = {"last_error": error, "reached": list(reached), "attempts": tables.alerts.c.attempts + 1}
        self._note(alert, noted)

    def _note(self, alert: Alert, values: dict[str, Any]) -> None:
        table = tables.alerts
        same = and_(
            table.c.id == alert.id,
            table.c.level == alert.level.word,
            table.c.resolved_at.is_not_distinct_from(alert.resolved_at),
        )
        with self._engine.begin() as connection:
            connection.execute(table.update().where(same).values(values))


def _arrays(conditions: Sequence[Condition]) -> dict[str, list[Any]]:
    return {
        "keys": [condition.key for condition in conditions],
        "levels": [condition.level.word for condition in conditions],
        "titles": [condition.title for condition in conditions],
        "messages": [condition.message for condition in conditions],
        "run_ids": [condition.run_id for condition in conditions],
    }


def _alert(row: RowMapping) -> Alert:
    return Alert(
        id=row["id"],
        key=row["key"],
        level=Level[row["level"].upper()],
        title=row["title"],
        message=row["message"],
        as_of=row["as_of"],
        replay=row["replay"],
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        reached=tuple(row["reached"]),
    )
