"""A real Dagster instance whose runs, checks and daemon a test makes, and the system board over it."""

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import text

from pl_predictor.settings import Settings
from pl_predictor.storage.connection import opened
from pl_predictor_tests.grafana.grafana import Frame, answer, asked
from pl_predictor_tests.grafana.macros import View
from pl_predictor_tests.grafana.season import readable

BOARD = "mlops-system"
OUTCOME = "outcome"


@dg.asset
def thing(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get(OUTCOME) == "broken":
        raise ValueError("it broke")


@dg.asset_check(asset=thing)
def sound(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    outcome = context.run.tags.get(OUTCOME)
    if outcome not in {"warned", "wrong"}:
        return dg.AssetCheckResult(passed=True, description="it is sound")
    severity = dg.AssetCheckSeverity.WARN if outcome == "warned" else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(passed=False, severity=severity, description="it's 3 % off")


@dg.asset_check(asset=thing)
def of_old() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="nobody asks any more")


JOBS = [dg.define_asset_job(name, "*") for name in ("steady", "shaky")]
CODE = dg.Definitions([thing], asset_checks=[sound], jobs=JOBS)
EARLIER_CODE = dg.Definitions(
    [thing],
    asset_checks=[sound, of_old],
    jobs=[*JOBS, dg.define_asset_job("look", dg.AssetSelection.checks(sound))],
)
"""With one more check, and a job that executes the other one alone."""
BY_HAND = "__ASSET_JOB"


class World:
    """An instance whose runs a test makes, and the system board over it."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = readable(settings), instance

    def run(self, job: str, outcome: str = "good", code: dg.Definitions = CODE) -> str:
        """A run to its end; its id."""
        definition = code.resolve_job_def(job)
        done = definition.execute_in_process(instance=self.instance, tags={OUTCOME: outcome}, raise_on_error=False)
        return done.run_id

    def begin(self, status: dg.DagsterRunStatus, *, job: str = "steady", minutes_ago: float = 0) -> str:
        """A run that has come as far as `status`, and no further; its id."""
        origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all"), job)
        run = self.instance.create_run_for_job(CODE.resolve_job_def(job), status=status, remote_job_origin=origin)
        self.execute(
            "UPDATE runs SET create_timestamp = create_timestamp - make_interval(mins => :m), "
            "update_timestamp = update_timestamp - make_interval(mins => :m), "
            "start_time = CASE WHEN :started THEN extract(epoch FROM now()) - :m * 60 END WHERE run_id = :run",
            m=minutes_ago,
            started=status == dg.DagsterRunStatus.STARTED,
            run=run.run_id,
        )
        return run.run_id

    def beat(self, part: str, *, seconds_ago: float) -> None:
        """A heartbeat of a part of the daemon, as Dagster writes it."""
        self.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, part, "one"))

    def execute(self, statement: str, **values: Any) -> None:
        url = self.settings.database_url(self.settings.dagster_db)
        with opened(url) as engine, engine.begin() as connection:
            connection.execute(text(statement), values)

    def ask(self, title: str) -> Frame:
        """What the panel shows of the last day."""
        return answer(self.settings, asked(title, BOARD), today())

    def value(self, title: str) -> Any:
        """What a stat shows; None where there is no row."""
        rows = self.ask(title).rows
        return rows[0][0] if rows else None


def today() -> View:
    now = datetime.now(timezone.utc)
    return View(now - timedelta(days=1), now + timedelta(minutes=1), "5m", {})
