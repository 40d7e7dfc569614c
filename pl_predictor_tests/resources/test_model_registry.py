"""Tracking runs end with the right status, models come back as they were, and no file's own code ever runs."""

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
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator

from pl_predictor.code_version import feature_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.model import TRUSTED_TYPES, MatchForecaster, train
from pl_predictor.resources import model_registry
from pl_predictor.resources.model_registry import (
    DRIFT_EXPERIMENT,
    PLATFORM_TAG,
    TRAINING_EXPERIMENT,
    ModelRegistry,
    ModelVersion,
)
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.core.league import league

pytestmark = [
    # MLflow says so of its own classes as it imports them.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # dagster-mlflow uses what its own Dagster deprecates.
    pytest.mark.filterwarnings("ignore:InitResourceContext.* is deprecated:DeprecationWarning"),
]

TODAYS_FEATURES = feature_version()
AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)
BUILT = build(league(seasons=3))
FORECASTER = train(BUILT).forecaster


@pytest.fixture
def registry(environment: Settings) -> ModelRegistry:
    return ModelRegistry.from_settings(environment)


@pytest.fixture
def instance(environment: Settings) -> Iterator[dg.DagsterInstance]:  # noqa: ARG001 - it sets the variables
    with dg.DagsterInstance.get() as instance:
        yield instance


# --- tracking runs ---------------------------------------------------------------------------------------------------


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


# --- models ----------------------------------------------------------------------------------------------------------


def store(
    registry: ModelRegistry, *, as_of: datetime = AS_OF, features: str = TODAYS_FEATURES, fingerprint: str = "f"
) -> ModelVersion:
    """A registered version of the forecaster, as the asset `trained_model` makes one."""
    registry.client()
    mlflow.set_experiment(experiment_id=registry._experiment(registry.client(), TRAINING_EXPERIMENT))
    tags = {"trained_until": as_of.isoformat(), "features": features, "fingerprint": fingerprint}
    with mlflow.start_run() as run:
        uri = registry.log_model(FORECASTER, [*FEATURES, *MARKET])
        return registry.register(uri, run.info.run_id, tags, "a model")


def test_a_registered_model_forecasts_the_same_to_the_last_bit(registry: ModelRegistry, environment: Settings) -> None:
    version = store(registry)
    loaded = ModelRegistry.from_settings(environment).load(version)
    assert isinstance(loaded, MatchForecaster)
    assert_frame_equal(loaded.forecast(BUILT), FORECASTER.forecast(BUILT), check_exact=True)


def test_a_model_stays_in_the_platforms_own_folder(registry: ModelRegistry, environment: Settings) -> None:
    store(registry)
    assert [path.name for path in (environment.home / "mlflow").rglob("model.skops")] == ["model.skops"]


class Trap(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A model whose loading runs code: it makes the folder that it names."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        Path(self.folder).mkdir(exist_ok=True)


def test_a_file_that_trusts_itself_is_refused_and_runs_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "made by loading"
    registry.client()
    mlflow.set_experiment(experiment_id=registry._experiment(registry.client(), TRAINING_EXPERIMENT))
    with mlflow.start_run() as run:
        uri = mlflow.sklearn.log_model(
            Trap(str(folder)),
            name="model",
            serialization_format="skops",
            skops_trusted_types=[f"{Trap.__module__}.Trap", *TRUSTED_TYPES],
            pip_requirements=[],
        ).model_uri
    version = registry.register(
        uri, run.info.run_id, {"trained_until": AS_OF.isoformat(), "features": TODAYS_FEATURES}, "a trap"
    )
    folder.rmdir()  # made already as MLflow tried the file
    mlflow.sklearn.load_model(uri)
    assert folder.exists(), "MLflow's own loading trusts the file: the trap works"
    folder.rmdir()
    with pytest.raises(PredictorError, match=r"types that this package does not trust .*Trap"):
        registry.load(version)
    assert not folder.exists()


def test_a_model_without_its_file_is_an_error_that_says_so(registry: ModelRegistry, environment: Settings) -> None:
    version = store(registry)
    next((environment.home / "mlflow").rglob("model.skops")).unlink()
    with pytest.raises(
        PredictorError, match=r"version 1 has no file model\.skops in models:/premier_league_predictor/1"
    ):
        registry.load(version)


def test_the_first_version_becomes_champion_and_stays_it(registry: ModelRegistry) -> None:
    assert registry.champion() is None
    first, second = store(registry), store(registry)
    assert registry.ensure_champion(first) == first
    assert registry.ensure_champion(second) == first
    assert registry.champion() == first


def test_a_version_with_other_features_takes_over(registry: ModelRegistry) -> None:
    registry.ensure_champion(store(registry, features="elo_difference"))
    other = store(registry)
    assert registry.ensure_champion(other) == other == registry.champion()


def test_a_version_is_found_by_its_fingerprint(registry: ModelRegistry) -> None:
    assert registry.find("a") is None
    first, second = store(registry, fingerprint="a"), store(registry, fingerprint="b")
    assert registry.find("a") == first
    assert registry.find("b") == second
    assert registry.find("c") is None


@pytest.mark.parametrize(
    ("moment", "serves"),
    [
        (AS_OF + 9 * DAY, "1"),
        (AS_OF, "1"),
        (AS_OF - timedelta(microseconds=1), "3"),
        (AS_OF - 2 * DAY, "3"),
        (AS_OF - 3 * DAY, "2"),
        (AS_OF - 4 * DAY, "2"),
    ],
)
def test_who_serves_never_saw_a_later_result(three_versions: ModelRegistry, moment: datetime, serves: str) -> None:
    assert three_versions.serving(moment).version == serves


def test_before_the_first_training_nobody_serves(three_versions: ModelRegistry) -> None:
    with pytest.raises(PredictorError, match="known at 2024-01-09 05:59 UTC: materialize trained_model first"):
        three_versions.serving(AS_OF - 4 * DAY - timedelta(seconds=1))


@pytest.fixture
def three_versions(registry: ModelRegistry) -> ModelRegistry:
    """Version 1 is champion; 2 and 3 were trained later, on what was known four and two days earlier."""
    client = registry.client()
    client.create_registered_model(MODEL_NAME)
    for days in (0, 4, 2):
        tags = {"trained_until": (AS_OF - days * DAY).isoformat(), "features": TODAYS_FEATURES}
        client.create_model_version(MODEL_NAME, registry.artifact_folder, tags=tags)
    client.set_registered_model_alias(MODEL_NAME, "champion", "1")
    return registry


def test_without_a_champion_nobody_serves(registry: ModelRegistry) -> None:
    with pytest.raises(PredictorError, match=r"no model was trained .* materialize trained_model first"):
        registry.serving(AS_OF)


# --- a server that does not answer -----------------------------------------------------------------------------------


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


# --- drift reports ---------------------------------------------------------------------------------------------------

VERSION = ModelVersion("1", "", {})


def keep(registry: ModelRegistry, html: str, as_of: datetime = AS_OF, version: ModelVersion = VERSION) -> str:
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
    assert keep(registry, "<p>other</p>", version=ModelVersion("2", "", {})) != first
    assert reports(registry) == {
        "2024-01-13T06:00:00+00:00 1": "<p>é again</p>",
        "2024-01-14T06:00:00+00:00 1": "<p>later</p>",
        "2024-01-13T06:00:00+00:00 2": "<p>other</p>",
    }


def test_only_the_newest_drift_reports_are_kept(
    registry: ModelRegistry, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_registry, "DRIFT_REPORTS_KEPT", 2)
    for day in range(4):
        keep(registry, f"<p>{day}</p>", as_of=AS_OF + day * DAY)
    assert sorted(reports(registry).values()) == ["<p>2</p>", "<p>3</p>"]
    assert len(list((environment.home / "mlflow").rglob("drift_report.html"))) == 2
