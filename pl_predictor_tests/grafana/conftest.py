"""A few weeks of 2023/24 lived once by the platform's own writers, for all that is asked of the tables, as Grafana; and
platforms of a test's own, in good health or not begun, for what the alert rules make of them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text

from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.conftest import copied, fresh_settings
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, database
from pl_predictor_tests.grafana.healthy import Platform, lived
from pl_predictor_tests.grafana.recorded import Record
from pl_predictor_tests.grafana.season import live, readable
from pl_predictor_tests.grafana.written import Season, World


@pytest.fixture(scope="session")
def season(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a platform that has lived some weeks, and that nobody writes to any more."""
    fresh = fresh_settings(tmp_path_factory.mktemp("season"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db", "mlflow_db"):
        yield live(fresh)


@pytest.fixture(scope="session")
def empty(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a platform that has all its tables and nothing in them."""
    fresh = fresh_settings(tmp_path_factory.mktemp("empty"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        yield readable(fresh)


@pytest.fixture(scope="session")
def world(template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The small season, written and asked in a database whose time zone is half an hour off all others."""
    fresh = fresh_settings(tmp_path_factory.mktemp("written"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        engine = open_engine(fresh.database_url(fresh.postgres_db))
        with engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE \"{fresh.postgres_db}\" SET timezone = 'America/St_Johns'"))
        engine.dispose()  # connections that are opened from here on have it
        yield World(readable(fresh), Season(engine).write())
        engine.dispose()


@pytest.fixture(scope="session")
def record(template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """The record that is written row by row."""
    fresh = fresh_settings(tmp_path_factory.mktemp("recorded"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        engine = open_engine(fresh.database_url(fresh.postgres_db))
        yield Record(readable(fresh), engine).write()
        engine.dispose()


@pytest.fixture(scope="module")
def owners(season: Settings) -> Iterator[dict[str, "psycopg2.extensions.connection"]]:
    """Connections to the season as the tables' owner, by data source, for changes that nobody else ever sees."""
    opened = {
        source: psycopg2.connect(
            host=season.postgres_host,
            port=season.postgres_port,
            user=season.postgres_user,
            password=season.postgres_password.get_secret_value(),
            dbname=database(season, source),
        )
        for source in (DATA, DAGSTER)
    }
    yield opened
    for connection in opened.values():
        connection.close()


@pytest.fixture
def platform(template: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Platform]:
    """One that has not begun."""
    with (
        copied(template, fresh_settings(tmp_path, postgres), "postgres_db", "dagster_db") as fresh,
        lived(fresh) as new,
    ):
        yield new


@pytest.fixture(scope="session")
def in_good_health(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of one, to be copied."""
    fresh = fresh_settings(tmp_path_factory.mktemp("healthy"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        with lived(fresh) as new:
            new.in_good_health()
        yield fresh


@pytest.fixture
def healthy(in_good_health: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Platform]:
    """One in good health."""
    fresh = fresh_settings(tmp_path, postgres)
    with copied(in_good_health, fresh, "postgres_db", "dagster_db"), lived(fresh) as copy:
        copy.world.beat("SENSOR", seconds_ago=0)
        yield copy
