"""What a start makes of the data directory it finds: stale, damaged, half made, of another version, or none."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.services.postgres_helpers import ROOT, alive, another_process, first_line, query


@contextmanager
def somebody(uid: int) -> Iterator[int]:
    """The process id of a stranger."""
    user = {"user": uid} if ROOT else {}
    with subprocess.Popen(["sleep", "infinity"], **user) as process:  # type: ignore[call-overload]
        try:
            yield process.pid
            assert process.poll() is None
        finally:
            process.kill()


@pytest.fixture(scope="module")
def pid_file(shared_home: Path) -> list[str]:
    """The lines of the postmaster.pid of the shared home's server, which has ended."""
    with PostgresServer(shared_home, port=free_port()).lease():
        return (shared_home / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()


@pytest.mark.parametrize("line_count", [1, 5, 8])
@pytest.mark.parametrize("same_user", [True, False])
def test_a_stale_pid_file_may_name_a_stranger(
    same_user: bool, line_count: int, server: PostgresServer, shared_data: Path, pid_file: list[str]
) -> None:
    data = shared_data.resolve()
    with somebody(data.stat().st_uid if same_user else os.geteuid()) as stranger:
        (data / "postmaster.pid").write_text("\n".join([str(stranger), *pid_file[1:line_count]]) + "\n")
        assert server.pid() is None
        assert server.running() is None
        with server.lease() as address:
            assert query(address, "SELECT 1") == 1


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "99999999999999999999\n"])
def test_a_damaged_pid_file_stops_nothing(content: str, server: PostgresServer, shared_data: Path) -> None:
    (shared_data / "postmaster.pid").write_text(content)
    with server.lease() as address:
        assert query(address, "SELECT 1") == 1


def test_a_server_whose_starter_was_killed_half_way_is_started_afresh(shared_home: Path) -> None:
    port = free_port()
    with another_process(shared_home, port) as process:
        before = int(first_line(process))
        process.kill()
    pid_file = shared_home / "postgres" / "cluster" / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace("ready", "starting"))
    server = PostgresServer(shared_home, port=port)
    assert server.running() is None
    assert server.pid() == before
    with server.lease() as address:
        assert server.pid() != before
        assert query(address, "SELECT 1") == 1


def test_a_killed_initdb_is_not_taken_for_a_cluster(new_home: Path) -> None:
    port = free_port()
    with another_process(new_home, port) as process:
        initdb = None
        while initdb is None:
            children = psutil.Process(process.pid).children(recursive=True)
            initdb = next((child for child in children if child.name() == "initdb"), None)
        initdb.suspend()
        process.kill()
    try:
        with (new_home / "postgres" / "start.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # initdb still writes: nobody clears the folder under it
    finally:
        initdb.resume()
    assert not (new_home / "postgres" / "cluster").is_symlink()
    assert not (new_home / "postgres" / "cluster").exists()
    with PostgresServer(new_home, port=port).lease() as address:
        assert not alive(initdb.pid)
        assert query(address, "SELECT 1") == 1
    assert sorted(path.name for path in (new_home / "postgres").iterdir()) == [
        "cluster",
        "lease.lock",
        "server.log",
        "start.lock",
    ]


def test_a_failed_initdb_says_why(new_home: Path) -> None:
    """A limit of file size, larger than the binaries and smaller than the write-ahead log, stands for a full disk."""
    script = """
import resource, sys
from pathlib import Path
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresServer
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    with PostgresServer(Path(sys.argv[1]), port=int(sys.argv[2])).lease():
        print("no error")
except PredictorError as error:
    print(error)
""".replace("int(sys.argv[3])", str(13 * 2**20))
    with another_process(new_home, free_port(), script) as process:
        said, _ = process.communicate()
    assert "initdb failed" in said
    assert "File too large" in said or "signal 25" in said


def test_a_server_that_does_not_come_up_is_quoted(server: PostgresServer, shared_data: Path) -> None:
    settings = shared_data / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(PredictorError, match=r"did not come up .*server\.log.* \"no_such_setting\""), server.lease():
        pass
    settings.write_text(before)


def test_data_of_another_version_is_refused(server: PostgresServer, shared_data: Path) -> None:
    version = shared_data / "PG_VERSION"
    before = version.read_text()
    version.write_text("17\n")
    with pytest.raises(PredictorError, match=r"PostgreSQL 17 and .* brings 18: install"), server.lease():
        pass
    version.write_text(before)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(PredictorError, match=r"cannot work in .*file/home/postgres.*choose another home"),
        PostgresServer(tmp_path / "file" / "home", port=free_port()).lease(),
    ):
        pass


def test_without_the_wheel_the_way_out_is_named(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PredictorError, match="POSTGRES_HOST"), PostgresServer(new_home, port=free_port()).lease():
        pass
