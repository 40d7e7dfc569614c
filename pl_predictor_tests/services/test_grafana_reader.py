"""Grafana's role reads what the dashboards show, now and later, and nothing else."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import psycopg2.errors
import pytest
from pydantic import SecretStr

from pl_predictor import tables
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.grafana_reader import DAGSTER_TABLES, DEFAULTS, READER, password_file, provide
from pl_predictor.settings import Settings

OWN_ALL_TABLES = """
    DO $$ DECLARE each regclass; BEGIN
        FOR each IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO limited', each);
        END LOOP;
    END $$
"""
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
    """Not through SQLAlchemy, to which a percent sign is more than that."""
    with closing(psycopg2.connect(settings.database_url(database).replace("+psycopg2", ""))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


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


def test_of_the_tables_of_others_in_the_same_database_it_reads_none(provided: Settings) -> None:
    execute(provided, "CREATE TABLE of_somebody_else (id integer)", provided.postgres_db)
    assert provide(provided) is None
    with as_reader(provided, provided.postgres_db) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("SELECT * FROM of_somebody_else")


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
        "CREATE TEMPORARY TABLE alerts (id integer)",
        "SELECT lo_from_bytea(0, 'a file')",
        "SELECT lo_create(0)",
    ],
)
def test_it_writes_nothing_even_where_a_viewer_lifts_the_read_only_default(provided: Settings, statement: str) -> None:
    with as_reader(provided, provided.postgres_db) as cursor:
        with pytest.raises((psycopg2.errors.ReadOnlySqlTransaction, psycopg2.errors.InsufficientPrivilege)):
            cursor.execute(statement)
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


@pytest.mark.parametrize("held", ["hashtext('champion')", "1, 2"])
@pytest.mark.parametrize("how", ["lock", "lock_shared", "try_lock", "xact_lock"])
def test_it_holds_no_lock_that_the_platform_waits_for(provided: Settings, how: str, held: str) -> None:
    for database in (provided.postgres_db, provided.dagster_db):
        name = f"pg_try_advisory_{how[4:]}" if how.startswith("try") else f"pg_advisory_{how}"
        with as_reader(provided, database) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(f"SELECT {name}({held})")


def test_the_owner_of_the_database_still_may_what_is_taken_from_everybody(limited: Settings) -> None:
    for database in (limited.postgres_db, limited.dagster_db):
        execute(limited, "SELECT pg_advisory_lock(1)", database)
        execute(limited, "CREATE TEMPORARY TABLE mine (id integer)", database)


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


@pytest.fixture
def limited(provided: Settings) -> Iterator[Settings]:
    """The platform as a user who owns its tables, and may do nothing to roles."""
    execute(provided, "CREATE ROLE limited LOGIN PASSWORD 'limited'")
    databases = (provided.postgres_db, provided.dagster_db)
    for database in databases:
        execute(provided, f'ALTER DATABASE "{database}" OWNER TO limited')
        execute(provided, OWN_ALL_TABLES, database)
    user = {"postgres_user": "limited", "postgres_password": SecretStr("limited")}
    yield provided.model_copy(update=user)
    for database in databases:
        execute(provided, f"REASSIGN OWNED BY limited TO {provided.postgres_user}", database)
        execute(provided, "DROP OWNED BY limited", database)
    execute(provided, "DROP ROLE limited")


def asked_of_an_administrator(said: str | None) -> list[str]:
    """The statements of the sentence."""
    assert said is not None
    assert said.startswith(
        "Grafana's role grafana_reader is not as it should be, and user 'limited' may not change that"
    )
    (run,) = re.findall(r"run, in database 'postgres': (.*;) Put a password in the place of PL_GRAFANA_PASSWORD,", said)
    return [statement.strip() for statement in str(run).split(";")[:-1]]


def test_a_user_who_may_not_make_roles_asks_an_administrator_for_all_that_is_needed(
    provided: Settings, limited: Settings
) -> None:
    with without_the_role(provided):
        for statement in asked_of_an_administrator(provide(limited)):
            execute(provided, statement.replace("PL_GRAFANA_PASSWORD", PASSWORD.replace("'", "''")))
        assert provide(limited) is None
        with as_reader(limited, limited.postgres_db) as cursor:
            cursor.execute("SELECT 1 FROM matches")
            for name, value in DEFAULTS.items():
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone() == (value,)
        with as_reader(limited, limited.dagster_db) as cursor:
            cursor.execute("SELECT 1 FROM runs")


def test_a_user_who_may_not_change_the_password_asks_for_that_alone_and_gives_the_grants(
    provided: Settings, limited: Settings
) -> None:
    for database in (limited.postgres_db, limited.dagster_db):
        execute(provided, f"DROP OWNED BY {READER}", database)
    said = provide(limited.model_copy(update={"grafana_password": SecretStr("another")}))
    assert asked_of_an_administrator(said) == [f"ALTER ROLE {READER} LOGIN PASSWORD 'PL_GRAFANA_PASSWORD'"]
    with as_reader(limited, limited.postgres_db) as cursor:
        cursor.execute("SELECT 1 FROM matches")


def test_a_grant_that_only_an_administrator_may_give_is_asked_for_with_its_database(
    provided: Settings, limited: Settings
) -> None:
    execute(provided, f"ALTER TABLE runs OWNER TO {provided.postgres_user}", limited.dagster_db)
    said = provide(limited)
    grant = f"GRANT SELECT ON {', '.join(DAGSTER_TABLES)} TO {READER}"
    assert said is not None
    assert f"run, in database '{limited.dagster_db}': {grant}; Then" in said


def test_a_role_that_could_not_be_made_leaves_no_password_in_the_home(provided: Settings, limited: Settings) -> None:
    with without_the_role(provided):
        assert "CREATE ROLE" in str(provide(limited.model_copy(update={"grafana_password": None})))
        execute(provided, f"CREATE ROLE {READER}")
    assert not list(limited.home.glob("grafana_password*"))


def test_a_home_that_cannot_keep_the_password_leaves_no_role_without_one(provided: Settings) -> None:
    home = provided.model_copy(update={"grafana_password": None})
    (home.home / "grafana_password.new").mkdir()
    with without_the_role(home):
        with pytest.raises(PredictorError, match="make the home writable"):
            provide(home)
        execute(home, f"CREATE ROLE {READER}")  # it would be an error were it there


def test_whoever_was_killed_before_the_role_was_there_takes_the_password_that_was_kept(provided: Settings) -> None:
    home = provided.model_copy(update={"grafana_password": None})
    password_file(home.home).write_text("kept by the one who was killed")
    with without_the_role(home):
        assert provide(home) is None
        with as_reader(home, home.postgres_db, "kept by the one who was killed") as cursor:
            cursor.execute("SELECT 1 FROM matches")
