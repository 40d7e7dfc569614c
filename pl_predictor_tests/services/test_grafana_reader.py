"""Grafana's role reads what the dashboards show, now and later, and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import psycopg2.errors
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from pl_predictor import tables
from pl_predictor.services.grafana_reader import DAGSTER_TABLES, DEFAULTS, READER, password_file, provide
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine

PASSWORD = "it's 100 % :secret"


@pytest.fixture
def provided(environment: Settings) -> Settings:
    """Settings of a platform whose role has the password PASSWORD."""
    chosen = environment.model_copy(update={"grafana_password": SecretStr(PASSWORD)})
    assert provide(chosen) is None
    return chosen


@contextmanager
def as_reader(settings: Settings, database: str, password: str = PASSWORD) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor of the role's own, which would commit."""
    connection = psycopg2.connect(
        host=settings.postgres_host, port=settings.postgres_port, user=READER, password=password, dbname=database
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def execute(settings: Settings, statement: str, database: str = "postgres") -> None:
    engine = open_engine(settings.database_url(database)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def without_the_role(settings: Settings) -> Iterator[None]:
    """A server on which the role has yet to be made: the other tests' one is called otherwise meanwhile."""
    execute(settings, f"ALTER ROLE {READER} RENAME TO somebody_else")
    yield
    for database in (settings.postgres_db, settings.dagster_db):
        execute(settings, f"DROP OWNED BY {READER}", database)
    execute(settings, f"DROP ROLE {READER}")
    execute(settings, f"ALTER ROLE somebody_else RENAME TO {READER}")


def test_it_reads_every_table_of_the_platform(provided: Settings) -> None:
    with as_reader(provided, provided.postgres_db) as cursor:
        for table in tables.metadata.tables:
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")


def test_it_reads_a_table_that_a_later_migration_makes(provided: Settings) -> None:
    execute(provided, "CREATE TABLE later (id integer)", provided.postgres_db)
    with as_reader(provided, provided.postgres_db) as cursor:
        cursor.execute("SELECT * FROM later")


def test_of_dagsters_tables_it_reads_those_of_the_dashboards_and_no_other(provided: Settings) -> None:
    readable = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        "AND has_table_privilege(oid, 'SELECT')"
    )
    with as_reader(provided, provided.dagster_db) as cursor:
        cursor.execute(readable)
        assert sorted(name for (name,) in cursor.fetchall()) == sorted(DAGSTER_TABLES)


def test_of_mlflows_tables_it_reads_none(provided: Settings) -> None:
    with as_reader(provided, provided.mlflow_db) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("SELECT * FROM registered_models")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO fixture_lists (as_of, state, reason, fixtures) VALUES (now(), 'ok', '', 0)",
        "UPDATE model_metrics SET value = 1",
        "DELETE FROM alerts",
        "TRUNCATE matches",
        "DROP TABLE matches",
        "CREATE TABLE mine (id integer)",
    ],
)
def test_it_writes_nothing_even_where_a_viewer_lifts_the_read_only_default(provided: Settings, statement: str) -> None:
    with as_reader(provided, provided.postgres_db) as cursor:
        with pytest.raises((psycopg2.errors.ReadOnlySqlTransaction, psycopg2.errors.InsufficientPrivilege)):
            cursor.execute(statement)
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


def test_its_queries_are_read_only_and_end_in_time(provided: Settings) -> None:
    with as_reader(provided, provided.postgres_db) as cursor:
        for name, value in DEFAULTS.items():
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)


def test_it_may_not_make_roles_or_databases_and_belongs_to_no_other_role(provided: Settings) -> None:
    with as_reader(provided, provided.postgres_db) as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, "
            "EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False,) * 6


def test_another_password_replaces_the_one_before(provided: Settings) -> None:
    assert provide(provided.model_copy(update={"grafana_password": SecretStr("another")})) is None
    with as_reader(provided, provided.postgres_db, "another") as cursor:
        cursor.execute("SELECT 1")


def test_without_a_password_a_home_keeps_its_own_and_makes_it_once(provided: Settings) -> None:
    home = provided.model_copy(update={"grafana_password": None})
    with without_the_role(home):
        assert provide(home) is None
        password = password_file(home.home).read_text()
        assert provide(home) is None
        assert password_file(home.home).read_text() == password
        assert password_file(home.home).stat().st_mode & 0o777 == 0o600
        with as_reader(home, home.postgres_db, password) as cursor:
            cursor.execute("SELECT 1 FROM matches")


def test_a_home_without_a_password_leaves_that_of_a_role_which_is_there(provided: Settings) -> None:
    assert provide(provided.model_copy(update={"grafana_password": None})) is None
    assert not password_file(provided.home).exists()
    with as_reader(provided, provided.postgres_db) as cursor:
        cursor.execute("SELECT 1")


def test_several_at_once_end_as_one(provided: Settings) -> None:
    said: list[str | None] = []
    with without_the_role(provided):
        threads = [threading.Thread(target=lambda: said.append(provide(provided))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert said == [None] * 4


def test_a_user_who_may_not_make_roles_is_told_what_an_administrator_has_to_do(provided: Settings) -> None:
    execute(provided, "CREATE ROLE limited LOGIN PASSWORD 'limited'")
    user = {"postgres_user": "limited", "postgres_password": SecretStr("limited")}
    limited = provided.model_copy(update=user)
    try:
        said = provide(limited)
    finally:
        execute(provided, "DROP ROLE limited")
    assert said is not None
    assert "user 'limited' may not set up the role grafana_reader" in said
    assert f"CREATE ROLE {READER} LOGIN PASSWORD '...'; ALTER ROLE {READER} SET default_transaction_read_only" in said
