"""The role `grafana_reader`: what Grafana logs in as, and all that it may do.

Whoever looks at a dashboard can send any SQL, so the role reads and does nothing else: SELECT on the platform's tables,
and on the few of Dagster's that the dashboards look at. Read-only and the time limit are its defaults, which a session
can lift; the grants are what holds. What PostgreSQL lets everybody do, whatever was granted, is taken away in these two
databases where the platform's user may: locks that the platform waits for, large objects, temporary tables, of which
one could stand for another to who shares the connection. Left is that a role can change its own password and defaults,
which the next start finds.

A role belongs to the whole server, and Dagster's tables to a database that no migration of ours knows: so this runs
after both are up to date, each time, and changes nothing the second time. Forecasts do not depend on it: where the
platform's user may not make roles, a sentence says so and nothing fails.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from pl_predictor import tables
from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import CONNECT_SECONDS, opened

READER: Final = "grafana_reader"
DAGSTER_TABLES: Final = (
    "runs",
    "job_ticks",
    "daemon_heartbeats",
    "asset_keys",
    "asset_check_executions",
)
PASSWORD_VARIABLE: Final = "PL_GRAFANA_PASSWORD"
"""What stands for the password in a statement until it is executed."""
DEFAULTS: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": "15s",
    "idle_in_transaction_session_timeout": "15s",
}
OURS: Final = tuple(tables.metadata.tables)
HARMFUL: Final = """
    SELECT DISTINCT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND (proname LIKE 'pg\\_%advisory%lock%' OR proname IN ('lo_creat', 'lo_create', 'lo_from_bytea'))
        AND has_function_privilege('public', oid, 'EXECUTE')
"""
"""What everybody may call, and a reader has no need of: locks that the platform waits for, and files of any size."""


def provide(settings: Settings) -> str | None:
    """Make the role, if it is not there, and give it its grants; what else has to be done, in a sentence, where the
    platform's user may not do all of that.

    An existing role keeps its password unless PL_GRAFANA_PASSWORD says another. A new one has that of the variable, or
    one of its own that is kept in the home (`password_file`).
    """
    with connected(settings, "postgres") as server:
        with server.begin():
            # Two platforms can share a server: roles and grants are changed by one of them at a time.
            server.execute(text("SELECT pg_advisory_lock(hashtext('grafana_reader'))"))
        left = [("postgres", refused := _make(server, settings))]
        if f"CREATE ROLE {READER}" not in refused:
            for database, readable in ((settings.postgres_db, OURS), (settings.dagster_db, DAGSTER_TABLES)):
                grants = (
                    f"GRANT USAGE ON SCHEMA public TO {READER}",
                    f"GRANT SELECT ON {', '.join(readable)} TO {READER}",
                )
                with connected(settings, database) as connection:
                    left.append((database, [grant for grant in grants if not _allowed(connection, [grant])]))
                    _keep_to_reading(connection, database)
    asked = " and ".join(f"in database {name!r}: {'; '.join(each)};" for name, each in left if each)
    return _sentence(settings, asked) if asked else None


def _sentence(settings: Settings, asked: str) -> str:
    password = (
        f" Put a password in the place of {PASSWORD_VARIABLE}, and set that variable to it."
        if PASSWORD_VARIABLE in asked
        else ""
    )
    return (
        f"Grafana's role {READER} is not as it should be, and user {settings.postgres_user!r} may not change that on "
        f"PostgreSQL at {settings.postgres_host}:{settings.postgres_port}. Let an administrator run, {asked}{password} "
        "Then start again: the platform does the rest itself"
    )


def password_file(home: Path) -> Path:
    """Where a home keeps the password of the role that it made."""
    return home / "grafana_password"


@contextmanager
def connected(settings: Settings, database: str) -> Iterator[Connection]:
    """A connection of the platform's own user to a database of its server."""
    with opened(settings.database_url(database)) as engine, engine.connect() as connection:
        yield connection


def _allowed(connection: Connection, statements: Iterable[str]) -> bool:
    """Execute all of the statements, or, where the platform's user may not, none: then False."""
    try:
        with connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
            return False
        raise
    return True


def _keep_to_reading(connection: Connection, database: str) -> None:
    """Leave to the owner alone, in this database of ours, what harms without any grant; as far as one may."""
    with connection.begin():
        functions = connection.scalars(text(HARMFUL)).all()
    _allowed(connection, [f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC'])
    _allowed(connection, ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"])
    for each in functions:
        _allowed(
            connection,
            [
                f"REVOKE EXECUTE ON FUNCTION {each} FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION {each} TO pg_database_owner",
            ],
        )


def _make(connection: Connection, settings: Settings) -> list[str]:
    """Bring the role into being, or up to date; returns the statements for that if they were not allowed."""
    chosen = settings.grafana_password.get_secret_value() if settings.grafana_password else None
    with connection.begin():
        existing = connection.execute(
            text("SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = :name"), {"name": READER}
        ).scalar_one_or_none()
    statements = [f"CREATE ROLE {READER}"] if existing is None else []
    if existing is None or (chosen is not None and not logs_in(settings, chosen)):
        statements.append(f"ALTER ROLE {READER} LOGIN PASSWORD '{PASSWORD_VARIABLE}'")
    statements += [
        f"ALTER ROLE {READER} SET {name} = '{value}'"
        for name, value in DEFAULTS.items()
        if f"{name}={value}" not in (existing or [])
    ]

    def executed() -> Iterator[str]:
        for statement in statements:
            if PASSWORD_VARIABLE not in statement:
                yield statement
                continue
            # The home keeps a password once the role may be made, and before it is there for good: no role is left with
            # one that nobody knows, and who is killed in between takes the one that was kept, the next time.
            secret = chosen or kept_secret(password_file(settings.home))
            yield statement.replace(PASSWORD_VARIABLE, _as_kept(connection, secret))

    return [] if _allowed(connection, executed()) else statements


def logs_in(settings: Settings, password: str) -> bool:
    """Whether the role has this password already: nobody may read it, but anybody may try it."""
    try:
        psycopg2.connect(
            host=settings.postgres_host,
            port=settings.postgres_port,
            dbname=settings.postgres_db,
            user=READER,
            password=password,
            connect_timeout=CONNECT_SECONDS,
        ).close()
    except psycopg2.OperationalError:
        return False
    return True


def _as_kept(connection: Connection, password: str) -> str:
    """The password as PostgreSQL keeps it: a log of statements does not give it away."""
    raw = connection.connection.driver_connection
    kept: str = psycopg2.extensions.encrypt_password(password, READER, raw, "scram-sha-256")
    return kept


def kept_secret(path: Path) -> str:
    """A password that nobody chose, made on the first call and kept in this file, which only its owner reads."""
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
