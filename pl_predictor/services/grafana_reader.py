"""The role `grafana_reader`: what Grafana logs in as, and all that it may do.

Whoever looks at a dashboard can send any SQL, so the role reads and does nothing else: SELECT on the platform's schema,
tables that are yet to come included, and on the few tables of Dagster's that the dashboards look at. Read-only and the
time limit are its defaults, which a session can lift; the grants are what holds.

A role belongs to the whole server, and Dagster's tables to a database that no migration of ours knows: so this runs
after both are up to date, each time, and changes nothing the second time. Forecasts do not depend on it: where the
platform's user may not make roles, a sentence says so and nothing fails.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine

READER: Final = "grafana_reader"
DAGSTER_TABLES: Final = (
    "runs",
    "run_tags",
    "job_ticks",
    "daemon_heartbeats",
    "asset_keys",
    "asset_check_executions",
)
DEFAULTS: Final = {"default_transaction_read_only": "on", "statement_timeout": "15s"}
ON_OURS: Final = (
    f"GRANT USAGE ON SCHEMA public TO {READER}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {READER}",
)
ON_DAGSTERS: Final = (
    f"GRANT USAGE ON SCHEMA public TO {READER}",
    f"GRANT SELECT ON {', '.join(DAGSTER_TABLES)} TO {READER}",
)


def provide(settings: Settings) -> str | None:
    """Make the role, if it is not there, and give it its grants; the reason, in a sentence, where that is not allowed.

    An existing role keeps its password unless PL_GRAFANA_PASSWORD says another. A new one has that of the variable, or
    one of its own that is kept in the home (`password_file`).
    """
    try:
        with _statements(settings, "postgres") as server:
            # Two platforms can share a server: roles and grants are changed by one of them at a time.
            server.execute(text("SELECT pg_advisory_lock(hashtext('grafana_reader'))"))
            _make(server, settings)
            for database, grants in ((settings.postgres_db, ON_OURS), (settings.dagster_db, ON_DAGSTERS)):
                with _statements(settings, database) as connection:
                    for grant in grants:
                        connection.execute(text(grant))
    except ProgrammingError as error:
        if not isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
            raise
        where = f"PostgreSQL at {settings.postgres_host}:{settings.postgres_port}"
        return (
            f"Grafana cannot read: user {settings.postgres_user!r} may not set up the role {READER} on {where} "
            f"({str(error.orig).strip()}). Run `pl-predictor migrate` once as a user that may, or let an administrator "
            f"run: CREATE ROLE {READER} LOGIN PASSWORD '...'; "
            + " ".join(f"ALTER ROLE {READER} SET {name} = '{value}';" for name, value in DEFAULTS.items())
        )
    return None


def password_file(home: Path) -> Path:
    """Where a home keeps the password of the role that it made."""
    return home / "grafana_password"


@contextmanager
def _statements(settings: Settings, database: str) -> Iterator[Connection]:
    engine = open_engine(settings.database_url(database)).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _make(connection: Connection, settings: Settings) -> None:
    chosen = settings.grafana_password.get_secret_value() if settings.grafana_password else None
    existing = connection.execute(
        text("SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = :name"), {"name": READER}
    ).scalar_one_or_none()
    if existing is None:
        secret = _as_kept(connection, chosen or _own_password(settings.home))
        connection.exec_driver_sql(f"CREATE ROLE {READER} LOGIN PASSWORD '{secret}'")
    elif chosen is not None:
        connection.exec_driver_sql(f"ALTER ROLE {READER} PASSWORD '{_as_kept(connection, chosen)}'")
    for name, value in DEFAULTS.items():
        if f"{name}={value}" not in (existing or []):
            connection.execute(text(f"ALTER ROLE {READER} SET {name} = '{value}'"))


def _as_kept(connection: Connection, password: str) -> str:
    """The password as PostgreSQL keeps it: a log of statements does not give it away."""
    raw = connection.connection.driver_connection
    kept: str = psycopg2.extensions.encrypt_password(password, READER, raw, "scram-sha-256")
    return kept


def _own_password(home: Path) -> str:
    """The home's password of the role, made on the first call."""
    path = password_file(home)
    try:
        if not path.exists():
            whole = path.with_suffix(".new")
            whole.unlink(missing_ok=True)
            with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            whole.rename(path)
        return path.read_text()
    except OSError as error:
        raise PredictorError(
            f"Grafana's password cannot be kept in {path} ({error}): make the home writable"
        ) from error
