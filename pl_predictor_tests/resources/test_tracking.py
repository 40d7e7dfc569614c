"""Tracking runs end with the right status, a server that is not there is an error at once, drift reports are kept."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import mlflow
import pytest
from mlflow import MlflowClient

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources import tracking
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.tracking import DRIFT_EXPERIMENT, PLATFORM_TAG, TRAINING_EXPERIMENT
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import free_port

pytestmark = [
    # MLflow says so of its own classes as it imports them.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # dagster-mlflow uses what its own Dagster deprecates.
    pytest.mark.filterwarnings("ignore:InitResourceContext.* is deprecated:DeprecationWarning"),
]

AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def registry(environment: Settings) -> ModelRegistry:
    return ModelRegistry.from_settings(environment)


@pytest.fixture
def instance(environment: Settings) -> Iterator[dg.DagsterInstance]:  # noqa: ARG001 - it sets the variables
    with dg.DagsterInstance.get() as instance:
        yield instance


# --- tracking runs ----------------------------------------------------------------------------------------------------


def training(
    instance: dg.DagsterInstance, registry: ModelRegistry, work: Callable[[Any], object]
) -> dg.ExecuteInProcessResult:
    """A Dagster run of an asset that does `work` in a training run, with dagster-mlflow's tracking as argument."""

    @dg.asset
    def trained(context: dg.AssetExecutionContext, registry: ModelRegistry) -> None:
        with registry.training_run(context) as tracking:
            work(tracking)

    return dg.materialize([trained], instance=instance, resources={"registry": registry}, raise_on_error=False)


def tracked(registry: ModelRegistry) -> list[Any]:
    """The tracking runs of the training experiment, oldest first."""
    client = registry.client()
    experiment = client.get_experiment_by_name(TRAINING_EXPERIMENT)
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]) if experiment else []


def statuses(registry: ModelRegistry) -> list[str]:
    return [run.info.status for run in tracked(registry)]


def test_a_training_run_ends_finished_and_names_its_dagster_run(
    instance: dg.DagsterInstance, registry: ModelRegistry
) -> None:
    result = training(instance, registry, lambda tracking: tracking.log_metric("rps", 0.2))
    (run,) = tracked(registry)
    assert run.info.status == "FINISHED"
    assert run.info.end_time is not None
    assert run.data.metrics == {"rps": 0.2}
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert mlflow.active_run() is None


def test_a_training_run_fails_with_its_block(instance: dg.DagsterInstance, registry: ModelRegistry) -> None:
    def fails(_: Any) -> None:
        raise ValueError("no more matches")

    result = training(instance, registry, fails)
    assert not result.success
    assert "no more matches" in result.failure_data_for_node("trained").error.cause.to_string()  # type: ignore[union-attr]
    assert statuses(registry) == ["FAILED"]
    assert mlflow.active_run() is None


@pytest.mark.parametrize("interrupt", ["raised", "signalled"])
def test_a_training_run_is_killed_by_an_interruption(
    instance: dg.DagsterInstance, registry: ModelRegistry, interrupt: str
) -> None:
    def interrupted(_: Any) -> None:
        if interrupt == "raised":
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the signal did not interrupt it")

    assert not training(instance, registry, interrupted).success
    assert statuses(registry) == ["KILLED"]
    assert mlflow.active_run() is None


def _log_rps(value: float, tracking: Any) -> None:
    tracking.log_metric("rps", value)


def test_two_trainings_in_one_process_are_two_runs(instance: dg.DagsterInstance, registry: ModelRegistry) -> None:
    for value in (0.1, 0.2):
        training(instance, registry, partial(_log_rps, value))
    assert [run.data.metrics["rps"] for run in tracked(registry)] == [0.1, 0.2]
    assert statuses(registry) == ["FINISHED", "FINISHED"]


def test_what_killed_trainings_of_this_platform_left_open_is_ended_and_nothing_else(
    instance: dg.DagsterInstance, registry: ModelRegistry
) -> None:
    over = training(instance, registry, lambda _: None).run_id
    (run,) = tracked(registry)
    ours = {PLATFORM_TAG: run.data.tags[PLATFORM_TAG]}
    going = instance.create_run_for_job(_empty_job, status=dg.DagsterRunStatus.STARTED).run_id
    client = registry.client()
    experiment = client.get_experiment_by_name(TRAINING_EXPERIMENT)
    assert experiment is not None
    owners = {
        "over": {"dagster_run_id": over, **ours},
        "going": {"dagster_run_id": going, **ours},
        "another platform's": {"dagster_run_id": "unknown here", PLATFORM_TAG: "another"},
    }
    left = {name: client.create_run(experiment.experiment_id, tags=tags).info.run_id for name, tags in owners.items()}
    registry.end_abandoned_trainings(instance)
    found = {name: client.get_run(run_id).info.status for name, run_id in left.items()}
    assert found == {"over": "KILLED", "going": "RUNNING", "another platform's": "RUNNING"}


@dg.job
def _empty_job() -> None: ...


# --- a server that does not answer ------------------------------------------------------------------------------------


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def speaking_another_protocol() -> Iterator[int]:
    """The port of a server that answers, but not in HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@contextmanager
def absent() -> Iterator[int]:
    yield free_port()


@pytest.mark.parametrize("server", [absent, silent, speaking_another_protocol])
def test_an_mlflow_server_that_does_not_answer_is_an_error_at_once(
    server: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("MLflow's own retries go on for minutes")

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", asked)
    with server() as port:
        uri = f"http://127.0.0.1:{port}"
        unreachable = ModelRegistry(tracking_uri=uri, artifact_folder=str(tmp_path), ui_url=uri)
        with pytest.raises(PredictorError, match=f"MLflow at {uri} cannot be reached .*MLFLOW_TRACKING_URI"):
            unreachable.champion()


def test_a_database_that_does_not_answer_is_an_error_at_once(tmp_path: Path) -> None:
    port = free_port()
    uri = f"postgresql+psycopg2://someone:correct-horse@127.0.0.1:{port}/mlflow"
    unreachable = ModelRegistry(tracking_uri=uri, artifact_folder=str(tmp_path), ui_url="http://127.0.0.1:5050")
    with pytest.raises(PredictorError, match=f"PostgreSQL at 127.0.0.1:{port} cannot be reached") as raised:
        unreachable.champion()
    assert "correct-horse" not in str(raised.value)


# --- drift reports ----------------------------------------------------------------------------------------------------


def keep(registry: ModelRegistry, html: str, as_of: datetime = AS_OF, version: str = "1") -> str:
    with dg.DagsterInstance.ephemeral() as instance:
        return registry.keep_drift_report(
            html, version=version, as_of=as_of, share=0.25, instance=instance, dagster_run_id="a-run"
        )


def reports(registry: ModelRegistry) -> dict[str, str]:
    """Moment to HTML of the reports that can be downloaded."""
    experiment = registry.client().get_experiment_by_name(DRIFT_EXPERIMENT)
    assert experiment is not None
    runs = registry.client().search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.metrics["drift_share"] for run in runs} == {0.25}
    paths = {
        f"{run.data.tags['as_of']} {run.data.tags['model_version']}": mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path="drift_report.html"
        )
        for run in runs
    }
    assert len(paths) == len(runs)
    return {moment: Path(path).read_text(encoding="utf-8") for moment, path in paths.items()}


def test_a_drift_report_is_kept_once_a_moment_and_version(registry: ModelRegistry) -> None:
    first, again = keep(registry, "<p>first</p>"), keep(registry, "<p>é again</p>")
    assert first == again
    assert first.startswith(f"{registry.ui_url}/#/experiments/")
    assert first.endswith("/artifacts/drift_report.html")
    assert keep(registry, "<p>later</p>", as_of=AS_OF + DAY) != first
    assert keep(registry, "<p>other</p>", version="2") != first
    assert reports(registry) == {
        "2024-01-13T06:00:00+00:00 1": "<p>é again</p>",
        "2024-01-14T06:00:00+00:00 1": "<p>later</p>",
        "2024-01-13T06:00:00+00:00 2": "<p>other</p>",
    }


def test_only_the_newest_drift_reports_are_kept(
    registry: ModelRegistry, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "DRIFT_REPORTS_KEPT", 2)
    for day in range(4):
        keep(registry, f"<p>{day}</p>", as_of=AS_OF + day * DAY)
    assert sorted(reports(registry).values()) == ["<p>2</p>", "<p>3</p>"]
    assert len(list((environment.home / "mlflow").rglob("drift_report.html"))) == 2
