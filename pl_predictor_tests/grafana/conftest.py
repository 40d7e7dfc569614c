"""A few weeks of 2023/24 lived once by the platform's own writers, for all that is asked of the tables, as Grafana."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from pl_predictor.core.alerts import Changes, Condition, Level
from pl_predictor.services.grafana_reader import provide
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings, parse_as_of
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.conftest import copied, fresh_settings
from pl_predictor_tests.grafana.grafana import PASSWORD
from pl_predictor_tests.integration.platform import run, using

FIRST, LAST = parse_as_of("2023-12-22T20:00"), parse_as_of("2024-01-12T20:00")
# Some columns have drifted at the end of 2023: none may, so that there is a retraining.
POLICY = {"PL_MAX_DRIFT_SHARE": "0", "PL_RETRAINING_COOLDOWN_DAYS": "14", "PL_MIN_NEW_RESULTS": "10"}


@pytest.fixture(scope="session")
def season(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a platform that has lived some weeks, and that nobody writes to any more."""
    fresh = fresh_settings(tmp_path_factory.mktemp("season"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db", "mlflow_db"):
        weeks = ("--first", FIRST.isoformat(), "--last", LAST.isoformat())
        # In a process of its own: libraries that are used to train warn, which is an error in this one.
        said = run("replay", "--in-process", *weeks, env={**using(fresh), **POLICY})
        assert said.returncode == 0, said.stderr
        engine = open_engine(fresh.database_url(fresh.postgres_db))
        conditions = (
            Condition("source", Level.CRITICAL, "The source of matches is dead or broken", "no answer"),
            Condition("check_failed:drift_report", Level.WARNING, "drift: failed", "2 of 13 columns drifted", "run-1"),
        )
        AlertStorage(engine).apply(Changes(opened=conditions), LAST, replay=True)
        engine.dispose()
        yield readable(fresh)


@pytest.fixture(scope="session")
def empty(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a platform that has all its tables and nothing in them."""
    fresh = fresh_settings(tmp_path_factory.mktemp("empty"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        yield readable(fresh)


def readable(settings: Settings) -> Settings:
    """The settings, whose databases Grafana may read with PASSWORD."""
    settings = settings.model_copy(update={"grafana_password": SecretStr(PASSWORD)})
    assert provide(settings) is None
    return settings
