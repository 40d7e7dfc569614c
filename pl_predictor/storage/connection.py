"""The way into a PostgreSQL database: engines whose errors a person can act on, and set-based writes of frames."""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import psycopg2
import psycopg2.extensions
from sqlalchemy import JSON, URL, Connection, Engine, Select, Table, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import ExceptionContext

from pl_predictor.core.errors import PredictorError

CONNECT_SECONDS = 5


def open_engine(url: str | URL) -> Engine:
    """An engine whose failed connections are `PredictorError`s that name the server and the variable to correct."""
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=2,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "pl_predictor"},
    )
    event.listen(engine, "handle_error", _explain)
    return engine


def _explain(context: ExceptionContext) -> None:
    error = context.original_exception
    if context.connection is not None or not isinstance(error, psycopg2.OperationalError) or context.engine is None:
        return
    raise PredictorError(connection_failure(context.engine.url, str(error))) from error


def connection_failure(url: URL, reason: str) -> str:
    """Why PostgreSQL at `url` could not be entered, and what to do, as one sentence."""
    server = f"PostgreSQL at {url.host}:{url.port}"
    if "password authentication failed" in reason or "no password supplied" in reason:
        return f"{server} refuses user {url.username!r}: correct POSTGRES_USER and POSTGRES_PASSWORD"
    if "does not exist" in reason and "database" in reason:
        return (
            f"{server} has no database {url.database!r}: create it, or run `pl-predictor migrate` with a user that can"
        )
    # libpq writes 'connection to server at ..., port ... failed: <why>', and then a line of guesses
    detail = reason.strip().splitlines()[0].split(" failed: ")[-1].strip() if reason.strip() else "no reason given"
    return f"{server} cannot be reached ({detail}): start it, or correct POSTGRES_HOST and POSTGRES_PORT"


@contextmanager
def opened(url: str | URL) -> Iterator[Engine]:
    """An engine as `open_engine` makes it, whose connections are closed with the block."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def create_databases(server: str | URL, names: Iterable[str]) -> None:
    """Create those of the databases that do not exist yet; two creators at once are fine."""
    server = make_url(server).set(database="postgres")
    with opened(server) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        existing = set(connection.scalars(text("SELECT datname FROM pg_database")))
        for name in names:
            if name in existing:
                continue
            quoted = connection.dialect.identifier_preparer.quote(name)
            try:
                connection.execute(text(f"CREATE DATABASE {quoted}"))
            except Exception as error:
                cause = getattr(error, "orig", None)
                if isinstance(cause, psycopg2.errors.DuplicateDatabase | psycopg2.errors.UniqueViolation):
                    continue  # another process was a moment faster
                if isinstance(cause, psycopg2.errors.InsufficientPrivilege):
                    url = connection.engine.url
                    user, address = url.username, f"{url.host}:{url.port}"
                    raise PredictorError(
                        f"user {user!r} may not create database {name!r} on PostgreSQL at {address}: "
                        "create it as an administrator, owned by that user"
                    ) from None
                raise


def stage(connection: Connection, table: Table, rows: pd.DataFrame) -> str:
    """COPY `rows` into a temporary table of `table`'s column types, dropped at commit; returns its name."""
    name = f"stage_{table.name}"
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column) for column in rows.columns)
    connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
    connection.execute(
        text(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {columns} FROM {table.name} WITH NO DATA")
    )
    documents = [column for column in rows.columns if isinstance(table.c[column].type, JSON)]
    encoded = rows.assign(**{column: rows[column].map(_as_json) for column in documents})
    # Before Python 3.13 a carriage return in a text is quoted only where it is part of the line's end.
    written = encoded.to_csv(index=False, header=False, date_format="%Y-%m-%d %H:%M:%S.%f%z", lineterminator="\r\n")
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg2.extensions.connection):
        raise TypeError(f"COPY needs psycopg2, not {type(raw).__name__}")
    with raw.cursor() as cursor:
        cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN WITH (FORMAT csv)", io.StringIO(written))
    return name


def insert(connection: Connection, table: Table, rows: pd.DataFrame) -> None:
    """Add `rows` to `table` by `stage`; the columns that they do not have are as the table says."""
    columns = ", ".join(rows.columns)
    staged = stage(connection, table, rows)
    connection.execute(text(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {staged}"))


def replace(connection: Connection, table: Table, rows: pd.DataFrame, **of: Any) -> None:
    """Let the rows of `table` whose columns are as in `of` be these and no others; without `of`, all of them."""
    # Readers go on; a second writer waits for its turn.
    connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(table.delete().where(*(table.c[name] == value for name, value in of.items())))
    if len(rows):
        insert(connection, table, rows)


def _as_json(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def read(connection: Connection, query: "Select[Any]") -> pd.DataFrame:
    """The rows of a query, under plain names: scikit-learn takes SQLAlchemy's `quoted_name` for no string."""
    rows = pd.read_sql(query, connection)
    return rows.set_axis([str(name) for name in rows.columns], axis=1)
