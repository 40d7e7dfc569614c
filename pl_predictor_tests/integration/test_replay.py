"""Four weeks of 2023/24 lived again: by the real daemon and its sensors, one training of which fails at first, and in
one process, with the same outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import psutil
import pytest
from sqlalchemy import text

from pl_predictor.assets.occasion import CAUSE_TAG, EVIDENCE_TAG, REASON_TAG, RUN_KEY_TAG
from pl_predictor.resources.match_feed import AS_OF_TAG
from pl_predictor.services.code_server import LIBRARIES
from pl_predictor.services.environment import at, exported
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.integration.platform import environment, run, run_json, up, wait_for

FIRST, LAST = "2024-01-05T20:00", "2024-01-19T20:00"
# Two of 13 columns have drifted at the end of 2023: none may, so that there is a failure beyond noise to act on.
POLICY = {
    "PL_MAX_DRIFT_SHARE": "0",
    "PL_RETRAINING_COOLDOWN_DAYS": "14",
    "PL_MIN_NEW_RESULTS": "10",
    # At the default some weeks have no bet.
    "PL_MIN_EDGE": "0.005",
    # A week is lived before the first start, one tick follows at once, and the next would in an hour.
    "PL_LIVED_DAYS": "7",
    "PL_TICK_SECONDS": "3600",
}
FORECASTS = """
    SELECT model_version, as_of, kickoff, home_team, away_team, prediction, actual_result, replay,
           probabilities->>'H' AS p_home, probabilities->>'D' AS p_draw
    FROM model_predictions ORDER BY as_of, model_version, kickoff, home_team
"""
PLAYED = "SELECT home_team FROM matches WHERE kickoff > '2023-12-22 20:00+00' AND kickoff < '2024-01-17'"
DECISIONS = """
    SELECT event, cause, reason, rule, verdict, champion_version, challenger_version, as_of, live_n, walk_forward_n
    FROM retraining_events ORDER BY id
"""
BETS = """
    SELECT home_team, away_team, outcome, stake::float8, bankroll::float8, as_of, kickoff, model_version, settlement,
           profit::float8, bankroll_after::float8, settled_at
    FROM bets ORDER BY id
"""
NO_DECISION = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON retraining_events EXECUTE FUNCTION refuse();
"""


@contextmanager
def lived(home: Path) -> Iterator[dict[str, str]]:
    """A home that has lived the week to 29 December 2023 in one process, and the next one under its servers, but for
    the training that this one asks for: no decision could be kept."""
    env = {**environment(home), **POLICY}
    with up(env) as process:
        execute(env, NO_DECISION)
        log = home / "logs" / "replay.log"
        wait_for(lambda: "Fri 05 Jan 2024" in log.read_text(), process, every=0.2)
        execute(env, "DROP FUNCTION refuse CASCADE")
        yield env


def execute(env: dict[str, str], statements: str) -> None:
    settings = settings_of(env)
    engine = open_engine(settings.database_url(settings.postgres_db))
    with engine.begin() as connection:
        connection.execute(text(statements))
    engine.dispose()


def rows(env: dict[str, str], query: str, database: str = "postgres_db") -> pd.DataFrame:
    """What the home's embedded PostgreSQL says while it runs."""
    settings = settings_of(env)
    engine = open_engine(settings.database_url(getattr(settings, database)))
    with engine.connect() as connection:
        found = pd.read_sql(text(query), connection)
    engine.dispose()
    return found


def settings_of(env: dict[str, str]) -> Settings:
    settings = Settings(PL_HOME=Path(env["PL_HOME"]), PL_POSTGRES_PORT=int(env["PL_POSTGRES_PORT"]))
    address = PostgresServer(settings.home, port=settings.embedded_postgres_port).running()
    assert address is not None
    return at(settings, address)


def of_the_code_server() -> list[str]:
    """The command lines of the processes that it has started."""
    ours = psutil.Process().children(recursive=True)
    (server,) = (process for process in ours if "pl_predictor.services.code_server" in process.cmdline())
    return [" ".join(process.cmdline()) for process in server.children(recursive=True)]


@pytest.fixture(scope="module")
def by_the_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with lived(tmp_path_factory.mktemp("daemon")) as env:
        said = run("replay", "--first", FIRST, "--last", LAST, env=env)
        assert said.returncode == 0, said.stderr
        log = (Path(env["PL_HOME"]) / "logs" / "replay.log").read_text()
        with exported(settings_of(env)), dg.DagsterInstance.get() as instance:
            sensor = next(s for s in instance.all_instigator_state() if s.name == "retraining_sensor")
            ticks = instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id)
            yield {
                "log": log,
                "of_the_code_server": of_the_code_server(),
                "said": said.stderr,
                "runs": instance.get_runs(),
                "reasons": [tick.skip_reason for tick in ticks if tick.skip_reason],
                "forecasts": rows(env, FORECASTS),
                "decisions": rows(env, DECISIONS),
                "bets": rows(env, BETS),
                "matches": len(rows(env, PLAYED)),
            }


def test_the_runs_of_the_daemon_are_forked_from_a_process_with_the_libraries(by_the_daemon: dict[str, Any]) -> None:
    forking = [each for each in by_the_daemon["of_the_code_server"] if "multiprocessing.forkserver" in each]
    assert len(forking) == 1, by_the_daemon["of_the_code_server"]
    assert all(library in forking[0] for library in LIBRARIES)


def test_a_replay_says_which_run_failed_and_no_other_does(by_the_daemon: dict[str, Any]) -> None:
    runs: list[dg.DagsterRun] = by_the_daemon["runs"]
    (failed,) = (run for run in runs if run.status != dg.DagsterRunStatus.SUCCESS)
    (line,) = by_the_daemon["log"].splitlines()
    told = (
        f"Fri 05 Jan 2024 20:00  failed, and is tried again in 3600 s: run {failed.run_id} of retraining ended as FAIL"
    )
    assert line.startswith(told)
    assert line.endswith(f"/runs/{failed.run_id}")
    assert sorted(run.tags[AS_OF_TAG][:10] for run in runs if AS_OF_TAG in run.tags and run.job_name == "loop") == [
        *("2023-12-22", "2023-12-29", "2024-01-05", "2024-01-12", "2024-01-19"),
    ]


def test_every_match_is_forecast_before_its_kick_off_and_settled_after_it(by_the_daemon: dict[str, Any]) -> None:
    forecasts = by_the_daemon["forecasts"]
    assert forecasts["replay"].all()
    assert (forecasts["as_of"] < forecasts["kickoff"]).all()
    played = forecasts[forecasts["kickoff"] < "2024-01-17"]
    assert played["actual_result"].notna().all()
    assert len(played[["home_team", "away_team"]].drop_duplicates()) == by_the_daemon["matches"]
    assert forecasts.loc[forecasts["kickoff"] > LAST, "actual_result"].isna().all()


def test_the_ledger_fills_with_bets_that_are_settled_and_add_up(by_the_daemon: dict[str, Any]) -> None:
    bets = by_the_daemon["bets"]
    assert len(bets) >= 5
    assert (bets["as_of"] < bets["kickoff"]).all()
    assert not bets.duplicated(["home_team", "away_team"]).any()
    played = bets["kickoff"] < pd.Timestamp("2024-01-18", tz="UTC")
    assert set(bets.loc[played, "settlement"]) == {"won", "lost"}
    assert bets.loc[~played, "settlement"].isna().all()
    settled = bets[played].sort_values(["settled_at", "kickoff", "home_team"])
    assert settled["bankroll_after"].tolist() == (1000 + settled["profit"].cumsum()).round(2).tolist()


def test_the_sensor_retrains_once_for_a_failure_and_says_why_it_does_not(by_the_daemon: dict[str, Any]) -> None:
    launched = [run for run in by_the_daemon["runs"] if run.job_name == "retraining" and RUN_KEY_TAG in run.tags]
    assert [run.tags[AS_OF_TAG][:10] for run in launched] == ["2024-01-05"]
    assert launched[0].tags[CAUSE_TAG] == "drift"
    assert launched[0].tags[REASON_TAG].startswith("drift_share_below_threshold: ")
    assert any("the cooldown ends at 2024-01-05 20:00" in reason for reason in by_the_daemon["reasons"])
    assert "the cooldown ends at 2024-01-19 20:00" in by_the_daemon["said"]


def test_a_training_that_failed_is_launched_by_the_replay_that_goes_on(by_the_daemon: dict[str, Any]) -> None:
    again, first = (run for run in by_the_daemon["runs"] if run.job_name == "retraining")
    assert (first.status, again.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
    assert RUN_KEY_TAG not in again.tags
    assert {name: again.tags[name] for name in (AS_OF_TAG, CAUSE_TAG, REASON_TAG, EVIDENCE_TAG)} == {
        name: first.tags[name] for name in (AS_OF_TAG, CAUSE_TAG, REASON_TAG, EVIDENCE_TAG)
    }


def test_what_was_trained_is_judged_once_and_a_refused_challenger_shadows(by_the_daemon: dict[str, Any]) -> None:
    decisions = by_the_daemon["decisions"]
    assert decisions[["event", "cause", "challenger_version"]].to_numpy().tolist() == [
        ["promoted", "first", "1"],
        ["refused", "drift", "2"],
    ]
    assert decisions["verdict"][1].startswith("refused: not better beyond noise (past seasons no difference over")
    made = by_the_daemon["forecasts"].groupby("as_of")["model_version"].agg(lambda found: sorted(set(found)))
    assert made.tolist() == [["1"], ["1"], ["1", "2"], ["1", "2"], ["1", "2"]]


def test_the_same_season_in_one_process_has_the_same_forecasts_and_decisions(
    by_the_daemon: dict[str, Any], tmp_path: Path
) -> None:
    env = {**environment(tmp_path / "home"), **POLICY}
    assert run_json("run", "--first-start", env=env)["model_version"] == "1"
    said = run("replay", "--in-process", "--first", FIRST, "--last", LAST, env=env)
    assert said.returncode == 0, said.stderr
    assert [line for line in said.stderr.splitlines() if line[:3] == "Fri"] == [
        line for line in by_the_daemon["said"].splitlines() if line[:3] == "Fri"
    ]
    settings = Settings(PL_HOME=Path(env["PL_HOME"]), PL_POSTGRES_PORT=int(env["PL_POSTGRES_PORT"]))
    with PostgresServer(settings.home, port=settings.embedded_postgres_port).lease():
        forecasts, decisions, bets = (rows(env, query) for query in (FORECASTS, DECISIONS, BETS))
    numbers = ["p_home", "p_draw"]
    theirs = by_the_daemon["forecasts"]
    pd.testing.assert_frame_equal(forecasts.drop(columns=numbers), theirs.drop(columns=numbers))
    # Sums may differ in their last digits.
    pd.testing.assert_frame_equal(forecasts[numbers].astype(float), theirs[numbers].astype(float), rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(decisions, by_the_daemon["decisions"])
    pd.testing.assert_frame_equal(bets, by_the_daemon["bets"])
