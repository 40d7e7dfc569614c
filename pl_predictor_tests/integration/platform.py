"""The platform as a person runs it: `pl-predictor` in processes of its own, with a home and ports of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from pl_predictor.services.supervisor import clear
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.integration import warm

COMMAND = [sys.executable, "-m", "pl_predictor.cli"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
"""`run`, or `run_from_nothing`."""


def environment(home: Path) -> dict[str, str]:
    """This process's environment without any configuration of the platform, but for `home` and free ports; where time
    is lived again it stands still."""
    names = {field.validation_alias for field in Settings.model_fields.values()}
    ports = ("PL_DAGSTER_PORT", "PL_MLFLOW_PORT", "PL_CODE_SERVER_PORT", "PL_POSTGRES_PORT", "PL_GRAFANA_PORT")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    still = {"PL_LIVED_DAYS": "0", "PL_TICK_SECONDS": "0"}
    return {**kept, **still, "PL_HOME": str(home), **{port: str(free_port()) for port in ports}}


def using(settings: Settings) -> dict[str, str]:
    """An environment whose PostgreSQL is that of `settings`, as if an operator had set it."""
    given = settings.environment()
    wanted = [name for name in given if name.startswith("POSTGRES_") or name in {"PL_DAGSTER_DB", "PL_MLFLOW_DB"}]
    return {**environment(settings.home), **{name: given[name] for name in wanted}}


def run(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A command to its end, in a process of its own that began with the libraries in memory."""
    with tempfile.TemporaryDirectory() as said:
        process = warm.start(env, Path(said), warm.command, *arguments)
        process.join()
        code = process.exitcode
        assert code is not None, "it has ended"
        stdout, stderr = ((Path(said) / name).read_text() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(arguments, code, stdout, stderr)


def run_from_nothing(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """The same, as a person starts it."""
    return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, check=False)


def run_json(*arguments: str, env: dict[str, str], how: Run = run) -> dict[str, Any]:
    """A command's JSON; an AssertionError with what it said if it failed."""
    result = how(*arguments, "--json", env=env)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[Any]", *, every: float = 0.05) -> None:
    """Ask until it is true, leaving the processor to those it asks about; an AssertionError if the process ends."""
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=every)
            raise AssertionError(f"it ended with code {code}: {process.stderr.read() if process.stderr else ''}")


@contextmanager
def up(env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """`pl-predictor up`, once it says that it stays; whatever is left of it is ended with the block."""
    home = Path(env["PL_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stderr").open("w") as stderr:
        process = subprocess.Popen([*COMMAND, "up"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                stderr.write(line)
                if line.startswith("Stays until Ctrl-C"):
                    break
            else:
                raise AssertionError(f"it ended with code {process.wait()}: {(home / 'stderr').read_text()}")
            yield process
        finally:
            process.kill()
            process.communicate()
            clear(home)


@contextmanager
def database(settings: Settings, name: str) -> Iterator[Engine]:
    engine = open_engine(settings.database_url(name))
    yield engine
    engine.dispose()


def count(settings: Settings, query: str, name: str | None = None) -> int:
    with database(settings, name or settings.postgres_db) as engine, engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def kill_in(step: str, settings: Settings, env: dict[str, str], target: Callable[..., None], *arguments: Any) -> None:
    """Have a process call `target` (see warm.py) and give it SIGKILL as soon as Dagster's log says that `step` has
    started in it."""
    query = text("SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' AND step_key = :step")
    said = settings.home / "killed"
    with database(settings, settings.dagster_db) as engine, engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")

        def started() -> int:
            return int(connection.execute(query, {"step": step}).scalar_one())

        before = started()
        process = warm.start(env, said, target, *arguments)
        while started() == before:
            process.join(0.005)  # more rarely, and a short step would be over
            assert process.exitcode is None, (said / "stderr").read_text()
        process.kill()
        process.join()
