"""What the checks last said, on a real instance: the contract of the one call that reads it from Dagster's log."""

from collections.abc import Iterator
from datetime import datetime, timezone

import dagster as dg
import pytest

from pl_predictor.core.retraining import Finding
from pl_predictor.findings import finding, latest_evaluation
from pl_predictor.settings import Settings

AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)


@dg.asset
def thing() -> None: ...


@dg.asset_check(asset=thing)
def claim(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    outcome = context.run.tags["outcome"]
    if outcome == "crashed":
        raise ValueError("the check is broken")
    return dg.AssetCheckResult(
        passed=outcome in {"passed", "without a model"},
        severity=dg.AssetCheckSeverity.WARN if outcome == "within noise" else dg.AssetCheckSeverity.ERROR,
        description=outcome,
        metadata={} if outcome == "without a model" else {"model_version": "7", "as_of": AS_OF.isoformat()},
    )


KEY = dg.AssetCheckKey(thing.key, "claim")
JOB = dg.Definitions(assets=[thing], asset_checks=[claim], jobs=[dg.define_asset_job("all_of_it")])


@pytest.fixture
def instance(environment: Settings) -> Iterator[dg.DagsterInstance]:  # noqa: ARG001
    with dg.DagsterInstance.get() as instance:
        yield instance


def happens(instance: dg.DagsterInstance, outcome: str) -> str:
    """A run of the check that ends so, or has not begun yet (planned); its id."""
    job = JOB.resolve_job_def("all_of_it")
    if outcome == "planned":
        return instance.create_run_for_job(job, asset_selection=None).run_id
    return job.execute_in_process(instance=instance, tags={"outcome": outcome}, raise_on_error=False).run_id


def named(value: object) -> str | None:
    return (" then ".join(value) or "never run") if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("history", "newest"),
    [
        ([], None),
        (["passed"], "passed"),
        (["failed"], "failed"),
        (["planned"], None),
        (["crashed"], None),
        (["passed", "failed"], "failed"),
        (["failed", "passed"], "passed"),
        (["failed", "crashed"], "failed"),
        (["passed", "planned"], "passed"),
        (["failed", "passed", "crashed", "planned"], "passed"),
    ],
    ids=named,
)
def test_the_newest_evaluation_is_the_last_that_has_a_verdict(
    instance: dg.DagsterInstance, history: list[str], newest: str | None
) -> None:
    for outcome in history:
        happens(instance, outcome)
    planned = instance.event_log_storage.get_asset_check_execution_history(KEY, limit=10)
    assert len(planned) == len(history), "each of these is in Dagster's own history"
    found = latest_evaluation(instance, KEY)
    assert (found.description if found else None) == newest
    assert found is None or (found.passed, found.asset_check_key) == (newest == "passed", KEY)


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ([], None),
        (["planned"], None),
        (["crashed"], None),
        (["without a model"], None),
        (["failed", "without a model"], None),
        (["passed"], (0, True, None, False)),
        (["within noise"], (0, False, "WARN", False)),
        (["failed"], (0, False, "ERROR", False)),
        (["failed", "planned"], (0, False, "ERROR", False)),
        (["passed", "crashed"], (0, True, None, True)),
        (["failed", "crashed", "planned"], (0, False, "ERROR", True)),
        (["failed", "crashed", "passed"], (2, True, None, False)),
    ],
    ids=named,
)
def test_a_finding_is_the_newest_verdict_on_a_model_and_out_of_date_after_a_crash(
    instance: dg.DagsterInstance, history: list[str], verdict: tuple[int, bool, str | None, bool] | None
) -> None:
    runs = [happens(instance, outcome) for outcome in history]
    found = finding(instance, KEY)
    if verdict is None:
        assert found is None
        return
    number, passed, severity, crashed = verdict
    assert found == Finding(
        check="claim",
        passed=passed,
        severity=severity,  # type: ignore[arg-type]
        words=history[number],
        model_version="7",
        as_of=AS_OF,
        run_id=runs[number],
        crashed=crashed,
    )
