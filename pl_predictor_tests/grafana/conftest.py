"""A few weeks of 2023/24 lived once by the platform's own writers, for all that is asked of the tables, as Grafana."""

from collections.abc import Iterator

import pytest

from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import copied, fresh_settings
from pl_predictor_tests.grafana.season import live, readable


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
