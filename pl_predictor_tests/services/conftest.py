"""The homes in which the tests of the embedded PostgreSQL keep their clusters.

Every home lies in pytest's temporary folder, which only its owner may enter, and has a name that a shell would mangle.
The clean-up asserts that no test leaves a server behind.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pl_predictor.services import postgres_as_root
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.services.postgres_helpers import ROOT


@contextmanager
def a_home(folder: Path) -> Iterator[Path]:
    home = folder / "hö me $HOME `'"
    yield home
    left = PostgresServer(home, port=free_port()).pid()
    shutil.rmtree(home, ignore_errors=True)
    if ROOT:
        postgres_as_root.discard_below(folder)
    elif left:
        os.kill(left, signal.SIGQUIT)
    assert left is None


@pytest.fixture(scope="package")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose cluster the tests hand on to each other, each in working order."""
    with a_home(tmp_path_factory.mktemp("shared")) as home:
        yield home


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    with a_home(tmp_path) as home:
        yield home


@pytest.fixture
def server(shared_home: Path) -> PostgresServer:
    return PostgresServer(shared_home, port=free_port())


@pytest.fixture
def shared_data(server: PostgresServer, shared_home: Path) -> Path:
    """The data directory of the shared home, as the home names it: made if no test has made it, and not in use."""
    data = shared_home / "postgres" / "cluster"
    if not data.exists():
        with server.lease():
            pass
    return data
