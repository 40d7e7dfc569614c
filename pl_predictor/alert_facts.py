"""The facts that alerts are judged by, read from Dagster's instance, the tables and the registry, in a few queries.

What they mean is decided by `core.alert_rules`. A database that does not answer is an error here, and no fact: whoever
cannot look does not know.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

import dagster as dg

from pl_predictor import findings
from pl_predictor.core.alert_rules import CheckOutcome, Facts, FinishedRun, Unforecast, Unjudged
from pl_predictor.core.errors import PredictorError
from pl_predictor.resources.match_feed import Moment
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

Status, Event = dg.DagsterRunStatus, dg.DagsterEventType

FOR_A_PERSON = {"PredictorError", "FeedError"}
"""Errors whose message may be sent elsewhere. Of others, which may hold anything, only the name is."""


def last_runs(instance: dg.DagsterInstance, jobs: Collection[str]) -> list[FinishedRun]:
    """Of each job the run that ended last, by success or failure: one that a person cancels proves nothing."""
    found = []
    for job in jobs:
        wanted = dg.RunsFilter(job_name=job, statuses=[Status.SUCCESS, Status.FAILURE])
        for record in instance.get_run_records(wanted, limit=1, order_by="end_time"):
            run = record.dagster_run
            failed = run.status == Status.FAILURE
            reason = _why_failed(instance, run.run_id) if failed else ""
            found.append(FinishedRun(job, run.run_id, failed, reason))
    return found


def _why_failed(instance: dg.DagsterInstance, run_id: str) -> str:
    """The steps that failed, each with its error; for a run that was killed what Dagster says of that."""
    events = instance.all_logs(run_id, of_type={Event.STEP_FAILURE, Event.RUN_FAILURE})
    steps = [event.dagster_event for event in events if event.dagster_event and event.dagster_event.is_step_failure]
    if not steps:
        return "; ".join(event.message for event in events) or "it failed before its first step"
    said = []
    for step in steps:
        error = step.step_failure_data.error
        while error is not None and error.cause is not None and error.cls_name not in FOR_A_PERSON:
            error = error.cause
        what = "unknown error" if error is None or error.cls_name is None else error.cls_name
        if error is not None and error.cls_name in FOR_A_PERSON:
            what = error.message.split(": ", 1)[-1].strip()
        said.append(f"{step.step_key}: {what}")
    return "; ".join(said)


def judged_checks(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]
) -> tuple[list[CheckOutcome], list[Unjudged]]:
    """The newest verdict of each check that ever had one, and the checks whose newest execution has none."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    verdicts, unjudged = [], []
    for key, record in newest.items():
        has_one = record.status in findings.FINISHED
        evaluation = record.evaluation if has_one else findings.latest_evaluation(instance, key)
        asset = key.asset_key.to_user_string()
        if evaluation is not None:
            severe = evaluation.severity == dg.AssetCheckSeverity.ERROR
            said = evaluation.description or "it gave no reason"
            verdicts.append(CheckOutcome(asset, key.name, evaluation.passed, severe, said))
        if not has_one:
            unjudged.append(findings.unjudged(instance, key, record))
    return verdicts, unjudged


def at_work(instance: dg.DagsterInstance, jobs: Collection[str]) -> bool:
    """True while a run of one of these jobs is executed; one that waits in the queue may wait for ever."""
    working = [Status.STARTING, Status.STARTED, Status.CANCELING]
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=working))
    return any(run.job_name in jobs for run in runs)


def gather(
    instance: dg.DagsterInstance,
    repository: dg.RepositoryDefinition,
    moment: Moment,
    *,
    postgres: Postgres,
    registry: ModelRegistry,
    policy: Policy,
    forecasting_jobs: Collection[str],
) -> Facts:
    """Every fact, of the jobs and checks of this code location, at this moment."""
    # What is at work is asked first: a run that ends in between has written what the tables are asked for then.
    forecasting = at_work(instance, forecasting_jobs)
    verdicts, unjudged = judged_checks(instance, sorted(repository.asset_graph.asset_check_keys))
    # Later than the horizon nobody wants a forecast yet.
    soon = min(timedelta(hours=policy.forecast_due_hours), timedelta(days=policy.forecast_days))
    due = postgres.metrics.unforecast(moment.as_of, moment.as_of + soon, replay=moment.replay)
    return Facts(
        runs=last_runs(instance, repository.job_names),
        verdicts=verdicts,
        unjudged=unjudged,
        unforecast=[Unforecast(*match) for match in due],
        forecasting=forecasting,
        listed=None if moment.replay else postgres.feed.fixture_state(moment.as_of),
        registry_problem=_registry_problem(registry, postgres.retraining.champion()),
    )


def _registry_problem(registry: ModelRegistry, serves: str | None) -> str | None:
    """Why the registry does not answer, or is not the one that has the version that serves by the record."""
    try:
        registry.require_answer()
        registry.require_version(serves)
    except PredictorError as error:
        return str(error)
    return None
