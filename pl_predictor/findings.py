"""What the checks last said, read from Dagster's log.

There is no public call for it: Dagster's "latest" may be an evaluation that is planned, or whose check crashed, and has
no verdict. The one call used is held to what it must say by pl_predictor_tests/test_findings.py.
"""

from datetime import datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from pl_predictor.core.alert_rules import RunState, Unjudged
from pl_predictor.core.retraining import Finding

Status = dg.DagsterRunStatus
STATES: dict[dg.DagsterRunStatus, RunState] = {
    Status.SUCCESS: "succeeded",
    Status.FAILURE: "failed",
    Status.CANCELED: "canceled",
}
"""Of runs that are over; the others are at work, or will be."""
FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
LOOKED_BACK = 20
"""Runs of one check that may be under way at once."""


def latest_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """The newest finished evaluation of a check, in a run that is over; None if it never finished one."""
    record = _newest_finished(instance, key)
    return None if record is None else _evaluation(record)


def unjudged(instance: dg.DagsterInstance, key: dg.AssetCheckKey, record: AssetCheckExecutionRecord) -> Unjudged:
    """What became of an execution of a check that has no verdict."""
    run = instance.get_run_by_id(record.run_id)
    state: RunState = "deleted" if run is None else STATES.get(run.status, "at_work")
    step = record.event.step_key if record.event else None
    # Only of a failed run it matters: what failed before the check began says nothing of the check.
    started = state == "failed" and any(
        event.step_key == step for event in instance.all_logs(record.run_id, of_type=dg.DagsterEventType.STEP_START)
    )
    return Unjudged(key.asset_key.to_user_string(), key.name, record.run_id, state, started)


def crashed(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> bool:
    """True if a check crashed since its newest verdict."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=LOOKED_BACK):
        if record.status in FINISHED:
            if _is_over(instance, record):
                return False
        elif unjudged(instance, key, record).crashed:
            return True
    return False


def _is_over(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord) -> bool:
    """True if its run is: one that is at work has not said all that it will."""
    run = instance.get_run_by_id(record.run_id)
    return run is None or run.is_finished


def finding(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> Finding | None:
    """The newest verdict of a check on the quality of one model; None if it never came to one, or had no model."""
    record = _newest_finished(instance, key)
    if record is None:
        return None
    found = _evaluation(record)
    said = {name: value.value for name, value in found.metadata.items()}
    if "model_version" not in said:
        return None
    return Finding(
        check=key.name,
        passed=found.passed,
        severity=None if found.passed else found.severity.value,
        words=found.description or "",
        model_version=str(said["model_version"]),
        as_of=datetime.fromisoformat(str(said["as_of"])),
        run_id=record.run_id,
        last_kickoff=datetime.fromisoformat(str(said["last_kickoff"])) if "last_kickoff" in said else None,
        crashed=crashed(instance, key),
    )


def _newest_finished(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> AssetCheckExecutionRecord | None:
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=LOOKED_BACK, status=FINISHED)
    return next((record for record in history if _is_over(instance, record)), None)


def _evaluation(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation:
    assert record.event is not None, "a finished evaluation has its event"
    assert record.event.dagster_event is not None, "and the event is Dagster's own"
    return record.event.dagster_event.asset_check_evaluation_data
