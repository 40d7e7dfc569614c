"""`pl-predictor run` from an empty folder, and again, and at other moments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from sqlalchemy import text

from pl_predictor.checks import KEYS
from pl_predictor.definitions import build_defs
from pl_predictor.findings import latest_evaluation
from pl_predictor.quality_checks import QUALITY_KEYS
from pl_predictor.services.environment import exported
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import Platforms
from pl_predictor_tests.integration.platform import (
    count,
    database,
    environment,
    run_from_nothing,
    run_json,
    using,
)

PICTURES = {
    "matches": "results_by_season",
    "features": "strengths",
    "trained_model": "reliability",
    "predictions": "probabilities",
    "drift_report": "effect_sizes",
}
ASSETS = (*PICTURES, "fixtures", "champion", "performance_metrics")


@pytest.fixture(scope="module")
def installed(platforms: Platforms) -> Iterator[Settings]:
    """A platform on which the loop has run once."""
    with platforms("installed") as settings:
        yield settings


@pytest.fixture(scope="module")
def env(installed: Settings) -> dict[str, str]:
    return using(installed)


@pytest.fixture(scope="module")
def first(env: dict[str, str]) -> dict[str, Any]:
    return run_json("run", env=env, how=run_from_nothing)


@pytest.fixture(scope="module")
def again(env: dict[str, str], first: dict[str, Any]) -> dict[str, Any]:
    """The same run once more, when nothing is new."""
    assert first["forecasts"]
    return run_json("run", env=env)


def test_the_first_run_forecasts_the_next_fixtures(first: dict[str, Any]) -> None:
    assert first["as_of"] == "2023-12-29T20:00:00+00:00"
    fixtures = [(f["home_team"], f["away_team"]) for f in first["forecasts"]]
    assert fixtures[0] == ("Luton", "Chelsea")
    assert len(set(fixtures)) == len(fixtures) == 10
    for forecast in first["forecasts"]:
        assert forecast["kickoff"] > first["as_of"]
        assert forecast["p_home"] + forecast["p_draw"] + forecast["p_away"] == pytest.approx(1, abs=1e-12)
        assert forecast["information"] == ("no_odds" if forecast["home_odds"] is None else "odds")


def test_metrics_that_cannot_be_computed_yet_are_absent(first: dict[str, Any]) -> None:
    assert set(first["metrics"]) == {"drift_share"}
    assert "no official forecast of model version 1 has a result yet" in first["reasons"]["performance_metrics"]
    assert first["walk_forward"]["rps_n"] > 2000
    assert first["failed_checks"] == {}


def test_the_same_run_again_changes_nothing(installed: Settings, first: dict[str, Any], again: dict[str, Any]) -> None:
    assert {**again, "run_id": None, "reasons": None} == {**first, "run_id": None, "reasons": None}
    assert "champion" not in first["reasons"], "it wrote who serves"
    serves = "version 1 serves, and the loop trains only where none does"
    assert (again["reasons"]["trained_model"], again["reasons"]["champion"]) == (serves, "there is no challenger")
    assert count(installed, "SELECT count(*) FROM retraining_events") == 1
    assert count(installed, "SELECT count(*) FROM model_predictions") == len(first["forecasts"])


def test_every_asset_shows_its_rows_and_a_picture_also_when_nothing_is_new(
    installed: Settings, first: dict[str, Any], again: dict[str, Any]
) -> None:
    assert again["run_id"] != first["run_id"]
    with exported(installed), dg.DagsterInstance.get() as instance:
        for name in ASSETS:
            event = instance.get_latest_materialization_event(dg.AssetKey(name))
            assert event is not None
            assert event.asset_materialization is not None
            shown = event.asset_materialization.metadata
            if name == "performance_metrics":
                assert (shown["dagster/row_count"].value, str(shown["reason"].value)[:11]) == (0, "no official")
                continue
            assert shown["dagster/row_count"].value
            assert str(shown["preview"].value).startswith("|")
            if name in PICTURES:
                assert "](data:image/png;base64," in str(shown[PICTURES[name]].value)


def test_every_check_comes_to_a_verdict(installed: Settings, first: dict[str, Any]) -> None:
    with exported(installed), dg.DagsterInstance.get() as instance:
        judged = {key.name for key in KEYS if latest_evaluation(instance, key) is not None}
    assert first["run_id"]
    assert judged == {key.name for key in KEYS}


@pytest.mark.parametrize("key", QUALITY_KEYS, ids=lambda key: key.name)
def test_a_check_of_the_models_quality_can_be_executed_alone(
    installed: Settings, first: dict[str, Any], key: dg.AssetCheckKey
) -> None:
    assert first["run_id"]
    with exported(installed), dg.DagsterInstance.get() as instance:
        everything = build_defs().resolve_implicit_global_asset_job_def()
        alone = everything.get_subset(asset_selection=frozenset(), asset_check_selection={key})
        said = alone.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert [each.asset_check_key for each in said] == [key]


def test_a_tracking_run_that_was_killed_after_its_work_is_ended_by_the_next_run(
    installed: Settings, env: dict[str, str], first: dict[str, Any]
) -> None:
    assert first["model_version"] == "1"
    with database(installed, installed.mlflow_db) as engine, engine.begin() as connection:
        assert connection.execute(text("UPDATE runs SET status = 'RUNNING'")).rowcount >= 2
    assert "version 1 serves" in run_json("run", env=env)["reasons"]["trained_model"]
    assert count(installed, "SELECT count(*) FROM runs WHERE status = 'RUNNING'", installed.mlflow_db) == 0


def test_a_later_moment_settles_and_scores_the_forecasts(
    installed: Settings, env: dict[str, str], first: dict[str, Any]
) -> None:
    later = run_json("run", "--as-of", "2024-01-05T20:00", env=env)
    assert later["model_version"] == first["model_version"]
    assert later["metrics"]["accuracy"]["n"] == len(first["forecasts"])
    assert 0 <= later["metrics"]["accuracy"]["value"] <= 1
    assert later["metrics"]["accuracy"]["low"] is None, "four match days are too few for an interval"
    with exported(installed), dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("performance_metrics"))
    assert event is not None
    assert event.asset_materialization is not None
    luck = later["metrics"]["log_loss"]["value"] - later["metrics"]["log_loss_expected"]["value"]
    assert event.asset_materialization.metadata["luck"].value == pytest.approx(luck)
    unsettled = "SELECT count(*) FROM model_predictions WHERE actual_result IS NULL AND kickoff < '2024-01-03'"
    assert count(installed, unsettled) == 0


def test_an_earlier_moment_never_uses_a_model_that_has_seen_its_results(
    env: dict[str, str], first: dict[str, Any]
) -> None:
    earlier = run_json("run", "--as-of", "2016-02-03", env=env)
    assert earlier["model_version"] != first["model_version"]
    assert all(forecast["kickoff"] > "2016-02-03" for forecast in earlier["forecasts"])
    assert earlier["forecasts"]
    assert {forecast["information"] for forecast in earlier["forecasts"]} == {"no_odds"}


def test_no_coming_fixture_is_a_success_with_a_reason(env: dict[str, str], first: dict[str, Any]) -> None:
    assert first["forecasts"]
    # Between seasons nothing becomes known: the model of a later day serves an earlier one.
    for day in ("20", "10"):
        summer = run_json("run", "--as-of", f"2016-06-{day}", env=env)
        assert summer["forecasts"] == []
        assert summer["reasons"]["predictions"] == f"no fixture is known after {day} June 2016"


def test_any_command_runs_in_the_platforms_environment(env: dict[str, str], first: dict[str, Any]) -> None:
    assert first["run_id"]
    listed = run_from_nothing("exec", "dagster", "run", "list", env=env)
    assert (listed.returncode, first["run_id"] in listed.stdout) == (0, True), listed.stderr
    unknown = run_from_nothing("exec", "no-such-program", env=env)
    assert unknown.returncode == 1
    assert "there is no program 'no-such-program'" in unknown.stderr


def test_the_embedded_postgresql_lives_as_long_as_the_command(tmp_path: Path) -> None:
    env = environment(tmp_path / "a home with spaces")
    forecasts = run_json("run", "--as-of", "2016-02-05", env=env, how=run_from_nothing)["forecasts"]
    assert len(forecasts) == 20, "of the two rounds ahead"
    listening = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == int(env["PL_POSTGRES_PORT"])]
    assert [c for c in listening if c.status == psutil.CONN_LISTEN] == []
    status = run_from_nothing("status", env=env)
    assert status.returncode == 1
    assert "PostgreSQL is not running: start it with `make up`" in status.stdout
