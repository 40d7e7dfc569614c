"""The platform's own PostgreSQL: one server for a home, shared by every process that holds a lease on it.

Here: leases, and who starts and stops the server when. The data directory and its processes are postgres_cluster's,
where they live under root is postgres_as_root's. Databases, tables and roles are not made here.

What holds at all times, whoever is killed and when:

- `<home>/postgres/start.lock`, locked exclusively, serialises starting and stopping. `lease.lock`, locked shared, is
  held by every user of the server; the kernel lets go of it when the user dies, however it dies. The last one out stops
  the server; one that nobody stopped, because its last user was killed, is taken over by the next.
- `<home>/postgres/cluster` exists only when complete: initdb works beside it, a rename (or a link) is the last step.
- A server found on another port or host than asked is restarted when nobody else holds a lease, and else refused.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import postgres_as_root
from pl_predictor.services.ports import require_free_port
from pl_predictor.services.postgres_cluster import (
    PORT_VARIABLE,
    Cluster,
    PostgresAddress,
    installed_binaries,
    locked,
)

__all__ = ["PostgresAddress", "PostgresServer"]


class PostgresServer:
    """The embedded server of one home. Objects are cheap and share nothing; threads and processes may each have theirs.

    Every method raises PredictorError, one sentence with a remedy, when something outside the code is wrong.
    """

    def __init__(self, home: Path, *, port: int, host: str = "127.0.0.1") -> None:
        if not 1 <= port <= 65535:
            raise PredictorError(f"{port} is not a port: set {PORT_VARIABLE} to a number from 1 to 65535")
        self._home = Path(os.path.normpath(home.absolute()))
        self._folder = self._home / "postgres"
        self._data = self._folder / "cluster"
        self._port = port
        self._host = host

    def running(self) -> PostgresAddress | None:
        """The address of the server if it accepts connections, wherever it listens. Takes no lease, starts nothing."""
        cluster = self._cluster()
        server = cluster.postmaster() if cluster else None
        return cluster.address(server) if cluster and server and server.ready else None

    def pid(self) -> int | None:
        """The postmaster's process id, also while it starts or stops."""
        cluster = self._cluster()
        server = cluster.postmaster() if cluster else None
        return server.pid if server else None

    @contextmanager
    def lease(self) -> Iterator[PostgresAddress]:
        """Use the server: start it if it does not run, and stop it on leaving if nobody else holds a lease.

        A lease is the process's that took it. A child forked from it must not outlive it: the child would keep the
        lease of a killed parent.
        """
        with self._serialised() as lock:
            lease = self._open_lease()
            try:
                address = self._start(lock, alone=_alone(lease))
            except BaseException:
                self._leave(lease)
                raise
        holder = os.getpid()
        try:
            yield address
        finally:
            if os.getpid() == holder:
                with self._serialised():
                    self._leave(lease)

    def ensure_running(self) -> PostgresAddress:
        """Start the server again if it died. For a holder of a lease: RuntimeError if nobody holds one."""
        if address := self.running():
            return address
        with self._serialised() as lock:
            lease = self._open_lease()
            try:
                if _alone(lease):
                    raise RuntimeError("ensure_running() without a lease: nobody would ever stop the server")
            finally:
                _close(lease)
            return self._start(lock, alone=False)

    @contextmanager
    def _serialised(self) -> Iterator[int]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._folder / "start.lock") as lock:
                yield lock
        except OSError as error:
            raise PredictorError(
                f"the embedded PostgreSQL cannot work in {self._folder}: {error}; "
                "make it writable, with free disk space, or choose another home"
            ) from error

    def _open_lease(self) -> int:
        lease = os.open(self._folder / "lease.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lease, fcntl.LOCK_SH)
        return lease

    def _start(self, lock: int, *, alone: bool) -> PostgresAddress:
        cluster = self._cluster() or self._create(lock)
        server = cluster.postmaster()
        if server and server.ready:
            if (server.host, server.port) == (self._host, self._port):
                return cluster.address(server)
            if not alone:
                raise PredictorError(
                    f"the PostgreSQL of {self._home} is in use on {server.host} port {server.port}, not on "
                    f"{self._host} port {self._port}: stop what uses it, or set {PORT_VARIABLE}={server.port}"
                )
        cluster.check_version()
        cluster.stop()
        if os.geteuid() == 0:
            postgres_as_root.renew(cluster.data, self._home)
        require_free_port(self._port, PORT_VARIABLE, self._host)
        return cluster.address(cluster.start(self._host, self._port, self._folder / "server.log"))

    def _leave(self, lease: int) -> None:
        try:
            if _alone(lease) and (cluster := self._cluster()):
                cluster.stop()
        finally:
            _close(lease)

    def _cluster(self) -> Cluster | None:
        if not os.path.lexists(self._data):
            return None
        data = Path(os.path.realpath(self._data))
        if not data.exists():
            raise PredictorError(
                f"{self._data} leads to {data}, which is gone: bring it back (in a container that folder has to be "
                "a volume too), or delete the link to begin with an empty database"
            )
        root, stored, owner = os.geteuid() == 0, postgres_as_root.stored(data), data.stat().st_uid
        if not (stored and owner != 0 if root else owner == os.geteuid()):
            raise PredictorError(
                f"the PostgreSQL data in {data} belongs to user id {owner} and this is user id {os.geteuid()}: "
                "run as the user who made it, or choose another home"
            )
        if root:
            postgres_as_root.check_home(data, self._home)
        return Cluster(data, postgres_as_root.binaries(data) if root else installed_binaries())

    def _create(self, lock: int) -> Cluster:
        installed = installed_binaries()
        if os.geteuid() == 0:
            return postgres_as_root.create(self._data, self._home, lock)
        beside = self._folder / "new"
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(mode=0o700)
        Cluster.create(beside / "cluster", installed, (os.geteuid(), os.getegid()), [lock]).data.rename(self._data)
        beside.rmdir()
        return Cluster(self._data, installed)


def _close(lease: int) -> None:
    fcntl.flock(lease, fcntl.LOCK_UN)  # closing is not enough while a child between fork and exec has a copy
    os.close(lease)


def _alone(lease: int) -> bool:
    """Whether nobody else holds a lease. The caller holds the start lock: leases can end meanwhile, none can begin."""
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        fcntl.flock(lease, fcntl.LOCK_SH)  # an attempt that failed may have lost what was held
    return True
