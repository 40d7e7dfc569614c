"""Runs in MLflow: one for each training, through dagster-mlflow, and one for each report of drift.

`dagster-mlflow` opens the tracking run and tags it with the Dagster run; ending it, with the right status in every
path, is done here. Not here: what is registered, and who serves (resources/model_registry.py).
"""

import http.client
import os
import tempfile
import urllib.request
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import without_user
from pl_predictor.storage.connection import opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRAINING_EXPERIMENT = "premier_league_training"
DRIFT_EXPERIMENT = "premier_league_drift"
DRIFT_REPORTS_KEPT = 60
"""Reports are 5 MB each; the rows of `drift_scores` stay for ever."""
PLATFORM_TAG = "platform"


class Tracking(dg.ConfigurableResource[Any]):
    """MLflow at `tracking_uri`; artifacts in `artifact_folder` unless the address is an MLflow server's own."""

    tracking_uri: str = Field(repr=False)
    artifact_folder: str
    ui_url: str
    _client: "MlflowClient | None" = PrivateAttr(default=None)

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
        """PredictorError where nobody answers at the address; MLflow itself is not imported."""
        if self.tracking_uri.startswith("postgresql"):
            with opened(self.tracking_uri) as engine:
                engine.connect().close()
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

                    entered = dg.build_resources(
                        {"mlflow": mlflow_tracking},
                        instance=context.instance,
                        dagster_run=dagster_run,
                        log_manager=context.log,
                        resource_config={"mlflow": {"config": {**config, "mlflow_run_id": run_id}}},
                    )
                    resources = stack.enter_context(entered)
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

    def keep_drift_report(
        self,
        html: str,
        *,
        version: str,
        as_of: datetime,
        share: float,
        instance: dg.DagsterInstance,
        dagster_run_id: str,
    ) -> str:
        """Store a drift report as a run of its own, once a moment; returns the address where a browser opens it."""
        client = self.client()
        experiment = self._experiment(client, DRIFT_EXPERIMENT)
        tags = {"as_of": as_of.isoformat(), "model_version": version}
        same = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        found = client.search_runs([experiment], same)
        name = f"drift {as_of:%Y-%m-%d %H:%M} of version {version}"
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
