"""`pl-predictor run` killed in the middle of each step, and interrupted: what is left, and what the next run completes.

At a moment with two seasons before it: where a run was killed matters, and how long it trains does not.
"""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import Platforms, copied, fresh_settings
from pl_predictor_tests.integration import warm
from pl_predictor_tests.integration.platform import COMMAND, count, kill_in, run_json, using, wait_for

RUN = ("run", "--as-of", "2017-02-03T20:00")
STEPS = (
    *("matches", "fixtures", "features", "trained_model", "champion", "predictions"),
    *("drift_report", "performance_metrics"),
)


@pytest.fixture(scope="module")
def undisturbed(platforms: Platforms) -> dict[str, Any]:
    """What a run that nobody kills forecasts."""
    with platforms("undisturbed") as settings:
        result = run_json(*RUN, env=using(settings))
    assert result["forecasts"]
    return result


@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_in_any_step_is_completed_by_the_next_without_duplicates(
    step: str, undisturbed: dict[str, Any], template: Settings, postgres: PostgresAddress, tmp_path: Path
) -> None:
    settings = fresh_settings(tmp_path / "home", postgres)
    with copied(template, settings):
        kill_in(step, settings, using(settings), warm.command, *RUN)
        result = run_json(*RUN, env=using(settings))
        assert result["forecasts"] == undisturbed["forecasts"]
        assert count(settings, "SELECT count(*) FROM model_predictions") == len(undisturbed["forecasts"])
        assert count(settings, "SELECT count(*) FROM matches") == count(settings, "SELECT count(*) FROM match_features")
        statuses = {"FAILURE": 1, "SUCCESS": 1}
        for status, expected in statuses.items():
            query = f"SELECT count(*) FROM runs WHERE status = '{status}'"
            assert count(settings, query, settings.dagster_db) == expected
        versions = "SELECT count(*) FROM model_versions"
        assert count(settings, versions, settings.mlflow_db) == 1
        serves = "SELECT count(*) FROM registered_model_aliases WHERE alias = 'champion'"
        aliases = "SELECT count(*) FROM registered_model_aliases"
        assert (count(settings, serves, settings.mlflow_db), count(settings, aliases, settings.mlflow_db)) == (1, 1)
        assert count(settings, "SELECT count(*) FROM retraining_events") == 1
        assert count(settings, "SELECT count(*) FROM runs WHERE status = 'RUNNING'", settings.mlflow_db) == 0


def test_an_interrupted_run_leaves_no_tracking_run_open(
    template: Settings, postgres: PostgresAddress, tmp_path: Path
) -> None:
    settings = fresh_settings(tmp_path / "home", postgres)
    running = "SELECT count(*) FROM runs WHERE status = 'RUNNING'"
    with copied(template, settings):
        process = subprocess.Popen(
            [*COMMAND, *RUN], env=using(settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: bool(count(settings, running, settings.mlflow_db)), process)
        press_ctrl_c(process, settings)
        said = process.communicate()[1]
        assert process.returncode != 0, said
        assert count(settings, running, settings.mlflow_db) == 0
        unfinished = "SELECT count(*) FROM runs WHERE status IN ('STARTED', 'STARTING', 'CANCELING')"
        assert count(settings, unfinished, settings.dagster_db) == 0


def press_ctrl_c(process: "subprocess.Popen[str]", settings: Settings) -> None:
    """Interrupt a run, and again whenever it went on to finish one more step, as a person does.

    Python drops what a signal raises inside a weak reference's callback, and each import runs one.
    """
    finished, seen = "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_SUCCESS'", -1
    while process.poll() is None:
        steps = count(settings, finished, settings.dagster_db)
        if steps > seen:
            process.send_signal(signal.SIGINT)
        seen = steps
        time.sleep(0.05)
