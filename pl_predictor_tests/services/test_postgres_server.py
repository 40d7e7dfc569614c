"""The embedded PostgreSQL server, against the real one: leases, starts and stops, kill -9, ports, who may log in."""

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psutil
import psycopg2
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresAddress, PostgresServer
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.services.postgres_helpers import alive, another_process, connect, first_line, kill, query

BUSY = "DO 'BEGIN WHILE clock_timestamp() < now() + interval ''1 min'' LOOP END LOOP; END'"


def test_the_server_runs_while_leased_and_stops_afterwards(server: PostgresServer) -> None:
    assert server.running() is None
    with server.lease() as address:
        pid = server.pid()
        assert pid is not None
        assert server.running() == address
        assert query(address, "SELECT 1") == 1
        query(address, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
    assert server.running() is None
    assert not alive(pid)
    with server.lease() as address:
        assert query(address, "SELECT n FROM kept") == 42
        query(address, "DROP TABLE kept")


def test_it_stops_when_its_user_fails(server: PostgresServer) -> None:
    with pytest.raises(ZeroDivisionError), server.lease():
        raise ZeroDivisionError
    assert server.pid() is None


@pytest.fixture(scope="module")
def shown(shared_home: Path) -> dict[str, str]:
    """The settings of a server as the platform runs it; the one that the tests share differs."""
    with (
        PostgresServer(shared_home, port=free_port()).lease() as address,
        connect(address) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW ALL")
        return {name.lower(): value for name, value, _ in cursor.fetchall()}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("shared_buffers", "64MB"),
        ("max_connections", "100"),
        ("password_encryption", "scram-sha-256"),
    ],
)
def test_it_is_set_up_as_the_platform_wants_it(setting: str, value: str, shown: dict[str, str]) -> None:
    assert shown[setting] == value


def test_sorting_does_not_depend_on_the_machine(postgres: PostgresAddress) -> None:
    assert (
        query(postgres, "SELECT string_agg(t, '' ORDER BY t) FROM unnest(ARRAY['ä', 'b', 'A', 'a', 'B']) t") == "ABabä"
    )


def test_the_password_is_the_owners_secret(server: PostgresServer, shared_home: Path) -> None:
    with server.lease() as address:
        status = (shared_home / "postgres" / "cluster" / "password").stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_uid == (shared_home / "postgres" / "cluster").stat().st_uid
        assert len(address.password) > 30
        assert address.password not in repr(address)


@pytest.mark.parametrize("password", ["", "postgres", "wrong"])
def test_a_wrong_password_is_refused(password: str, postgres: PostgresAddress) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"no password supplied|password authentication failed"):
        connect(PostgresAddress(postgres.host, postgres.port, postgres.user, password))


def test_it_listens_on_the_loopback_address_only(server: PostgresServer) -> None:
    with server.lease() as address:
        listening = psutil.Process(server.pid()).net_connections("all")
        assert [connection.laddr for connection in listening] == [("127.0.0.1", address.port)]


def test_it_keeps_nothing_of_its_starter(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the terminal's signals, nor its output, nor the locks, nor the secrets in the environment."""
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with server.lease():
        process = psutil.Process(server.pid())
        assert os.getsid(process.pid) != os.getsid(0)
        assert process.terminal() is None
        assert {Path(file.path).name for file in process.open_files()} <= {"server.log"}
        assert "SOME_API_KEY" not in process.environ()


def test_the_server_of_a_killed_process_is_taken_over(server: PostgresServer, shared_home: Path) -> None:
    port = free_port()
    with another_process(shared_home, port) as process:
        pid = int(first_line(process))
        process.kill()
    server = PostgresServer(shared_home, port=port)
    assert server.pid() == pid
    with server.lease() as address:
        assert server.pid() == pid
        assert query(address, "SELECT 1") == 1
    assert server.pid() is None


def test_the_last_one_out_stops_it_and_no_one_before(shared_home: Path) -> None:
    port = free_port()
    server = PostgresServer(shared_home, port=port)
    with another_process(shared_home, port) as process:
        with server.lease() as address:
            assert server.pid() == int(first_line(process))
        assert query(address, "SELECT 1") == 1
        with server.lease(), server.lease():
            pass
        assert query(address, "SELECT 1") == 1
    assert server.pid() is None


def test_starts_at_once_end_with_one_server(new_home: Path) -> None:
    port, barrier = free_port(), Barrier(5)

    def lease(_: int) -> int | None:
        server = PostgresServer(new_home, port=port)
        barrier.wait()
        with server.lease() as address:
            assert query(address, "SELECT 1") == 1
            barrier.wait()  # nobody leaves before all are in
            return server.pid()

    with ThreadPoolExecutor(4) as pool:
        threads = pool.map(lease, range(4))
        with another_process(new_home, port) as process:
            barrier.wait()
            pid = int(first_line(process))
            barrier.wait()
            assert set(threads) == {pid}


def test_after_the_postmaster_was_killed_at_work_it_is_started_again(server: PostgresServer) -> None:
    """A backend that computes does not see that its postmaster is gone, and PostgreSQL does not start beside it."""
    with server.lease() as address, ThreadPoolExecutor(1) as pool:
        query(address, "CREATE TABLE kept AS SELECT 42 AS n")
        busy = pool.submit(query, address, BUSY)
        backend = None
        while backend is None:
            backend = query(address, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active'")
        pid = server.pid()
        assert pid is not None
        kill(pid)
        assert server.running() is None
        assert server.ensure_running() == address
        assert server.pid() not in (None, pid)
        assert not alive(backend)
        assert isinstance(busy.exception(), psycopg2.OperationalError)
        assert query(address, "SELECT n FROM kept") == 42
        query(address, "DROP TABLE kept")


def test_a_lease_after_the_postmaster_was_killed_starts_it(server: PostgresServer) -> None:
    with server.lease() as address:
        pid = server.pid()
        assert pid is not None
        kill(pid)
        with server.lease() as again:
            assert again == address
            assert query(address, "SELECT 1") == 1


def test_ensure_running_leaves_a_running_server_alone(server: PostgresServer) -> None:
    with server.lease() as address:
        pid = server.pid()
        assert server.ensure_running() == address
        assert server.pid() == pid


def test_ensure_running_needs_a_lease(server: PostgresServer) -> None:
    with pytest.raises(RuntimeError, match="without a lease"):
        server.ensure_running()
    assert server.pid() is None


def test_a_port_in_use_is_named_with_its_user(shared_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = PostgresServer(shared_home, port=port)
        with pytest.raises(PredictorError, match=rf"port {port} .* {os.getpid()}.* PL_POSTGRES_PORT"), server.lease():
            pass
    assert server.pid() is None


def test_the_server_of_another_home_is_not_ours(shared_home: Path, postgres: PostgresAddress) -> None:
    server = PostgresServer(shared_home, port=postgres.port)
    with pytest.raises(PredictorError, match=rf"port {postgres.port} .*taken by postgres"), server.lease():
        pass
    assert server.running() is None
    assert query(postgres, "SELECT 1") == 1


def test_an_address_of_another_machine_is_refused(shared_home: Path) -> None:
    with (
        pytest.raises(PredictorError, match=r"port \d+ on 192\.0\.2\.1 cannot be used"),
        PostgresServer(shared_home, port=free_port(), host="192.0.2.1").lease(),
    ):
        pass


def test_a_server_nobody_uses_moves_to_the_port_asked_for(shared_home: Path) -> None:
    with another_process(shared_home, free_port()) as process:
        before = int(first_line(process))
        process.kill()
    server = PostgresServer(shared_home, port=free_port())
    assert server.pid() == before
    with server.lease() as address:
        assert address.port == server._port
        assert query(address, "SELECT 1") == 1
        assert not alive(before)


def test_a_server_in_use_does_not_move(server: PostgresServer, shared_home: Path) -> None:
    other = PostgresServer(shared_home, port=free_port())
    with server.lease() as address:
        with pytest.raises(PredictorError, match=f"set PL_POSTGRES_PORT={address.port}$"), other.lease():
            pass
        assert other.running() == address
        assert query(address, "SELECT 1") == 1


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_has_16_bits(port: int, tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="PL_POSTGRES_PORT"):
        PostgresServer(tmp_path, port=port)


def test_a_lease_ends_though_a_child_has_a_copy_of_it(server: PostgresServer, shared_home: Path) -> None:
    """As a child has between fork and exec, when another thread starts a program."""
    path = shared_home / "postgres" / "lease.lock"
    with server.lease():
        with server.lease():
            copies = [os.dup(file.fd) for file in psutil.Process().open_files() if file.path == str(path)]
        assert len(copies) == 2
    for copy in copies:
        os.close(copy)
    assert server.pid() is None
