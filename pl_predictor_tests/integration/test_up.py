"""`make up` as a person lives with it: started, looked at, killed in parts, killed whole, started again, stopped."""

import fcntl
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.services.environment import at
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.services.supervisor import alive, clear, marked
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.integration.platform import COMMAND, environment, run, run_from_nothing, run_json, up, wait_for
from pl_predictor_tests.services import grafana_stand_in

STATE_OF_ASSETS = "{ assetNodes { jobNames assetMaterializations(limit: 1) { runId } } }"
LAUNCH = """
mutation { launchRun(executionParams: {
  selector: {repositoryName: "__repository__", repositoryLocationName: "pl_predictor", jobName: "loop"},
  runConfigData: {}, mode: "default"
}) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("up")
    grafana_stand_in.put(folder / "grafana" / "bin" / "grafana", stays=True)
    home = folder / "a home"
    yield {**environment(home), "PL_GRAFANA": str(folder / "grafana")}
    clear(home)


@pytest.fixture(scope="module")
def platform(env: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """A platform that stays up for the tests that only look at it."""
    with up(env) as process:
        yield process
        process.send_signal(signal.SIGINT)
        process.communicate()


def home(env: dict[str, str]) -> Path:
    return Path(env["PL_HOME"])


def server(env: dict[str, str]) -> PostgresServer:
    return PostgresServer(home(env), port=int(env["PL_POSTGRES_PORT"]))


def graphql(env: dict[str, str], query: str) -> Any:
    url = f"http://127.0.0.1:{env['PL_DAGSTER_PORT']}/graphql"
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def command_lines(env: dict[str, str]) -> dict[int, str]:
    """Process id to command line of what belongs to the platform."""
    found = {}
    for process in marked(home(env)):
        with suppress(psutil.NoSuchProcess):  # it has ended since
            found[process.pid] = " ".join(process.cmdline())
    return found


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def forecasts(env: dict[str, str]) -> int:
    address = server(env).running()
    assert address is not None
    settings = at(Settings(), address)
    engine = open_engine(settings.database_url(settings.postgres_db))
    with engine.connect() as connection:
        count = int(connection.execute(text("SELECT count(*) FROM model_predictions")).scalar_one())
    engine.dispose()
    return count


def test_every_asset_of_the_loop_is_materialized_when_it_says_that_it_stays(
    platform: "subprocess.Popen[str]", env: dict[str, str]
) -> None:
    assert platform.poll() is None
    nodes = [node for node in graphql(env, STATE_OF_ASSETS)["assetNodes"] if "loop" in node["jobNames"]]
    assert len(nodes) == 11
    assert all(node["assetMaterializations"] for node in nodes)
    assert forecasts(env) == 10


def test_the_status_is_healthy_once_mlflow_answers(platform: "subprocess.Popen[str]", env: dict[str, str]) -> None:
    wait_for(lambda: answers(f"http://127.0.0.1:{env['PL_MLFLOW_PORT']}/health"), platform)
    status = run_json("status", env=env, how=run_from_nothing)
    assert status["healthy"], status
    assert status["champion"] == "1"
    assert all(status["services"].values())


# MLflow says so of its own classes as it imports them.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
def test_mlflows_server_says_as_its_database_does_which_version_is_there(
    platform: "subprocess.Popen[str]", env: dict[str, str]
) -> None:
    address = f"http://127.0.0.1:{env['PL_MLFLOW_PORT']}"
    wait_for(lambda: answers(f"{address}/health"), platform)
    registry = ModelRegistry(tracking_uri=address, artifact_folder=str(home(env) / "mlflow"), ui_url=address)
    registry.require_version("1")
    with pytest.raises(PredictorError, match=f"^version 2 serves .* and MLflow at {address} has no such version"):
        registry.require_version("2")


def test_nothing_listens_beyond_this_machine(platform: "subprocess.Popen[str]", env: dict[str, str]) -> None:
    wait_for(lambda: answers(f"http://127.0.0.1:{env['PL_MLFLOW_PORT']}/health"), platform)
    postmaster = server(env).pid()
    assert postmaster is not None
    processes = [*marked(home(env)), psutil.Process(postmaster)]
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    started = ("PL_DAGSTER_PORT", "PL_MLFLOW_PORT", "PL_CODE_SERVER_PORT", "PL_POSTGRES_PORT")
    expected = {int(env[name]) for name in started}
    assert {address.port for address in listening} >= expected


def test_no_password_stands_on_a_command_line(platform: "subprocess.Popen[str]", env: dict[str, str]) -> None:
    address = server(env).running()
    assert address is not None
    assert platform.poll() is None
    assert not any(address.password in line for line in command_lines(env).values())


def test_the_whole_loop_is_materialized_with_one_click(platform: "subprocess.Popen[str]", env: dict[str, str]) -> None:
    launched = graphql(env, LAUNCH)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    query = f'{{ runOrError(runId: "{launched["run"]["runId"]}") {{ ... on Run {{ status }} }} }}'
    statuses: list[str] = []

    def finished() -> bool:
        statuses.append(graphql(env, query)["runOrError"]["status"])
        return statuses[-1] in {"SUCCESS", "FAILURE", "CANCELED"}

    wait_for(finished, platform)
    assert statuses[-1] == "SUCCESS"
    assert forecasts(env) == 10


def test_a_second_start_of_the_same_home_says_who_runs(platform: "subprocess.Popen[str]", env: dict[str, str]) -> None:
    second = run_from_nothing("up", env=env)
    assert second.returncode == 1
    assert f"runs already (process {platform.pid}), at http://127.0.0.1:{env['PL_DAGSTER_PORT']}" in second.stderr
    assert platform.poll() is None


@pytest.mark.parametrize(
    "part",
    [
        *("dagster_webserver", "dagster._daemon", "pl_predictor.services.code_server", "mlflow server", "postgres"),
        "grafana server",
    ],
)
def test_a_part_that_is_killed_comes_back(platform: "subprocess.Popen[str]", env: dict[str, str], part: str) -> None:
    def found() -> set[int]:
        if part == "postgres":
            running = server(env).running()
            return {pid for pid in [server(env).pid()] if running and pid is not None}
        return {pid for pid, line in command_lines(env).items() if part in line}

    wait_for(lambda: bool(found()), platform)
    before = found()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: bool(found() - before), platform)
    wait_for(lambda: run("status", env=env).returncode == 0, platform)


def test_a_platform_killed_whole_is_taken_over_and_ctrl_c_ends_everything(
    platform: "subprocess.Popen[str]", env: dict[str, str]
) -> None:
    """The end of the platform of the tests above: they come first."""
    platform.kill()
    platform.wait()
    left = marked(home(env))
    assert left, "the children outlive a parent that is killed"
    with up(env) as second:
        assert not any(map(alive, left))
        assert forecasts(env) == 10
        children = marked(home(env))
        assert any("bin/grafana server" in line for line in command_lines(env).values())
        second.send_signal(signal.SIGINT)
        assert second.wait() == 0
    assert not any(map(alive, children))
    assert server(env).pid() is None
    address = f"http://127.0.0.1:{env['PL_GRAFANA_PORT']}"
    assert f"\nGrafana  {address} (some seconds more)\n" in (home(env) / "stderr").read_text()


def test_make_that_is_killed_takes_the_platform_with_it(tmp_path: Path) -> None:
    env = environment(tmp_path / "home")
    home(env).mkdir()
    script = [*COMMAND, "up", "--attached"]
    with subprocess.Popen(["sh", "-c", '"$@"; :', "make", *script], env=env, stderr=subprocess.DEVNULL) as make:
        wait_for(lambda: bool(marked(home(env))), make)
        make.kill()
    while marked(home(env)) or server(env).pid() is not None or ((home(env) / "up.lock").exists() and locked(env)):
        time.sleep(0.1)


def locked(env: dict[str, str]) -> bool:
    """Whether a platform of this home is up."""
    with (home(env) / "up.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_terminal_that_is_closed_ends_everything(tmp_path: Path) -> None:
    env = environment(tmp_path / "home")
    home(env).mkdir()
    with subprocess.Popen([*COMMAND, "up"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        wait_for(lambda: bool(marked(home(env))), process)
        process.stderr.close()
        process.send_signal(signal.SIGHUP)
    assert marked(home(env)) == []
    assert server(env).pid() is None
