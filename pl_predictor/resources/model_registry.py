"""The models: tracked training runs through dagster-mlflow, and MLflow's registry by alias.

`dagster-mlflow` opens the tracking run and tags it with the Dagster run; ending it, with the right status in every
path, is done here. Models are skops files and are loaded with this package's own list of trusted types, never with
the list inside the file: whoever can write a model file could otherwise make loading it run code.
"""

import http.client
import io
import os
import tempfile
import urllib.request
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import Field, PrivateAttr

from pl_predictor.code_version import feature_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import MODEL_NAME, Settings, without_user
from pl_predictor.storage.connection import open_engine

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from pl_predictor.core.model import MatchForecaster

TRAINING_EXPERIMENT = "premier_league_training"
DRIFT_EXPERIMENT = "premier_league_drift"
DRIFT_REPORTS_KEPT = 60
"""Reports are 5 MB each; the rows of `drift_scores` stay for ever."""

CHAMPION = "champion"
FINGERPRINT_TAG = "fingerprint"
FEATURES_TAG = "features"
TRAINED_UNTIL_TAG = "trained_until"
PLATFORM_TAG = "platform"
WALK_FORWARD_FILE = "walk_forward.csv"


@dataclass(frozen=True)
class ModelVersion:
    """A registered model: its version, the tracking run it came from, its tags."""

    version: str
    run_id: str
    tags: Mapping[str, str]

    def serves(self, as_of: datetime) -> bool:
        """True if it saw no result that was unknown at `as_of`, and today's features are those it was trained on."""
        return self.reads_todays_features and self.trained_until is not None and self.trained_until <= as_of

    @property
    def reads_todays_features(self) -> bool:
        """True if the code of the features is the code that it was trained with."""
        return self.tags.get(FEATURES_TAG) == feature_version()

    @property
    def trained_until(self) -> datetime | None:
        """When the last result that it was trained on became known (UTC); None for a version of somebody else's."""
        return datetime.fromisoformat(self.tags[TRAINED_UNTIL_TAG]) if TRAINED_UNTIL_TAG in self.tags else None


class ModelRegistry(dg.ConfigurableResource[Any]):
    """MLflow at `tracking_uri`; artifacts in `artifact_folder` unless the address is an MLflow server's own."""

    tracking_uri: str = Field(repr=False)
    artifact_folder: str
    ui_url: str
    _client: "MlflowClient | None" = PrivateAttr(default=None)

    @classmethod
    def from_settings(cls, settings: Settings) -> "ModelRegistry":
        """The registry of these settings, for use outside a run."""
        return cls(
            tracking_uri=settings.tracking_uri,
            artifact_folder=str(settings.home / "mlflow"),
            ui_url=settings.mlflow_url,
        )

    def client(self) -> "MlflowClient":
        """A client of a registry that was seen to answer; PredictorError otherwise, at once."""
        if self._client is None:
            self.require_answer()
            import mlflow

            mlflow.set_tracking_uri(self.tracking_uri)
            mlflow.set_registry_uri(self.tracking_uri)
            self._client = mlflow.MlflowClient()
        return self._client

    def require_answer(self) -> None:
        if self.tracking_uri.startswith("postgresql"):
            engine = open_engine(self.tracking_uri)
            engine.connect().close()
            engine.dispose()
        elif self.tracking_uri.startswith("http"):
            try:
                urllib.request.urlopen(f"{self.tracking_uri.rstrip('/')}/health", timeout=5).close()
            except (OSError, http.client.HTTPException) as error:  # nobody, or somebody who speaks another protocol
                raise PredictorError(
                    f"MLflow at {without_user(self.tracking_uri)} cannot be reached ({str(error).strip()}): start it, "
                    "or correct MLFLOW_TRACKING_URI"
                ) from error

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        folder = None if self.tracking_uri.startswith("http") else (Path(self.artifact_folder) / name).as_uri()
        return str(client.create_experiment(name, artifact_location=folder))

    @contextmanager
    def training_run(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """dagster-mlflow's tracking resource on a new run, which ends FINISHED, FAILED or KILLED with the block."""
        import mlflow

        client = self.client()
        experiment = self._experiment(client, TRAINING_EXPERIMENT)
        dagster_run = context.run
        config = {"experiment_name": TRAINING_EXPERIMENT, "mlflow_tracking_uri": self.tracking_uri}
        status = "KILLED"  # what an interruption, which is no Exception, leaves
        ours = set[str]()
        try:
            run_id = self._open_run(client, experiment, dagster_run.job_name, context.instance, dagster_run.run_id)
            ours.add(run_id)
            with ExitStack() as stack:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", dg.BetaWarning)  # dagster-mlflow is beta as a whole
                    from dagster_mlflow import mlflow_tracking

                    opened = dg.build_resources(
                        {"mlflow": mlflow_tracking},
                        instance=context.instance,
                        dagster_run=dagster_run,
                        log_manager=context.log,
                        resource_config={"mlflow": {"config": {**config, "mlflow_run_id": run_id}}},
                    )
                    resources = stack.enter_context(opened)
                yield resources.mlflow
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            mlflow.end_run(status)
            # An interruption may come while the run is opened; and dagster-mlflow takes Dagster's for a failure.
            opened_by_us = f"attributes.status = 'RUNNING' and tags.dagster_run_id = '{dagster_run.run_id}'"
            ours |= {run.info.run_id for run in client.search_runs([experiment], opened_by_us)}
            for run_id in ours:
                client.set_terminated(run_id, status)

    def _open_run(
        self,
        client: "MlflowClient",
        experiment: str,
        name: str,
        instance: dg.DagsterInstance,
        dagster_run_id: str,
        **tags: str,
    ) -> str:
        """A new tracking run that says whose it is; what killed processes left open is ended first."""
        self._end_abandoned(client, experiment, instance)
        whose = {"dagster_run_id": dagster_run_id, PLATFORM_TAG: self._platform()}
        return str(client.create_run(experiment, run_name=name, tags={**tags, **whose}).info.run_id)

    def end_abandoned_trainings(self, instance: dg.DagsterInstance) -> None:
        """End the tracking runs that killed trainings of this platform left RUNNING."""
        client = self.client()
        self._end_abandoned(client, self._experiment(client, TRAINING_EXPERIMENT), instance)

    def _end_abandoned(self, client: "MlflowClient", experiment: str, instance: dg.DagsterInstance) -> None:
        """Those of this platform whose Dagster run is over; runs of other platforms on the same MLflow are theirs."""
        left = f"attributes.status = 'RUNNING' and tags.{PLATFORM_TAG} = '{self._platform()}'"
        for run in client.search_runs([experiment], left):
            owner = instance.get_run_by_id(run.data.tags["dagster_run_id"])
            if owner is None or owner.is_finished:
                client.set_terminated(run.info.run_id, "KILLED")

    def _platform(self) -> str:
        """What tells this platform's runs from others': made once, kept beside its models."""
        file = Path(self.artifact_folder) / "platform_id"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError), tempfile.NamedTemporaryFile("w", dir=file.parent) as new:
                new.write(uuid.uuid4().hex)
                new.flush()
                os.link(new.name, file)  # whole or not at all, and the first of two wins
        return file.read_text()

    def log_model(self, forecaster: "MatchForecaster", columns: list[str]) -> str:
        """Store the model in the active tracking run, with its signature; returns its address."""
        import mlflow.sklearn
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        from pl_predictor.core.model import TRUSTED_TYPES

        info = mlflow.sklearn.log_model(
            forecaster,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=ModelSignature(
                inputs=Schema([ColSpec("double", name, required=not name.startswith("market_")) for name in columns]),
                outputs=Schema([ColSpec("string")]),
            ),
            pip_requirements=["scikit-learn", "skops", "pandas"],
        )
        return str(info.model_uri)

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str], description: str) -> ModelVersion:
        """Make a stored model a version of the registered one; the first becomes champion by `ensure_champion`."""
        from mlflow.exceptions import MlflowException, RestException

        client = self.client()
        try:
            client.get_registered_model(MODEL_NAME)
        except (MlflowException, RestException) as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            client.create_registered_model(MODEL_NAME, description="Premier League results: home, draw, away")
        version = client.create_model_version(
            *(MODEL_NAME, model_uri, run_id),
            tags=dict(tags),
            description=description,
            model_id=model_uri.removeprefix("models:/"),  # an MLflow server asks for it beside the address
        )
        return _model_version(version)

    def find(self, fingerprint: str) -> ModelVersion | None:
        """The version that was trained by the same code on the same rows."""
        client = self.client()
        found = client.search_model_versions(f"name = '{MODEL_NAME}' and tags.`{FINGERPRINT_TAG}` = '{fingerprint}'")
        return _model_version(found[0]) if found else None

    def champion(self) -> ModelVersion | None:
        """The version that forecasts; None before the first training."""
        from mlflow.exceptions import MlflowException

        try:
            return _model_version(self.client().get_model_version_by_alias(MODEL_NAME, CHAMPION))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def serving(self, as_of: datetime) -> ModelVersion:
        """Who forecasts at `as_of`: the champion; before its training, in a replay, the newest version trained by then.

        A model that has seen results of after `as_of` never forecasts there. PredictorError where there is none.
        """
        champion = self.champion()
        if champion is not None and champion.serves(as_of):
            return champion
        versions = map(_model_version, self.client().search_model_versions(f"name = '{MODEL_NAME}'"))
        earlier = [
            (version.trained_until, int(version.version), version) for version in versions if version.serves(as_of)
        ]
        if not earlier:
            raise PredictorError(
                f"no model was trained on what was known at {as_of:%Y-%m-%d %H:%M} UTC: materialize trained_model first"
            )
        return max(earlier, key=lambda found: found[:2])[2]

    def ensure_champion(self, candidate: ModelVersion) -> ModelVersion:
        """Who is champion: the bearer of the alias, or `candidate` if nobody is or if the bearer has other features."""
        champion = self.champion()
        if champion is not None and champion.reads_todays_features:
            return champion
        self.client().set_registered_model_alias(MODEL_NAME, CHAMPION, candidate.version)
        return candidate

    def load(self, version: ModelVersion) -> "MatchForecaster":
        """The forecaster of that version."""
        import mlflow
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        from pl_predictor.core.model import TRUSTED_TYPES

        self.client()
        with tempfile.TemporaryDirectory() as folder:
            uri = f"models:/{MODEL_NAME}/{version.version}"
            path = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)) / "model.skops"
            if not path.is_file():
                raise PredictorError(f"model version {version.version} has no file model.skops in {uri}: train again")
            try:
                forecaster: MatchForecaster = skops.io.load(path, trusted=TRUSTED_TYPES)
            except UntrustedTypesFoundException as error:
                raise PredictorError(
                    f"model version {version.version} holds types that this package does not trust ({error}): "
                    "somebody else made that file; train again"
                ) from error
        return forecaster

    def record(self, version: ModelVersion) -> pd.DataFrame:
        """The walk-forward forecasts that the training of `version` logged (columns of a forecast frame, result)."""
        import mlflow

        uri = f"{self.client().get_run(version.run_id).info.artifact_uri}/{WALK_FORWARD_FILE}"
        return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(uri)))

    def metrics(self, version: ModelVersion) -> dict[str, float]:
        """The metrics of the run that trained `version`: its walk-forward scores."""
        return dict(self.client().get_run(version.run_id).data.metrics)

    def keep_drift_report(
        self,
        html: str,
        *,
        version: ModelVersion,
        as_of: datetime,
        share: float,
        instance: dg.DagsterInstance,
        dagster_run_id: str,
    ) -> str:
        """Store a drift report as a run of its own, once a moment; returns the address where a browser opens it."""
        client = self.client()
        experiment = self._experiment(client, DRIFT_EXPERIMENT)
        tags = {"as_of": as_of.isoformat(), "model_version": version.version}
        same = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = client.search_runs([experiment], same)
        name = f"drift {as_of:%Y-%m-%d %H:%M} of version {version.version}"
        if found:
            run_id = str(found[0].info.run_id)
        else:
            run_id = self._open_run(client, experiment, name, instance, dagster_run_id, **tags)
        status = "FAILED"
        try:
            client.log_metric(run_id, "drift_share", share)
            client.log_text(run_id, html, "drift_report.html")
            status = "FINISHED"
        finally:
            client.set_terminated(run_id, status)
        self._prune(client, experiment)
        return f"{self.ui_url}/#/experiments/{experiment}/runs/{run_id}/artifacts/drift_report.html"

    def _prune(self, client: "MlflowClient", experiment: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        runs = client.search_runs(
            [experiment], max_results=DRIFT_REPORTS_KEPT + 20, order_by=["attributes.start_time DESC"]
        )
        for run in runs[DRIFT_REPORTS_KEPT:]:
            get_artifact_repository(run.info.artifact_uri).delete_artifacts()
            client.delete_run(run.info.run_id)

    def run_url(self, version: ModelVersion) -> str:
        """Where a browser shows the training run."""
        experiment = self.client().get_run(version.run_id).info.experiment_id
        return f"{self.ui_url}/#/experiments/{experiment}/runs/{version.run_id}"

    def model_url(self, version: ModelVersion) -> str:
        """Where a browser shows the registered version."""
        return f"{self.ui_url}/#/models/{MODEL_NAME}/versions/{version.version}"


def _model_version(version: Any) -> ModelVersion:
    return ModelVersion(version=str(version.version), run_id=version.run_id, tags=dict(version.tags))
