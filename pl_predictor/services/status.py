"""`pl-predictor status`: looks at everything, starts nothing, changes nothing."""

import http.client
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from pl_predictor.core.alert_rules import dead_source, failed_checks
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.environment import at, exported
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.settings import Settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.connection import opened

DAEMON_SILENCE_SECONDS = 120.0
ERROR, CRITICAL = "ERROR", "CRITICAL"
NEWEST_RESULT = "SELECT max(kickoff) FROM matches WHERE result IS NOT NULL AND kickoff <= :as_of"
LATEST_METRICS = """
    SELECT metric_type, value FROM model_metrics JOIN (
        SELECT model_version, as_of FROM model_metrics ORDER BY timestamp DESC, id DESC LIMIT 1
    ) newest USING (model_version, as_of)
"""


@dataclass
class Status:
    """What was found. `open_keys`: of the open rows of the table `alerts`; `alerts`: these, and what failed and no row
    tells of yet. `problems` are what stands between the platform and being healthy, a sentence each."""

    source: str
    services: dict[str, bool]
    newest_result: datetime | None = None
    data_as_of: datetime | None = None
    age_days: float | None = None
    replay: bool = False
    champion: str | None = None
    champion_trained_until: datetime | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    open_keys: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Everything runs, there is a champion, and no alert is an error or critical: a warning may be noise."""
        return not self.problems and not any(alert.startswith((ERROR, CRITICAL)) for alert in self.alerts)

    def as_document(self) -> dict[str, Any]:
        """The same as JSON's types."""
        document = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}
        return {"healthy": self.healthy, **document}


def look(settings: Settings) -> Status:
    """The state of the platform of these settings."""
    services = {
        "webserver": _answers(f"{settings.dagster_url}/server_info"),
        "code server": _listens("127.0.0.1", settings.code_server_port),
        "MLflow": _answers(f"{settings.mlflow_url}/health"),
    }
    found = Status(settings.source, services)
    effective: Settings | None = settings
    if settings.embedded:
        address = PostgresServer(settings.home, port=settings.embedded_postgres_port).running()
        effective = at(settings, address) if address else None
    if effective is None:
        found.services["PostgreSQL"] = False
    else:
        with exported(effective):
            for examine in (_examine_tables, _examine_dagster, _examine_registry):
                _add(examine, effective, found)
    found.problems += [f"{name} is not running: start it with `make up`" for name, up in services.items() if not up]
    return found


def _add(examine: Callable[[Settings, Status], None], settings: Settings, found: Status) -> None:
    """A part that cannot be examined is a problem of its own; the others are examined all the same."""
    try:
        examine(settings, found)
    except PredictorError as error:
        if str(error) not in found.problems:
            found.problems.append(str(error))


def _examine_tables(settings: Settings, found: Status) -> None:
    from pl_predictor.resources.match_feed import MatchFeed

    with opened(settings.database_url(settings.postgres_db)) as engine:
        with engine.connect() as connection:
            found.services["PostgreSQL"] = True
            _require_table(connection, "matches")
            found.data_as_of = connection.scalar(text("SELECT max(as_of) FROM match_features"))
            found.newest_result = connection.scalar(text(NEWEST_RESULT), {"as_of": found.data_as_of})
            if found.data_as_of and found.newest_result:
                found.replay = MatchFeed.from_settings(settings).of_the_past()
                now = found.data_as_of if found.replay else datetime.now(timezone.utc)
                found.age_days = (now - found.newest_result).total_seconds() / 86400
            found.metrics = {row.metric_type: row.value for row in connection.execute(text(LATEST_METRICS))}
            _require_table(connection, "alerts")
        for alert in AlertStorage(engine).open_alerts():
            found.open_keys.append(alert.key)
            found.alerts.append(f"{alert.level.name}: {alert.title}: {alert.message}")


def _require_table(connection: Connection, table: str) -> None:
    if not connection.scalar(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}):
        name = connection.engine.url.database
        raise PredictorError(f"there are no tables yet in database {name}: run `make up` or `pl-predictor run`")


def _require_tables_at(url: str, table: str) -> None:
    """Dagster and MLflow would make the tables that are missing, and retry for long where nobody answers."""
    with opened(url) as engine, engine.connect() as connection:
        _require_table(connection, table)


def _examine_dagster(settings: Settings, found: Status) -> None:
    import dagster as dg

    from pl_predictor import checks
    from pl_predictor.alert_facts import judged_checks

    _require_tables_at(settings.database_url(settings.dagster_db), "runs")
    with dg.DagsterInstance.get() as instance:
        beats = [heartbeat.timestamp for heartbeat in instance.get_daemon_heartbeats().values()]
        silence = datetime.now(timezone.utc).timestamp() - max(beats, default=0.0)
        found.services["daemon"] = silence < DAEMON_SILENCE_SECONDS
        verdicts, _ = judged_checks(instance, checks.KEYS)
        for condition in [*failed_checks(verdicts), *dead_source(verdicts, None)]:
            if condition.key not in found.open_keys:
                found.alerts.append(f"{condition.level.name}: {condition.title}: {condition.message}")
        finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        runs = instance.get_runs(filters=dg.RunsFilter(statuses=finished), limit=1)
        failed = [run for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
        if failed and f"run_failed:{failed[0].job_name}" not in found.open_keys:
            found.alerts.append(f"{ERROR}: the last run, {failed[0].run_id} of {failed[0].job_name}, failed")


def _examine_registry(settings: Settings, found: Status) -> None:
    from pl_predictor.resources.model_registry import ModelRegistry

    if settings.tracking_uri.startswith("postgresql"):
        _require_tables_at(settings.tracking_uri, "registered_models")
    champion = ModelRegistry.from_settings(settings).champion()
    if champion is None:
        found.problems.append("there is no champion yet: run `pl-predictor run`")
    else:
        found.champion, found.champion_trained_until = champion.version, champion.trained_until


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (OSError, http.client.HTTPException):  # nobody, or somebody who speaks another protocol
        return False
    return True


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def print_status(found: Status) -> None:
    """The status as a table on stdout."""
    console = Console()
    table = Table(show_header=False, box=None)
    for name, up in sorted(found.services.items()):
        table.add_row(name, "[green]running[/green]" if up else "[red]not running[/red]")
    table.add_row("source", found.source)
    if found.newest_result and found.data_as_of and found.age_days is not None:
        table.add_row(
            "newest result",
            f"{found.newest_result:%Y-%m-%d}, {found.age_days:.1f} days before {found.data_as_of:%Y-%m-%d %H:%M}"
            if found.replay
            else f"{found.newest_result:%Y-%m-%d}, {found.age_days:.1f} days ago",
        )
    if found.champion:
        table.add_row(
            "champion", f"version {found.champion}, trained on results until {found.champion_trained_until:%Y-%m-%d}"
        )
    for name, value in found.metrics.items():
        table.add_row(name.replace("_", " "), f"{value:.4f}")
    console.print(table)
    for alert in found.alerts:
        console.print(f"[yellow]alert[/yellow] {alert}")
    for problem in found.problems:
        console.print(f"[red]problem[/red] {problem}")
    console.print("healthy" if found.healthy else "not healthy")
