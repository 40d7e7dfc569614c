"""The asset `season_backtest` on the packaged matches, at the snapshot's own moment: 29 December 2023."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from pl_predictor.core.matches import KEY
from pl_predictor.definitions import build_defs
from pl_predictor.services.backtest import backtest
from pl_predictor.services.environment import exported, make_home
from pl_predictor.settings import Settings
from pl_predictor.storage.backtests import FORECAST_COLUMNS, BacktestStorage
from pl_predictor.storage.connection import opened
from pl_predictor_tests.conftest import Platforms


@pytest.fixture(scope="module")
def settings(platforms: Platforms) -> Iterator[Settings]:
    with platforms("backtest", "postgres_db", "dagster_db") as fresh, exported(fresh):
        make_home(fresh)
        yield fresh


@pytest.fixture(scope="module")
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(settings.home)) as instance:
        yield instance


@pytest.fixture(scope="module")
def storage(settings: Settings) -> Iterator[BacktestStorage]:
    with opened(settings.database_url(settings.postgres_db)) as engine:
        yield BacktestStorage(engine)


def run(instance: dg.DagsterInstance, first: int, last: int, *, fails: bool = False) -> dg.ExecuteInProcessResult:
    """The job over a range of seasons, as one run."""
    tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    job = build_defs().resolve_job_def("backtest")
    result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert result.success is not fails
    return result


@pytest.fixture(scope="module")
def shown(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """Season to metadata of its materialisation, after one run of 2022/23 to 2024/25."""
    data = dg.AssetSelection.assets("features").upstream()
    job = dg.define_asset_job("data", data, executor_def=dg.in_process_executor)
    defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[job]))
    assert defs.resolve_job_def("data").execute_in_process(instance=instance).success
    found = run(instance, 2022, 2024).get_asset_materialization_events()
    written = [event.step_materialization_data.materialization for event in found]
    return {str(m.partition): {name: value.value for name, value in m.metadata.items()} for m in written}


def test_each_season_is_a_partition_with_its_own_rows(
    shown: dict[str, dict[str, Any]], storage: BacktestStorage
) -> None:
    # The second is half over at that moment, and the third has not begun.
    counts = {season: metadata["dagster/row_count"] for season, metadata in shown.items()}
    assert counts == {"2022": 380, "2023": 188, "2024": 0}
    rows = storage.forecasts(2022, 2024)
    assert rows.groupby("season").size().to_dict() == {2022: 380, 2023: 188}
    assert (rows["made_at"] <= rows["kickoff"]).all()
    assert storage.scores(2022, 2024).groupby("season")["slice"].nunique().to_dict() == {2022: 7, 2023: 7}


def test_a_season_without_results_has_a_reason(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["2024"]["reason"] == "no match of 2024/25 is finished at 2023-12-29 20:00 UTC"
    assert "scorecard" not in shown["2024"]


def test_a_materialisation_shows_scores_slices_and_pictures(shown: dict[str, dict[str, Any]]) -> None:
    assert "| rps skill |" not in shown["2022"]["scorecard"]  # no odds are packaged for that season
    assert "rolling_skill" not in shown["2022"]
    for name in ("scorecard", "slices", "preview"):
        assert str(shown["2023"][name]).startswith("| ")
    assert "| rps skill |" in shown["2023"]["scorecard"]
    assert "| with a promoted team |" in shown["2023"]["slices"]
    for name in ("reliability", "rolling_rps", "rolling_skill"):
        assert "](data:image/png;base64," in str(shown["2023"][name])


def test_the_rows_are_those_of_the_command(
    settings: Settings, shown: dict[str, dict[str, Any]], storage: BacktestStorage
) -> None:
    assert shown
    rows = storage.forecasts(2022, 2022)
    command = backtest(settings, first=2022, last=2022).forecasts
    pd.testing.assert_frame_equal(
        rows[list(FORECAST_COLUMNS)], command[list(FORECAST_COLUMNS)], check_exact=True, check_dtype=False
    )


def test_a_season_alone_and_again_has_the_same_rows(
    instance: dg.DagsterInstance, shown: dict[str, dict[str, Any]], storage: BacktestStorage
) -> None:
    assert shown
    about_the_run = ["dagster_run_id", "timestamp"]
    before = storage.forecasts(2022, 2022), storage.scores(2022, 2022)
    job = build_defs().resolve_job_def("backtest")
    assert job.execute_in_process(instance=instance, partition_key="2022").success
    for one, two in zip(before, (storage.forecasts(2022, 2022), storage.scores(2022, 2022)), strict=True):
        assert set(one["dagster_run_id"]) != set(two["dagster_run_id"])
        pd.testing.assert_frame_equal(one.drop(columns=about_the_run), two.drop(columns=about_the_run))


def test_a_season_that_cannot_be_forecast_fails_the_run_and_writes_nothing(
    instance: dg.DagsterInstance, shown: dict[str, dict[str, Any]], storage: BacktestStorage
) -> None:
    assert shown
    result = run(instance, 2014, 2015, fails=True)
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    error = failure.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    assert "season 2014 cannot be forecast: of the matches known, those with" in error.cause.message
    assert storage.forecasts(2014, 2015)[list(KEY)].empty
