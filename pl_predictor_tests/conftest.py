"""The real services that tests share: one PostgreSQL server, and for each test databases of its own on it."""

import itertools
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import hypothesis
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from pl_predictor.services import postgres_as_root
from pl_predictor.services.environment import exported, make_home
from pl_predictor.services.loop import migrate
from pl_predictor.services.postgres_server import PostgresAddress, PostgresServer
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import create_databases, opened
from pl_predictor_tests.services.postgres_helpers import ROOT, query

# A script's background job begins with SIGINT ignored; Dagster gives SIGTERM the same, and children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long a machine takes is the benchmarks' business.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


# Each worker of pytest-xdist has ports of its own, and each session begins elsewhere in them. All are below those that
# the kernel chooses from: it would give the same one to a connection, or to another worker, before a test listens.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = itertools.cycle(range(10_000 + 1_000 * WORKER, 11_000 + 1_000 * WORKER))
next(itertools.islice(PORTS, os.getpid() % 1_000, None))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago, another one each time."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port := next(PORTS)))
            return port


@pytest.fixture(scope="session", autouse=True)
def no_cluster_stays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Root's clusters, 150 MB each, are not in the temporary folder, which pytest deletes one day."""
    yield
    if ROOT:
        folder = tmp_path_factory.getbasetemp()
        for cluster in [*folder.rglob("postgres/cluster")]:
            home = cluster.parents[1]
            home.rename(home.with_name(f"{home.name} as it ended"))  # its logs may be of use
        postgres_as_root.discard_below(folder)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddress]:
    """A running PostgreSQL, for the whole session; it forgoes what only a power failure would show."""
    with PostgresServer(tmp_path_factory.mktemp("home"), port=free_port()).lease() as address:
        # Each drop of a database waits until all of it is on the disk: seconds where the disk is busy, for most tests.
        query(address, "ALTER SYSTEM SET fsync = off")
        query(address, "SELECT pg_reload_conf()")
        yield address


def fresh_settings(home: Path, address: PostgresAddress, suffix: str | None = None) -> Settings:
    """Settings of a home, and of three databases on this server that do not exist yet."""
    suffix = suffix or uuid.uuid4().hex[:12]
    return Settings(PL_HOME=home).model_copy(
        update={
            "source": "snapshot",
            "as_of": None,
            "postgres_host": address.host,
            "postgres_port": address.port,
            "postgres_user": address.user,
            "postgres_password": SecretStr(address.password),
            "postgres_db": f"pl_predictor_{suffix}",
            "dagster_db": f"dagster_{suffix}",
            "mlflow_db": f"mlflow_{suffix}",
            "mlflow_tracking_uri": None,
        }
    )


@pytest.fixture(scope="session")
def template(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of three databases with all their tables and no rows, to be copied: making them takes seconds."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    settings = fresh_settings(tmp_path_factory.mktemp("template"), postgres, "template")
    names = [settings.postgres_db, settings.dagster_db, settings.mlflow_db]
    create_databases(settings.database_url("postgres"), names)
    with exported(settings):
        migrate(settings)
    store = SqlAlchemyStore(settings.tracking_uri, str(settings.home))
    store.engine.dispose()
    return settings


DATABASES = ("postgres_db", "dagster_db", "mlflow_db")


@contextmanager
def copied(template: Settings, fresh: Settings, *databases: str) -> Iterator[Settings]:
    """`fresh`, with its databases, or those of them that are named, as copies of the template's for as long as the
    block lasts."""
    names = databases or DATABASES
    with (
        opened(fresh.database_url("postgres")) as admin,
        admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        for name in names:
            source, copy = getattr(template, name), getattr(fresh, name)
            connection.execute(text(f'CREATE DATABASE "{copy}" TEMPLATE "{source}"'))
        yield fresh
        for name in names:
            connection.execute(text(f'DROP DATABASE "{getattr(fresh, name)}" WITH (FORCE)'))


Platforms = Callable[..., AbstractContextManager[Settings]]


@pytest.fixture(scope="session")
def platforms(template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Platforms:
    """Makes platforms that outlive a test: the settings of one with a home of that name and databases with no rows, for
    as long as the block lasts. Named databases: these alone, as in `copied`."""

    def platform(name: str, *databases: str) -> AbstractContextManager[Settings]:
        return copied(template, fresh_settings(tmp_path_factory.mktemp(name), postgres), *databases)

    return platform


@pytest.fixture
def engine(template: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a migrated database of this test's own."""
    with (
        copied(template, fresh_settings(tmp_path, postgres), "postgres_db") as fresh,
        opened(fresh.database_url(fresh.postgres_db)) as engine,
    ):
        yield engine


@pytest.fixture
def environment(template: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home and three migrated databases of this test's own, exported to this process's environment."""
    fresh = fresh_settings(tmp_path / "home", postgres)
    with copied(template, fresh), exported(fresh):
        make_home(fresh)
        yield fresh
