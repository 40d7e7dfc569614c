"""`pl-predictor up`: everything on this machine, in the order that shows forecasts soonest, until Ctrl-C."""

import fcntl
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import grafana
from pl_predictor.services.environment import make_home, ready
from pl_predictor.services.ports import require_free_port
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.services.supervisor import Supervisor, clear
from pl_predictor.settings import PROJECT, Settings, parse_as_of
from pl_predictor.sources import get_source

LOOK_SECONDS = 0.2
START_SECONDS = 120.0

Say = Callable[[str], None]


class _WithParent(threading.Event):
    """Set by hand, or by the end of the process that started this one."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getppid()

    def is_set(self) -> bool:
        return super().is_set() or os.getppid() != self._parent

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) or self.is_set()


def up(settings: Settings, say: Say, *, attached: bool = False) -> int:
    """Start the platform, run the loop once, stay until interrupted; returns an exit code.

    Whatever an earlier parent of this home left running is ended first. Stopping ends all that was started; PostgreSQL
    stops with its last user. `attached`: stop, too, when the process that started this one is gone; `make`, which a
    terminal's Ctrl-C reaches this one through, can be killed.
    """
    stop = _WithParent() if attached else threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    get_source(settings.source)
    if settings.as_of is not None:
        parse_as_of(settings.as_of)
    commands = _commands(settings)
    make_home(settings)
    with _only_one(settings):
        if ended := clear(settings.home):
            say(f"Ended {ended} processes that an earlier start had left running")
        _require_ports(settings)
        say("Starting PostgreSQL" if settings.embedded else f"Using PostgreSQL at {settings.postgres_host}")
        with ready(settings) as effective:
            supervisor = Supervisor(settings.home, effective.environment())
            try:
                return _live(settings, effective, commands, supervisor, stop, say)
            finally:
                supervisor.stop()


def _live(
    settings: Settings,
    effective: Settings,
    commands: Mapping[str, list[str]],
    supervisor: Supervisor,
    stop: threading.Event,
    say: Say,
) -> int:
    server = PostgresServer(settings.home, port=settings.embedded_postgres_port)
    say("Bringing the tables up to date")
    # The code server needs no tables; webserver and daemon do; MLflow's server would race the loop to make its own.
    supervisor.start("code-server", commands["code-server"])
    # On a server of the operator's own other machines may be executing runs.
    migrate = [sys.executable, "-m", "pl_predictor.cli", "migrate", *(["--fresh-start"] if settings.embedded else [])]
    if code := supervisor.run(migrate, stop):
        return code
    supervisor.start("webserver", commands["webserver"])
    say("Running the loop")
    code = supervisor.run([sys.executable, "-m", "pl_predictor.cli", "run", "--first-start"], stop)
    if stop.is_set():
        return code
    if code:
        say("The loop failed, see above. What was there before stays; Dagster shows the run, and can launch it again")
    # Only now: its sensors would act on what the loop, or the weeks that it lived, find.
    supervisor.start("daemon", commands["daemon"])
    if effective.own_mlflow_server:
        supervisor.start("mlflow", commands["mlflow"])
    grafana_said = grafana.start(effective, commands.get("grafana"), supervisor)
    _wait_for(f"{settings.dagster_url}/server_info", "webserver", supervisor, stop, say)
    if not stop.is_set():
        from pl_predictor.services.replay import own_past  # half a second, and nothing waits for it here

        say(
            f"\nDagster  {settings.dagster_url}\nMLflow   {settings.mlflow_url}"
            + " (some seconds more)" * effective.own_mlflow_server
            + f"\nGrafana  {grafana_said}"
        )
        if time_goes_on := own_past(settings) is not None and settings.tick_seconds > 0:
            supervisor.start("replay", commands["replay"], stays=False)
        say(
            f"A matchweek is lived every {settings.tick_seconds:.0f} s: see {supervisor.log('replay')}\n" * time_goes_on
            + f"Stays until Ctrl-C. Logs: {settings.home / 'logs'}"
        )
    while not stop.wait(LOOK_SECONDS):
        if settings.embedded and server.running() is None:
            say("PostgreSQL had ended and is started again")
            server.ensure_running()
        supervisor.watch(say)
    say("Stopping")
    return code


def _commands(settings: Settings) -> dict[str, list[str]]:
    """Name to command of the processes that stay; "grafana" only where it is installed."""
    grafana_server = grafana.command(settings)
    python, workspace = sys.executable, str(PROJECT / "workspace.yaml")
    return {
        "code-server": [
            *(python, "-m", "pl_predictor.services.code_server", "--module-name", "pl_predictor.definitions"),
            *("--host", "127.0.0.1", "--port", str(settings.code_server_port), "--location-name", "pl_predictor"),
            "--use-python-environment-entry-point",
        ],
        "webserver": [
            *(python, "-m", "dagster_webserver", "--workspace", workspace),
            *("--host", settings.bind, "--port", str(settings.dagster_port)),
        ],
        "daemon": [python, "-m", "dagster._daemon", "run", "--workspace", workspace],
        "replay": [python, "-m", "pl_predictor.cli", "replay", "--every", str(settings.tick_seconds)],
        "mlflow": [
            *(python, "-m", "mlflow", "server", "--host", settings.bind, "--port", str(settings.mlflow_port)),
            *("--workers", "1", "--no-serve-artifacts", "--default-artifact-root", str(settings.home / "mlflow")),
        ],
        **({} if grafana_server is None else {"grafana": grafana_server}),
    }


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """One parent a home: the kernel lets go of the lock however it dies."""
    with (settings.home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise PredictorError(
                f"the platform of {settings.home} runs already (process {lock.read().strip()}), at "
                f"{settings.dagster_url}: stop it first, with Ctrl-C there or with `kill` and that number"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _require_ports(settings: Settings) -> None:
    require_free_port(settings.dagster_port, "PL_DAGSTER_PORT", settings.bind)
    require_free_port(settings.code_server_port, "PL_CODE_SERVER_PORT")
    if settings.own_mlflow_server:
        require_free_port(settings.mlflow_port, "PL_MLFLOW_PORT", settings.bind)


def _wait_for(url: str, name: str, supervisor: Supervisor, stop: threading.Event, say: Say) -> None:
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            supervisor.watch(say)
        if stop.wait(LOOK_SECONDS):
            return
    raise PredictorError(f"the {name} did not answer at {url} within {START_SECONDS:.0f} s: see {supervisor.log(name)}")
