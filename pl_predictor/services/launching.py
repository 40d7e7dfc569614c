"""Runs launched through the webserver, executed by the daemon, and awaited here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import Settings

if TYPE_CHECKING:
    import dagster as dg
    from dagster_graphql import DagsterGraphQLClient

LOCATION: Final = "pl_predictor"
LOOK_SECONDS: Final = 0.1
SENSOR_SECONDS: Final = 180.0
RUN_SECONDS: Final = 1800.0

Found = TypeVar("Found")


@dataclass
class UnderTheDaemon:
    """Has the daemon execute the runs; retraining_sensor itself asks for retrainings (services.replay.Conductor)."""

    settings: Settings
    instance: "dg.DagsterInstance"
    _client: "DagsterGraphQLClient" = field(init=False)

    def __post_init__(self) -> None:
        """Connect; PredictorError where no webserver answers."""
        from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

        host = urlsplit(self.settings.dagster_url).hostname
        assert host is not None, "an address has a host"
        try:
            self._client = DagsterGraphQLClient(host, port_number=self.settings.dagster_port)
        except DagsterGraphQLClientError as error:
            raise PredictorError(
                f"no Dagster webserver answers at {self.settings.dagster_url}: start it with `make up`"
            ) from error

    def run(self, job: str, tags: Mapping[str, str]) -> None:
        """Launch a job and wait for its end; PredictorError if it failed, or could not be launched."""
        from dagster_graphql import DagsterGraphQLClientError

        try:
            run_id = self._client.submit_job_execution(job, repository_location_name=LOCATION, tags=dict(tags))
        except DagsterGraphQLClientError as error:
            raise PredictorError(
                f"the webserver at {self.settings.dagster_url} did not launch {job} ({error}): see whether it and the "
                "code location run"
            ) from error
        self._await(run_id)

    def waited(self) -> bool:
        """Wait until no training is under way."""
        import dagster as dg

        from pl_predictor.decisions import TRAINING

        said = "a training did not end: see it among the runs in the Dagster UI"
        _until(lambda: self.instance.get_runs_count(dg.RunsFilter(**TRAINING)) == 0 or None, RUN_SECONDS, said)
        return True

    def retrain(self, request: "dg.RunRequest") -> None:
        """Wait for the run that retraining_sensor asks for, and for its end; PredictorError if it failed.

        One that had failed before is launched here: for a run_key, whatever came of it, the sensor never does again.
        """
        from pl_predictor.decisions import launched

        before = launched(self.instance, request.run_key)
        if before is not None and before.is_failure_or_canceled:
            self.run("retraining", request.tags)
            return
        run = _until(
            lambda: launched(self.instance, request.run_key),
            SENSOR_SECONDS,
            "retraining_sensor did not launch what it should: see its ticks in the Dagster UI, and whether it runs",
        )
        self._await(run.run_id)

    def _await(self, run_id: str) -> None:
        import dagster as dg

        def ended() -> "dg.DagsterRun | None":
            run = self.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        run = _until(
            ended, RUN_SECONDS, f"run {run_id} did not end: see it at {self.settings.dagster_url}/runs/{run_id}"
        )
        if run.status != dg.DagsterRunStatus.SUCCESS:
            raise PredictorError(
                f"run {run_id} of {run.job_name} ended as {run.status.value}: see it at "
                f"{self.settings.dagster_url}/runs/{run_id}"
            )


def _until(look: Callable[[], Found | None], seconds: float, otherwise: str) -> Found:
    """What `look` finds in the end; PredictorError after so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise PredictorError(otherwise)
        time.sleep(LOOK_SECONDS)
    return found
