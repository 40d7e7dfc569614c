"""Connections that fail say why and what to do; databases are made once; staged rows arrive as they were."""

import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import URL, Engine, select, table, text
from sqlalchemy.exc import DBAPIError

from pl_predictor import tables
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.storage.connection import create_databases, open_engine, stage
from pl_predictor_tests.conftest import free_port

PASSWORD = "correct horse battery"
AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)


def address(server: PostgresAddress, **other: Any) -> URL:
    """The server's own URL, but for `other`."""
    known = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
    return URL.create("postgresql+psycopg2", **{"database": "postgres", **known, **other})


@pytest.fixture
def admin(postgres: PostgresAddress) -> Iterator[Engine]:
    engine = open_engine(address(postgres)).execution_options(isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def names(admin: Engine) -> Iterator[list[str]]:
    """Names of databases that do not exist; whatever the test makes of them is dropped."""
    wanted = [f"made {number} {uuid.uuid4().hex[:8]}" for number in range(3)]
    yield wanted
    with admin.connect() as connection:
        for name in wanted:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))


def existing(admin: Engine, names: list[str]) -> list[str]:
    with admin.connect() as connection:
        return sorted(set(names) & set(connection.scalars(text("SELECT datname FROM pg_database"))))


# --- connections that fail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (
            lambda: {"port": free_port(), "password": PASSWORD},
            ["127.0.0.1:{port} cannot be reached", "Connection refused", "POSTGRES_HOST and POSTGRES_PORT"],
        ),
        (
            lambda: {"host": "no-such-host.invalid", "password": PASSWORD},
            ["no-such-host.invalid", "cannot be reached", "translate host name", "POSTGRES_HOST"],
        ),
        (
            lambda: {"password": PASSWORD},
            ["127.0.0.1:{port} refuses user '{username}'", "POSTGRES_USER and POSTGRES_PASSWORD"],
        ),
        (
            lambda: {"password": None},
            ["127.0.0.1:{port} refuses user '{username}'", "POSTGRES_USER and POSTGRES_PASSWORD"],
        ),
        (
            lambda: {"username": "nobody", "password": PASSWORD},
            ["127.0.0.1:{port} refuses user 'nobody'", "POSTGRES_USER and POSTGRES_PASSWORD"],
        ),
        (
            lambda: {"database": "nowhere"},
            ["127.0.0.1:{port} has no database 'nowhere'", "`pl-predictor migrate`"],
        ),
    ],
    ids=["nobody listens", "no such host", "wrong password", "no password", "no such user", "no such database"],
)
def test_a_failed_connection_names_the_server_and_the_remedy_and_never_the_password(
    postgres: PostgresAddress, wrong: Callable[[], dict[str, Any]], named: list[str]
) -> None:
    url = address(postgres, **wrong())
    engine = open_engine(url)
    with pytest.raises(PredictorError) as raised:
        engine.connect()
    for part in named:
        assert part.format(port=url.port, username=url.username) in str(raised.value)
    shown = "".join(traceback.format_exception(raised.value))
    assert PASSWORD not in shown
    assert postgres.password not in shown


@pytest.mark.parametrize(
    ("query", "words"),
    [("SELECT * FROM nowhere", "nowhere"), ("SET statement_timeout = 1; SELECT pg_sleep(60)", "statement timeout")],
)
def test_a_query_that_fails_keeps_its_own_error(engine: Engine, query: str, words: str) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError, match=words):
        connection.execute(text(query))


# --- databases -----------------------------------------------------------------------------------------------------


def test_databases_are_made_where_they_are_missing_and_left_alone_where_they_exist(
    postgres: PostgresAddress, admin: Engine, names: list[str]
) -> None:
    create_databases(address(postgres), names[:2])
    inside = open_engine(address(postgres, database=names[0]))
    with inside.begin() as connection:
        connection.execute(text("CREATE TABLE kept (n int)"))
    create_databases(address(postgres), names)
    assert existing(admin, names) == names
    with inside.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 0
    inside.dispose()


def test_two_creators_at_once_are_fine(postgres: PostgresAddress, admin: Engine, names: list[str]) -> None:
    errors: list[BaseException] = []
    together = threading.Barrier(2)

    def create() -> None:
        try:
            together.wait()
            create_databases(address(postgres), names)
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert existing(admin, names) == names


def test_a_user_who_may_not_create_databases_is_told_who_can(
    postgres: PostgresAddress, admin: Engine, names: list[str]
) -> None:
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE modest LOGIN NOCREATEDB PASSWORD '{PASSWORD}'"))
        try:
            with pytest.raises(PredictorError) as raised:
                create_databases(address(postgres, username="modest", password=PASSWORD), names[:1])
            create_databases(address(postgres), names[:1])
            # What exists already needs no right to create it.
            create_databases(address(postgres, username="modest", password=PASSWORD), names[:1])
        finally:
            connection.execute(text("DROP ROLE modest"))
    assert str(raised.value) == (
        f"user 'modest' may not create database {names[0]!r} on PostgreSQL at {postgres.host}:{postgres.port}: "
        "create it as an administrator, owned by that user"
    )
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


# --- staged rows ---------------------------------------------------------------------------------------------------


def staged(engine: Engine, target: Any, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What PostgreSQL has after `stage`, read without pandas."""
    with engine.begin() as connection:
        name = stage(connection, target, rows)
        found = connection.execute(select(*(target.c[column] for column in rows)).select_from(target))
        assert found.all() == [], "staging writes nothing to the table itself"
        columns = ", ".join(rows.columns)
        return [dict(row) for row in connection.execute(text(f"SELECT {columns} FROM {name}")).mappings()]


@pytest.mark.parametrize(
    "written",
    [
        "Nott'm Forest",
        "a, b",
        'say "draw"',
        "two\nlines",
        "two\r\nlines",
        "carriage\rreturn",
        "back\\slash",
        "\\N",
        "\\.",
        "NULL",
        "nan",
        "None",
        "  spaces  ",
        "tab\t",
        "Mönchengladbach ⚽",
    ],
)
def test_text_arrives_as_it_was(engine: Engine, written: str) -> None:
    rows = pd.DataFrame({"home_team": [written, "x"], "odds_source": [None, "Avg"]})
    assert staged(engine, tables.matches, rows) == [
        {"home_team": written, "odds_source": None},
        {"home_team": "x", "odds_source": "Avg"},
    ]


def test_an_empty_text_is_an_unknown_one(engine: Engine) -> None:
    """No column of the tables has a use for an empty text: a name must not be one, and refuses the null it becomes."""
    rows = pd.DataFrame({"home_team": ["x"], "odds_source": [""]})
    assert staged(engine, tables.matches, rows) == [{"home_team": "x", "odds_source": None}]


@pytest.mark.parametrize("unknown", [None, float("nan"), pd.NA, pd.NaT])
def test_what_is_unknown_is_null(engine: Engine, unknown: Any) -> None:
    rows = pd.DataFrame(
        {
            "home_team": pd.Series([unknown], dtype=object),
            "home_goals": pd.Series([None], dtype="Int64"),
            "home_odds": [float("nan")],
            "kickoff": pd.Series([pd.NaT], dtype="datetime64[ns, UTC]"),
        }
    )
    assert staged(engine, tables.matches, rows) == [dict.fromkeys(rows.columns)]


def test_numbers_arrive_to_the_last_bit(engine: Engine) -> None:
    values = [0.1 + 0.2, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1e22, float("inf")]
    found = staged(engine, tables.matches, pd.DataFrame({"home_odds": values, "home_goals": range(len(values))}))
    assert [row["home_odds"].hex() for row in found] == [value.hex() for value in values]
    assert [row["home_goals"] for row in found] == list(range(len(values)))


def test_truth_values_arrive_as_such(engine: Engine) -> None:
    found = staged(engine, tables.matches, pd.DataFrame({"kickoff_time_known": [True, False], "season": [1, 2]}))
    assert [row["kickoff_time_known"] for row in found] == [True, False]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 1, 13, 6, 0, 0, 1, tzinfo=timezone.utc),
        datetime(2024, 6, 13, 6, 59, 59, 999999, tzinfo=timezone.utc),
        datetime(2024, 6, 13, 6, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1900, 1, 1, tzinfo=timezone.utc),
    ],
)
def test_moments_arrive_to_the_microsecond(engine: Engine, moment: datetime) -> None:
    rows = pd.DataFrame({"metric_type": ["rps", "rps"]}).assign(
        as_of=moment, timestamp=pd.Series([moment, pd.Timestamp(moment)], dtype=object)
    )
    for row in staged(engine, tables.model_metrics, rows):
        assert (row["as_of"], row["timestamp"]) == (moment, moment)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"n": 40, "low": None, "share": 0.1 + 0.2},
        {"text": 'a, "b"\n\\N \\ \r\n', "unicode": "ö⚽"},
        {"deep": [{"H": 1 / 3}, [], True]},
    ],
)
def test_documents_arrive_as_they_were(engine: Engine, document: dict[str, Any]) -> None:
    rows = pd.DataFrame({"metric_type": ["rps"], "metadata": [document]})
    assert staged(engine, tables.model_metrics, rows) == [{"metric_type": "rps", "metadata": document}]


def test_a_document_with_a_number_that_json_does_not_have_is_refused(engine: Engine) -> None:
    rows = pd.DataFrame({"metric_type": ["rps"], "metadata": [{"low": float("nan")}]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        staged(engine, tables.model_metrics, rows)


def test_a_second_set_of_rows_replaces_the_first_and_none_outlives_the_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        stage(connection, tables.matches, pd.DataFrame({"season": [1, 2], "home_goals": [0, 0]}))
        name = stage(connection, tables.matches, pd.DataFrame({"season": [3], "home_goals": [0]}))
        assert connection.scalars(select(text("season")).select_from(table(name))).all() == [3]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is None
