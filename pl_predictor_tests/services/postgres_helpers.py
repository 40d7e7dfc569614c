"""What the tests of the embedded PostgreSQL do to a real server: log in, kill, lease it from another process.

No fixtures: those are conftest's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from pl_predictor.services.postgres_server import PostgresAddress

ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[2]

LEASE_UNTIL_TOLD = """
import sys
from pathlib import Path
from pl_predictor.services.postgres_server import PostgresServer
server = PostgresServer(Path(sys.argv[1]), port=int(sys.argv[2]))
with server.lease():
    print(server.pid(), flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(home: Path, port: int, script: str = LEASE_UNTIL_TOLD) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs `script`; what it needs to be told ends with its standard input."""
    command = [sys.executable, "-W", "error", "-c", script, str(home), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        yield process


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def alive(pid: int) -> bool:
    """Whether a process runs still: one that nobody collected, or that is about to be collected, does not."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def kill(pid: int) -> None:
    """End a process, and wait until it has: not until somebody collected it, for which a container may take seconds."""
    psutil.Process(pid).kill()
    while alive(pid):
        pass


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
