"""`pl-predictor status` finds what is there and says what is missing, starts nothing and changes nothing."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from pl_predictor import checks
from pl_predictor.cli import main
from pl_predictor.core.alerts import Changes, Condition, Level
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.services.environment import make_home
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.services.status import Status, look
from pl_predictor.settings import MODEL_NAME, Settings, get_settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.connection import create_databases, open_engine
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.conftest import fresh_settings
from pl_predictor_tests.integration.platform import environment as nothing_runs_in

ACCURACY = next(key for key in checks.KEYS if key.name == "accuracy_above_threshold")


def on_free_ports(settings: Settings) -> Settings:
    """These settings, on ports where nobody listens."""
    return settings.model_copy(
        update={
            name: int(nothing_runs_in(settings.home)[str(Settings.model_fields[name].validation_alias)])
            for name in ("dagster_port", "mlflow_port", "code_server_port", "embedded_postgres_port")
        }
    )


@pytest.fixture
def stopped(environment: Settings) -> Settings:
    """The tables of a platform whose processes do not run."""
    return on_free_ports(environment)


def test_where_nothing_runs_the_command_says_so_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    home = tmp_path / "home"
    for name, value in nothing_runs_in(home).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    before = signal.getsignal(signal.SIGTERM)
    try:
        shown = CliRunner().invoke(main, ["status"])
        document = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)
    finally:
        signal.signal(signal.SIGTERM, before)
        get_settings.cache_clear()
    assert shown.exit_code == 1
    services = ["webserver", "code server", "MLflow", "PostgreSQL"]
    for service in services:
        assert f"problem {service} is not running: start it with `make up`" in shown.stdout
    assert shown.stdout.endswith("not healthy\n")
    assert document["healthy"] is False
    assert document["services"] == dict.fromkeys(services, False)
    assert len(document["problems"]) == len(services)
    assert not home.exists()


def test_a_server_without_the_databases_is_a_problem_for_each(postgres: PostgresAddress, tmp_path: Path) -> None:
    settings = on_free_ports(fresh_settings(tmp_path / "home", postgres))
    found = look(settings)
    for name in (settings.postgres_db, settings.dagster_db, settings.mlflow_db):
        assert any(f"has no database '{name}'" in problem for problem in found.problems)
    assert not found.healthy


def test_databases_without_tables_are_problems_and_get_none(postgres: PostgresAddress, tmp_path: Path) -> None:
    settings = on_free_ports(fresh_settings(tmp_path / "home", postgres))
    make_home(settings)
    names = [settings.postgres_db, settings.dagster_db, settings.mlflow_db]
    create_databases(settings.database_url("postgres"), names)
    found = look(settings)
    assert found.services["PostgreSQL"]
    assert not found.healthy
    for name in names:
        assert any(f"no tables yet in database {name}: run `make up`" in problem for problem in found.problems)
        engine = open_engine(settings.database_url(name))
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
        engine.dispose()


def test_a_refused_password_is_one_problem_and_is_not_shown(postgres: PostgresAddress, tmp_path: Path) -> None:
    settings = fresh_settings(tmp_path / "home", postgres).model_copy(
        update={"postgres_password": SecretStr("correct horse")}
    )
    found = look(on_free_ports(settings))
    assert len([problem for problem in found.problems if "refuses user" in problem]) == 1
    assert "correct horse" not in json.dumps(found.as_document())


def test_before_the_first_run_the_champion_is_what_is_missing(stopped: Settings) -> None:
    found = look(stopped)
    assert "there is no champion yet: run `pl-predictor run`" in found.problems
    assert (found.champion, found.newest_result, found.metrics, found.alerts) == (None, None, {}, [])


def test_the_champion_and_the_latest_metrics_are_shown(stopped: Settings) -> None:
    client = ModelRegistry.from_settings(stopped).client()
    client.create_registered_model(MODEL_NAME)
    tags = {"trained_until": "2024-01-13T06:00:00+00:00", "features": "x"}
    version = client.create_model_version(MODEL_NAME, stopped.home.as_uri(), tags=tags)
    client.set_registered_model_alias(MODEL_NAME, "champion", version.version)
    engine = open_engine(stopped.database_url(stopped.postgres_db))
    for day, value in ((12, 0.5), (13, 0.6)):
        as_of = datetime(2024, 1, day, tzinfo=timezone.utc)
        MetricsStorage(engine).store_model_metric("accuracy", value, as_of=as_of, model_version="1")
    engine.dispose()
    found = look(stopped)
    assert (found.champion, found.champion_trained_until) == ("1", datetime(2024, 1, 13, 6, tzinfo=timezone.utc))
    assert found.metrics == {"accuracy": 0.6}


def test_the_newest_verdict_of_a_check_is_an_alert_while_it_is_a_failure(stopped: Settings) -> None:
    def judge(passed: bool, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> list[str]:
        with dg.DagsterInstance.get() as instance:
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=ACCURACY.asset_key,
                    check_name=ACCURACY.name,
                    passed=passed,
                    severity=severity,
                    description="0.400 over 90 forecasts is below 0.55",
                )
            )
        return look(stopped).alerts

    title, said = "accuracy above threshold: failed", "performance_metrics: 0.400 over 90 forecasts is below 0.55"
    assert judge(False) == [f"WARNING: {title}: {said}"]
    assert judge(False, dg.AssetCheckSeverity.WARN) == [], "within noise there is no alert"
    assert judge(True) == []


def test_open_alerts_are_listed_the_worst_first_until_they_are_resolved(stopped: Settings) -> None:
    engine = open_engine(stopped.database_url(stopped.postgres_db))
    storage = AlertStorage(engine)
    opened = (
        Condition("check_failed:performance_metrics:accuracy_above_threshold", Level.WARNING, "accuracy", "too low"),
        Condition("source", Level.CRITICAL, "the source", "is dead"),
    )
    as_of = datetime(2024, 1, 13, tzinfo=timezone.utc)
    storage.inform("retrained:1", "Retrained", "why", as_of=as_of, replay=True)
    storage.apply(Changes(opened=opened), as_of, replay=True)
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=ACCURACY.asset_key, check_name=ACCURACY.name, passed=False)
        )
    found = look(stopped)
    assert found.alerts == ["CRITICAL: the source: is dead", "WARNING: accuracy: too low"]
    assert json.loads(json.dumps(found.as_document()))["alerts"] == found.alerts
    storage.apply(Changes(resolved=tuple(storage.open_alerts())), as_of, replay=True)
    engine.dispose()
    unsaid = "WARNING: accuracy above threshold: failed: performance_metrics: it gave no reason"
    assert look(stopped).alerts == [unsaid], "what no row tells of is seen all the same"


def test_a_warning_which_may_be_noise_does_not_make_it_unhealthy() -> None:
    assert Status("snapshot", {}).healthy
    assert Status("snapshot", {}, alerts=["WARNING: accuracy"]).healthy
    assert not Status("snapshot", {}, alerts=["WARNING: accuracy", "ERROR: loop failed"]).healthy
    assert not Status("snapshot", {}, alerts=["CRITICAL: no_forecast"]).healthy
    assert not Status("snapshot", {}, problems=["there is no champion yet"]).healthy


def test_a_failed_last_run_is_an_alert_until_one_succeeds(stopped: Settings) -> None:
    @dg.op(config_schema=bool)
    def work(context: dg.OpExecutionContext) -> None:
        if not context.op_config:
            raise ValueError("broken")

    @dg.job
    def loop() -> None:
        work()

    def run(succeeds: bool) -> tuple[str, list[str]]:
        with dg.DagsterInstance.get() as instance:
            config = {"ops": {"work": {"config": succeeds}}}
            run_id = loop.execute_in_process(config, instance=instance, raise_on_error=False).run_id
        return run_id, look(stopped).alerts

    run_id, alerts = run(succeeds=False)
    assert alerts == [f"ERROR: the last run, {run_id} of loop, failed"]
    assert run(succeeds=True)[1] == []


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """The port of a server that answers whoever connects with `reply`, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    if not connection.recv(4096):
                        return
                    connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            socket.create_connection(server.getsockname()).close()
            thread.join()


@pytest.mark.parametrize(
    ("reply", "runs"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH_9.6\r\n", False),
        (b"", False),
    ],
    ids=["ok", "an error", "another protocol", "nothing"],
)
def test_only_a_web_server_that_answers_well_is_running(tmp_path: Path, reply: bytes, runs: bool) -> None:
    with answering(reply) as port:
        settings = on_free_ports(Settings(PL_HOME=tmp_path).model_copy(update={"postgres_host": None}))
        found = look(settings.model_copy(update={"mlflow_port": port, "mlflow_tracking_uri": None}))
    assert found.services["MLflow"] is runs
    assert any("MLflow is not running" in problem for problem in found.problems) is not runs
