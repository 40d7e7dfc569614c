"""What Dagster sees: twelve assets and their lineage, checks, jobs, an instance; light to load, and without secrets."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._serdes import serialize_value
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage

import pl_predictor
from pl_predictor.assets.occasion import CAUSE_TAG, LOOP, ROLLBACK
from pl_predictor.assets.season_backtest import SEASONS
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.feed_contract import CLAIMS
from pl_predictor.core.retraining import CAUSES
from pl_predictor.definitions import build_defs
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.policy import Policy
from pl_predictor.settings import PROJECT, Settings, get_settings

LINEAGE = {
    "matches": set(),
    "fixtures": {"matches"},
    "features": {"matches", "fixtures"},
    "trained_model": {"features"},
    "champion": {"trained_model"},
    "predictions": {"features", "champion"},
    "performance_metrics": {"matches", "predictions"},
    "drift_report": {"features", "champion"},
    "market_edges": {"predictions"},
    "bet_ledger": {"matches", "market_edges"},
    "betting_performance": {"bet_ledger"},
    "season_backtest": {"features", "matches"},
}
CHECKS = {
    **dict.fromkeys(CLAIMS, "matches"),
    "results_are_fresh": "matches",
    "fixture_list_is_sound": "fixtures",
    "nothing_knows_the_future": "features",
    "accuracy_above_threshold": "performance_metrics",
    "weighted_f1_above_threshold": "performance_metrics",
    "skill_against_the_market_above_threshold": "performance_metrics",
    "log_loss_near_that_at_promotion": "performance_metrics",
    "drift_share_below_threshold": "drift_report",
    "every_coming_fixture_has_a_forecast": "predictions",
    "ledger_adds_up": "bet_ledger",
}
HEAVY = ("mlflow", "evidently", "sklearn", "skops", "matplotlib", "scipy", "dagster_mlflow", "apprise")
CORE = Path(pl_predictor.__file__).parent / "core"

# What Dagster tells its UI of a schedule is made with what Dagster itself deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings' defaults, whatever the shell of who runs the tests has exported."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def defs() -> dg.Definitions:
    return build_defs()


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    """Dagster loads them in every process that it starts."""
    code = "import pl_predictor.definitions, json, sys; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = json.loads(shown.stdout.splitlines()[-1])
    assert "pl_predictor.definitions" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_core_imports_nothing_of_the_rest_of_the_package() -> None:
    """Nor Dagster or a database: it is plain Python."""
    foreign = []
    for file in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names] if node.level == 0 else ["relative"]
            ours = [name for name in names if name.split(".")[0] == "pl_predictor"]
            foreign += [(file.name, name) for name in ours if not name.startswith("pl_predictor.core.")]
            banned = {"relative", "dagster", "sqlalchemy", "psycopg2", "mlflow", "requests", "urllib"}
            foreign += [(file.name, name) for name in names if name.split(".")[0] in banned]
    assert foreign == []
    assert len(list(CORE.rglob("*.py"))) > 5


def test_there_are_nine_assets_with_this_lineage(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    found = {
        node.key.to_user_string(): {parent.to_user_string() for parent in node.parent_keys}
        for node in graph.asset_nodes
    }
    assert found == LINEAGE


@pytest.mark.parametrize("name", LINEAGE)
def test_every_asset_says_whose_it_is_and_what_its_data_are(defs: dg.Definitions, name: str) -> None:
    node = defs.resolve_asset_graph().get(dg.AssetKey(name))
    assert node.owners
    assert len(node.kinds) >= 2
    assert node.group_name in {"data", "forecasts", "betting", "monitoring", "evaluation"}
    assert (node.description or "").endswith(".")
    assert node.code_version
    schema = node.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert schema.columns
    assert [column.name for column in schema.columns if not column.description] == []


def test_every_check_belongs_to_its_asset_and_says_what_it_claims(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert {key.name: key.asset_key.to_user_string() for key in graph.asset_check_keys} == CHECKS
    for key in graph.asset_check_keys:
        assert (graph.get_check_spec(key).description or "").endswith(".")


def test_the_loop_runs_every_asset_but_the_backtest_and_every_check(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("loop")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(LINEAGE) - {"season_backtest"}
    assert {key.name for key in job.asset_layer.asset_graph.asset_check_keys} == set(CHECKS)
    assert job.executor_def is dg.in_process_executor


FORECASTS = {"predictions", "market_edges", "bet_ledger"}
TRAINS = {"features", "trained_model", "champion", *FORECASTS}
JOBS: dict[str, tuple[set[str], str | None]] = {
    "loop": (set(LINEAGE) - {"season_backtest"}, "loop"),
    "monitoring": ({"matches", "performance_metrics", "bet_ledger", "betting_performance"}, None),
    "drift_analysis": ({"features", "drift_report"}, None),
    "daily_predictions": ({"matches", "fixtures", *TRAINS}, "loop"),
    "weekly_retraining_evaluation": ({"matches", "fixtures", *TRAINS}, "routine"),
    "retraining": (TRAINS, None),
    "emergency_retraining": ({"matches", "fixtures", *TRAINS}, "emergency"),
    "rollback": ({"features", "champion", *FORECASTS}, "rollback"),
    "backtest": ({"season_backtest"}, None),
}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_materializes_these_assets_in_one_process_and_says_its_cause(defs: dg.Definitions, name: str) -> None:
    job = defs.resolve_job_def(name)
    assets, cause = JOBS[name]
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == assets
    assert job.tags.get(CAUSE_TAG) == cause
    assert cause in {None, LOOP, ROLLBACK, *CAUSES}
    assert job.executor_def is dg.in_process_executor


def test_there_are_these_jobs_and_whatever_runs_by_itself_is_switched_on(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == set(JOBS)
    by_itself = {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs}
    by_itself |= {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs}
    assert "retraining_sensor" in by_itself
    assert [name for name, status in by_itself.items() if status != "RUNNING"] == []


def test_the_backtest_is_a_job_of_its_own_with_seasons_as_partitions_and_one_run_for_many(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("backtest")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == {"season_backtest"}
    assert job.partitions_def is SEASONS
    node = defs.resolve_asset_graph().get(dg.AssetKey("season_backtest"))
    assert node.backfill_policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize(
    ("today", "newest"), [((2026, 1, 1), "2026"), ((2026, 12, 31), "2026"), ((2027, 1, 1), "2027")]
)
def test_a_season_is_a_partition_from_the_year_in_which_it_begins(today: tuple[int, int, int], newest: str) -> None:
    keys = SEASONS.get_partition_keys(datetime(*today, 12, tzinfo=timezone.utc))
    assert keys == [str(year) for year in range(1994, int(newest) + 1)]


def launchpad(defs: dg.Definitions) -> dict[str, dict[str, Any]]:
    """Resource to field to the value that the UI shows of it: JSON, or the name of an environment variable."""
    snap = RepositorySnap.from_def(defs.get_repository_def())
    return {resource.name: resource.configured_values for resource in snap.resources or []}


@pytest.mark.parametrize("password", ["correct-horse", "p@ss/w:rd"])
def test_no_secret_is_in_what_the_ui_is_told(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "127.0.0.1")
    monkeypatch.setenv("POSTGRES_PASSWORD", password)
    monkeypatch.setenv("PL_ALERT_URLS", f"json://me:{quote(password, safe='')}@127.0.0.1")
    for name, value in get_settings().environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    defs = build_defs()
    told = serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    told += serialize_value(JobDataSnap.from_job_def(defs.resolve_job_def("loop"), include_parent_snapshot=True))
    assert password not in told
    assert quote(password, safe="") not in told
    shown = launchpad(defs)
    assert shown["postgres"]["password"].name == "POSTGRES_PASSWORD"
    assert shown["registry"]["tracking_uri"].name == "MLFLOW_TRACKING_URI"
    assert shown["alerts"]["urls"].name == "PL_ALERT_URLS"


def test_the_thresholds_are_in_the_launchpad_with_the_settings_defaults(defs: dg.Definitions) -> None:
    defaults = {
        "forecast_days": 10,
        "performance_window": 380,
        "skill_window": 80,
        "drift_window": 100,
        "min_sample": 50,
        "min_accuracy": 0.55,
        "min_weighted_f1": 0.5,
        "min_skill": -0.03,
        "max_log_loss_rise": 0.05,
        "false_alarm_rate": 0.05,
        "max_drift_share": 0.5,
        "retrain_on_warnings": False,
        "retraining_cooldown_days": 14.0,
        "min_new_results": 20,
        "refresh_results": 150,
        "promotion_margin": 0.005,
        "bet_prices": "best",
        "staking": "kelly",
        "bankroll": 1000.0,
        "kelly_fraction": 0.25,
        "flat_stake": 0.01,
        "max_stake": 0.05,
        "min_edge": 0.02,
        "min_confidence": 0.3,
        "forecast_due_hours": 24,
    }
    assert {name: json.loads(value) for name, value in launchpad(defs)["policy"].items()} == defaults
    snap = RepositorySnap.from_def(defs.get_repository_def())
    (policy,) = (resource for resource in snap.resources or [] if resource.name == "policy")
    assert {field.name: field.description for field in policy.config_field_snaps} == {
        name: Settings.model_fields[name].description for name in defaults
    }


def test_a_configured_threshold_is_the_launchpads_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_MIN_ACCURACY", "0.61")
    monkeypatch.setenv("PL_AS_OF", "2024-02-03")
    get_settings.cache_clear()
    shown = launchpad(build_defs())
    assert json.loads(shown["policy"]["min_accuracy"]) == 0.61
    assert json.loads(shown["feed"]["as_of"]) == "2024-02-03"


def judged_by(run_config: dict[str, Any]) -> Policy:
    """The policy that a run with this config judges by."""
    seen: list[Policy] = []

    @dg.asset
    def probe(policy: Policy) -> None:
        seen.append(policy)

    policy = build_defs().resolve_job_def("loop").resource_defs["policy"]
    assert dg.materialize([probe], resources={"policy": policy}, run_config=run_config).success
    return seen[0]


def test_the_launchpad_changes_one_threshold_for_one_run_and_leaves_the_others_as_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PL_MIN_SAMPLE", "80")
    get_settings.cache_clear()
    try:
        policy = judged_by({"resources": {"policy": {"config": {"min_accuracy": 0.99}}}})
        assert (policy.min_accuracy, policy.min_sample, policy.min_weighted_f1) == (0.99, 80, 0.5)
        assert judged_by({}).min_accuracy == 0.55
    finally:
        get_settings.cache_clear()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"performance_window": 49}, "performance_window=49 is less than min_sample=50"),
        ({"skill_window": 60, "min_sample": 61}, "skill_window=60 is less than min_sample=61"),
        ({"min_sample": 101, "skill_window": 101}, "drift_window=100 is less than min_sample=101"),
    ],
    ids=["performance", "skill", "drift"],
)
def test_a_window_that_could_never_judge_is_refused_in_the_launchpad(typed: dict[str, int], says: str) -> None:
    with pytest.raises(dg.DagsterResourceFunctionError) as refused:
        judged_by({"resources": {"policy": {"config": typed}}})
    assert isinstance(refused.value.__cause__, PredictorError)
    assert says in str(refused.value.__cause__)


def test_a_resource_can_be_replaced() -> None:
    shown = launchpad(build_defs(resources={"feed": MatchFeed(source="another")}))
    assert json.loads(shown["feed"]["source"]) == "another"
    assert set(shown) == {"alerts", "feed", "policy", "postgres", "registry"}


def test_the_instance_keeps_runs_events_and_schedules_in_postgresql_and_tells_nobody(environment: Settings) -> None:
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        assert isinstance(instance.schedule_storage, PostgresScheduleStorage)
        for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
            assert f"/{environment.dagster_db}?" in storage.postgres_url
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.run_monitoring_enabled
        assert Path(instance.storage_directory()).is_relative_to(environment.home / "dagster")


def test_the_workspace_is_one_code_server_on_the_configured_port(environment: Settings) -> None:
    (origin,) = location_origins_from_yaml_paths([str(PROJECT / "workspace.yaml")])
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert (origin.location_name, origin.host) == ("pl_predictor", "127.0.0.1")
    assert origin.port == environment.code_server_port
