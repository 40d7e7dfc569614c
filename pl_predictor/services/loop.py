"""The loop once, in this process: tables up to date, every asset and check, and what came out of it."""

import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil
from sqlalchemy import text

from pl_predictor import migrations
from pl_predictor.code_version import code_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.services import grafana_reader
from pl_predictor.settings import Settings, parse_as_of
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.connection import opened
from pl_predictor.storage.metrics import MetricsStorage

if TYPE_CHECKING:
    import dagster as dg

PROCESS_TAG = "pl_predictor/process"
"""Who executes a run that no daemon watches: host, process id, and when that process was created."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class LoopResult:
    """What one pass of the loop left behind.

    forecasts: rows of model_predictions made at `as_of`; metrics: rows of model_metrics of `as_of`, both by the version
    that served. edges: rows of market_edges of these fixtures; bets: rows of bets taken on them. reasons: asset name to
    why it wrote nothing. failed_checks: check name to verdict.
    """

    as_of: datetime
    run_id: str
    model_version: str
    walk_forward: dict[str, float]
    forecasts: pd.DataFrame
    metrics: pd.DataFrame
    edges: pd.DataFrame
    bets: pd.DataFrame
    reasons: dict[str, str]
    failed_checks: dict[str, str]


def migrate(settings: Settings, say: Say = lambda _: None, *, fresh_start: bool = False) -> None:
    """Bring the platform's own tables and Dagster's up to date, and fail abandoned runs; MLflow creates its own tables.
    Then let Grafana read them; `say` hears why where that is not possible.

    One at a time: two processes that both create Dagster's tables would fail.
    """
    import dagster as dg

    with (
        opened(settings.database_url(settings.postgres_db)) as engine,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        connection.execute(text("SELECT pg_advisory_lock(hashtext('migrate'))"))
        migrations.upgrade(engine)
        with dg.DagsterInstance.get() as instance:
            instance.upgrade()
            fail_abandoned_runs(instance, fresh_start=fresh_start)
        if why_not := grafana_reader.provide(settings):
            say(why_not)
        connection.invalidate()


def run_loop(settings: Settings, say: Say, as_of: str | None = None) -> LoopResult:
    """Materialize every asset and run every check at one moment; PredictorError says what went wrong, in a sentence."""
    import dagster as dg

    from pl_predictor.resources.match_feed import AS_OF_TAG

    tags = {} if as_of is None else {AS_OF_TAG: parse_as_of(as_of, "--as-of").isoformat()}
    migrate(settings, say)
    with dg.DagsterInstance.get() as instance:
        result = execute_in_process(instance, "loop", tags, say)
    return collect(settings, result)


def execute_in_process(
    instance: "dg.DagsterInstance",
    job: str,
    tags: Mapping[str, str],
    say: Say = lambda _: None,
    ops: Mapping[str, Any] | None = None,
) -> "dg.ExecuteInProcessResult":
    """A run of a job in this process. `say` hears a line a step. PredictorError says in a sentence why it failed."""
    from pl_predictor.definitions import build_defs

    result = (
        build_defs(loggers={"progress": _progress_logger(say)})
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            tags={**tags, PROCESS_TAG: _process_name(os.getpid())},
            raise_on_error=False,
            run_config={"loggers": {"progress": {}}, **({"ops": dict(ops)} if ops else {})},
        )
    )
    if not result.success:
        raise PredictorError(_first_failure(result))
    return result


def roll_back(settings: Settings, reason: str) -> str:
    """Run the job `rollback`; returns who serves now, as a sentence. PredictorError where nobody served before."""
    import dagster as dg

    from pl_predictor.resources.model_registry import ModelRegistry

    migrate(settings)
    with dg.DagsterInstance.get() as instance:
        registry = ModelRegistry.from_settings(settings)
        try:
            execute_in_process(instance, "rollback", {}, ops={"champion": {"config": {"reason": reason}}})
        except PredictorError as error:
            serves = registry.champion()
            now = "nobody serves" if serves is None else f"version {serves.version} serves now"
            raise PredictorError(f"{error}; {now}") from error
    champion = registry.champion()
    assert champion is not None, "the rollback has just let it serve"
    return f"version {champion.version} serves again"


def fail_abandoned_runs(instance: "dg.DagsterInstance", *, fresh_start: bool = False) -> None:
    """Mark the runs as failed whose process on this machine was killed.

    No daemon watches the runs of `pl-predictor run`; and of those that a daemon launched nobody is left after a
    `fresh_start` of the platform, when a daemon would go on waiting for them for ever.
    """
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=unfinished)):
        name = run.tags.get(PROCESS_TAG)
        if name is None:
            dead = fresh_start
        else:
            host, pid, _ = name.rsplit(":", 2)
            dead = host == socket.gethostname() and name != _process_name(int(pid))
        if dead:
            instance.report_run_failed(
                run, "the process that executed this run was killed; the next run completes its work"
            )


def _process_name(pid: int) -> str:
    """Host, process id and creation time: a process id alone is soon another's. No time: there is no such process."""
    try:
        created = f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        created = ""
    return f"{socket.gethostname()}:{pid}:{created}"


def _progress_logger(say: Say) -> "dg.LoggerDefinition":
    """A Dagster logger that says one line a finished step."""
    import dagster as dg

    class Progress(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "dagster_event", None)
            if event is None:
                return
            if event.event_type_value == "STEP_SUCCESS":
                say(f"  {event.step_key.replace('_', ' ')} ({event.step_success_data.duration_ms / 1000:.1f} s)")

    logger = logging.Logger("progress", logging.DEBUG)
    logger.addHandler(Progress())
    return dg.LoggerDefinition(lambda _: logger, description="one line a finished step")


def _first_failure(result: "dg.ExecuteInProcessResult") -> str:
    """The sentence of the first step that failed; the whole traceback where the error is not one for a person."""
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.blocking:
            return f"{evaluation.asset_key.to_user_string()}: {evaluation.description}"
    failures = [event for event in result.all_events if event.is_step_failure]
    if not failures:
        return f"the run {result.run_id} failed before its first step: see it in the Dagster UI"
    step, error = failures[0].step_key, failures[0].step_failure_data.error
    chain = []
    while error is not None:
        chain.append(error)
        error = error.cause
    for error in chain:
        if error.cls_name in {"PredictorError", "FeedError"}:
            return f"{step}: {error.message.split(': ', 1)[-1].strip()}"
    # Dagster's own error comes first, what the step raised second.
    return f"{step} failed unexpectedly, in run {result.run_id}:\n" + "".join(e.to_string() for e in chain[1:2])


def collect(settings: Settings, result: "dg.ExecuteInProcessResult") -> LoopResult:
    """Read back from the tables what the run wrote: what is shown is what is stored."""
    from pl_predictor.resources.model_registry import ModelRegistry

    shown: dict[str, dict[str, Any]] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        shown[materialization.asset_key.to_user_string()] = {k: v.value for k, v in materialization.metadata.items()}
    as_of = datetime.fromtimestamp(shown["matches"]["as_of"], timezone.utc)
    failed = {
        evaluation.check_name: evaluation.description or ""
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed
    }
    with opened(settings.database_url(settings.postgres_db)) as engine:
        storage, betting = MetricsStorage(engine), BetStorage(engine)
        forecasts = storage.get_predictions_by_date_range(as_of, as_of)
        forecasts = forecasts[forecasts["code_version"] == code_version()]
        metrics = storage.get_metrics_by_date_range(as_of, as_of)
        edges, ledger = betting.edges(), betting.ledger(replay=bool(forecasts["replay"].all()))
    registry = ModelRegistry.from_settings(settings)
    version = registry.serving(as_of)
    return LoopResult(
        as_of=as_of,
        run_id=result.run_id,
        model_version=version.version,
        walk_forward=registry.metrics(version),
        forecasts=forecasts[forecasts["model_version"] == version.version],
        metrics=metrics[metrics["model_version"] == version.version],
        edges=edges[edges["as_of"] == as_of],
        bets=ledger[ledger["as_of"] == as_of],
        reasons={name: metadata["reason"] for name, metadata in shown.items() if "reason" in metadata},
        failed_checks=failed,
    )
