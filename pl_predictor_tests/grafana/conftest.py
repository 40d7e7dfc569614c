"""What the boards are asked about, once a session: a few weeks of 2023/24 lived by the platform itself, a small season
and a record written by its writers, and nothing at all; and for the alert rules platforms of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text

from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import opened
from pl_predictor_tests.conftest import Platforms, copied, fresh_settings
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, database
from pl_predictor_tests.grafana.healthy import Platform, lived
from pl_predictor_tests.grafana.recorded import Record
from pl_predictor_tests.grafana.season import live, readable
from pl_predictor_tests.grafana.written import Season, World

OF_BOARDS = ("postgres_db", "dagster_db")
"""The databases that the boards ask."""


@pytest.fixture(scope="session")
def season(platforms: Platforms) -> Iterator[Settings]:
    """Settings of a platform that has lived some weeks, and that nobody writes to any more."""
    with platforms("season") as fresh:
        yield live(fresh)


@pytest.fixture(scope="session")
def empty(platforms: Platforms) -> Iterator[Settings]:
    """Settings of a platform that has all its tables and nothing in them."""
    with platforms("empty", *OF_BOARDS) as fresh:
        yield readable(fresh)


@pytest.fixture(scope="session")
def world(platforms: Platforms) -> Iterator[World]:
    """The small season, written and asked in a database whose time zone is half an hour off all others."""
    with platforms("written", *OF_BOARDS) as fresh, opened(fresh.database_url(fresh.postgres_db)) as engine:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE \"{fresh.postgres_db}\" SET timezone = 'America/St_Johns'"))
        engine.dispose()  # connections that are opened from here on have it
        yield World(readable(fresh), Season(engine).write())


@pytest.fixture(scope="session")
def record(platforms: Platforms) -> Iterator[Record]:
    """The record that is written row by row."""
    with platforms("recorded", *OF_BOARDS) as fresh, opened(fresh.database_url(fresh.postgres_db)) as engine:
        yield Record(readable(fresh), engine).write()


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
        copied(template, fresh_settings(tmp_path, postgres), *OF_BOARDS) as fresh,
        lived(fresh) as new,
    ):
        yield new


@pytest.fixture(scope="session")
def in_good_health(platforms: Platforms) -> Iterator[Settings]:
    """Settings of one, to be copied."""
    with platforms("healthy", *OF_BOARDS) as fresh:
        with lived(fresh) as new:
            new.in_good_health()
        yield fresh


@pytest.fixture
def healthy(in_good_health: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Platform]:
    """One in good health."""
    fresh = fresh_settings(tmp_path, postgres)
    with copied(in_good_health, fresh, *OF_BOARDS), lived(fresh) as copy:
        copy.world.beat("SENSOR", seconds_ago=0)
        yield copy
