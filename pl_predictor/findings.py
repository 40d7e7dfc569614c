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

from pl_predictor.core.retraining import Finding

FINISHED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
LOOKED_BACK = 20
"""Runs of one check that may be under way at once."""


def latest_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """The newest finished evaluation of a check; None if it never finished one."""
    record = _newest_finished(instance, key)
    return None if record is None else _evaluation(record)


def crashed(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> bool:
    """True if the newest run of a check that is over ended without a verdict of it."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=LOOKED_BACK):
        if record.status in FINISHED:
            return False
        run = instance.get_run_by_id(record.run_id)
        if run is None or run.is_finished:
            return True
    return False


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
        crashed=crashed(instance, key),
    )


def _newest_finished(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> AssetCheckExecutionRecord | None:
    found = instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=FINISHED)
    return found[0] if found else None


def _evaluation(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation:
    assert record.event is not None, "a finished evaluation has its event"
    assert record.event.dagster_event is not None, "and the event is Dagster's own"
    return record.event.dagster_event.asset_check_evaluation_data
