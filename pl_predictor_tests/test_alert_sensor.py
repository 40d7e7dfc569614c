"""The alert sensor on a real instance, a real database and a real web hook: what it opens, tells and survives."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine

from pl_predictor import jobs
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.freshness import FixtureState
from pl_predictor.definitions import build_defs
from pl_predictor.resources.alert_channel import AlertChannel
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.sensors import alert_sensor
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.frames import fixture, forecast, matches
from pl_predictor_tests.versions import first_promoted
from pl_predictor_tests.web_hook import Hook, listening

NOON = datetime(2024, 1, 13, 12, tzinfo=timezone.utc)
OUTCOME = "outcome"


@dg.asset
def thing(context: dg.AssetExecutionContext) -> None:
    if context.run.tags[OUTCOME] == "broken":
        raise PredictorError("the site said: no")


@dg.asset_check(asset=thing)
def claim(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    outcome = context.run.tags[OUTCOME]
    if outcome == "crashed":
        raise ValueError("s3cretword")
    return dg.AssetCheckResult(passed=outcome == "good", description=f"it is {outcome}")


class World:
    """A platform of one asset and one check, whose jobs are called as the real ones."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, engine: Engine, hook: Hook) -> None:
        self.instance, self.engine, self.hook = instance, engine, hook
        self.resources: dict[str, dg.ConfigurableResource[None]] = {
            "postgres": Postgres.from_settings(settings),
            "registry": ModelRegistry.from_settings(settings),
            "feed": MatchFeed(source="snapshot", as_of=NOON.isoformat()),
            "policy": Policy.from_settings(settings),
            "alerts": AlertChannel(urls=hook.address),
        }

    def definitions(self) -> dg.Definitions:
        selection = dg.AssetSelection.all()
        wanted = [dg.define_asset_job(name, selection) for name in (jobs.loop.name, jobs.backtest.name)]
        return dg.Definitions(
            [thing], asset_checks=[claim], jobs=wanted, sensors=[alert_sensor], resources=self.resources
        )

    def run(self, outcome: str) -> dg.ExecuteInProcessResult:
        job = self.definitions().resolve_job_def(jobs.loop.name)
        return job.execute_in_process(instance=self.instance, tags={OUTCOME: outcome}, raise_on_error=False)

    def begins(self, job: str) -> dg.DagsterRun:
        """A run that is at work until somebody ends it."""
        definition = self.definitions().resolve_job_def(job)
        return self.instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED)

    def tick(self) -> str:
        """One look of the sensor; what it says."""
        definitions = self.definitions()
        with dg.build_sensor_context(self.instance, definitions=definitions, resources=self.resources) as context:
            result = alert_sensor.evaluate_tick(context)
        assert result.run_requests == []
        return result.skip_message or ""

    @property
    def open(self) -> list[str]:
        return [f"{alert.level.word} {alert.key}" for alert in AlertStorage(self.engine).open_alerts()]


@pytest.fixture
def world(environment: Settings) -> Iterator[World]:
    engine = open_engine(environment.database_url(environment.postgres_db))
    with dg.DagsterInstance.get() as instance, listening(Hook(free_port())) as hook:
        yield World(environment, instance, engine, hook)
    engine.dispose()


def coming(*hours: float, stored_in: Engine) -> None:
    """Matches that kick off so many hours after noon."""
    teams = [("Leeds", "Wigan"), ("Stoke", "Derby")]
    rows = [
        fixture(*pair, f"{(NOON + timedelta(hours=h)).replace(tzinfo=None)}")
        for pair, h in zip(teams, hours, strict=False)
    ]
    MatchStorage(stored_in).store_matches(matches(*rows), "test")


def seal(home: str, away: str, kickoff: str, *, stored_in: Engine) -> None:
    sealed = MetricsStorage(stored_in).store_prediction(
        forecast(home, away, kickoff),
        as_of=NOON - timedelta(hours=1),
        replay=True,
        model_version="1",
        code_version="c",
    )
    assert sealed


def test_a_platform_on_which_nothing_is_wrong_has_no_alert(world: World) -> None:
    assert world.tick() == "Nothing is open"
    world.run("good")
    assert world.tick() == "Nothing is open"
    assert world.hook.titles == []


def test_a_failed_run_is_told_once_and_resolved_by_a_run_of_that_job_that_succeeds(world: World) -> None:
    failed = world.run("broken")
    assert world.tick() == "1 open: error run_failed:loop. 1 opened. 1 sent"
    assert world.tick() == "1 open: error run_failed:loop"
    assert world.hook.received[0]["message"].startswith(f"Run {failed.run_id}: thing: the site said: no")
    world.run("good")
    assert world.tick() == "Nothing is open. 1 resolved. 1 sent"
    assert world.hook.titles == ["[error] loop failed", "[resolved] loop failed"]


def test_a_failed_check_warns_until_it_passes(world: World) -> None:
    world.run("bad")
    world.tick()
    assert world.open == ["warning check_failed:thing:claim"]
    assert world.hook.received[0]["message"].startswith("thing: it is bad")
    world.run("good")
    world.tick()
    assert world.open == []


def test_a_crashed_check_is_an_alert_of_its_own_and_its_old_verdict_is_no_health(world: World) -> None:
    world.run("bad")
    world.tick()
    world.run("crashed")
    world.tick()
    crashed = ["error check_crashed:thing:claim", "error run_failed:loop"]
    assert sorted(world.open) == [*crashed, "warning check_failed:thing:claim"]
    assert "s3cretword" not in str(world.hook.received), "an error that is not for a person may hold anything"
    world.run("good")
    world.tick()
    assert world.open == []


def test_a_check_that_a_failed_run_never_reached_did_not_crash_nor_recover(world: World) -> None:
    world.run("broken")
    world.tick()
    assert world.open == ["error run_failed:loop"]
    world.run("crashed")
    world.tick()
    world.run("broken")
    world.tick()
    assert sorted(world.open) == ["error check_crashed:thing:claim", "error run_failed:loop"]


def test_a_run_at_work_does_not_resolve_what_the_last_one_left(world: World) -> None:
    world.run("crashed")
    world.tick()
    before = world.open
    world.begins(jobs.loop.name)
    world.tick()
    assert world.open == before


def test_a_run_whose_process_was_killed_failed(world: World) -> None:
    world.instance.report_run_failed(world.begins(jobs.loop.name), "the process was killed")
    world.tick()
    assert "error run_failed:loop" in world.open
    assert any("the process was killed" in message["message"] for message in world.hook.received)


def test_a_match_about_to_kick_off_without_a_forecast_is_critical_until_it_has_one(world: World) -> None:
    coming(24, 24.5, stored_in=world.engine)
    world.tick()
    assert world.open == ["critical no_forecast"]
    assert "No forecast of Leeds - Wigan (14 Jan 12:00 UTC)" in world.hook.received[0]["message"]
    assert "Stoke" not in world.hook.received[0]["message"]
    assert world.hook.received[0]["message"].endswith("Replay of 2024-01-13 12:00 UTC")
    seal("Leeds", "Wigan", "2024-01-14 12:00", stored_in=world.engine)
    world.tick()
    assert world.open == []


@pytest.mark.parametrize(
    ("job", "opened"),
    [(jobs.loop.name, []), (jobs.backtest.name, ["critical no_forecast"])],
    ids=["a loop", "a backtest"],
)
def test_while_a_run_may_yet_forecast_nobody_is_alarmed(world: World, job: str, opened: list[str]) -> None:
    coming(1, stored_in=world.engine)
    run = world.begins(job)
    world.tick()
    assert world.open == opened
    world.instance.report_run_canceled(run)
    world.tick()
    assert world.open == ["critical no_forecast"]


def test_a_registry_that_does_not_answer_is_critical_until_it_does(world: World) -> None:
    good = world.resources["registry"]
    world.resources["registry"] = ModelRegistry(
        tracking_uri=f"http://me:s3cretword@127.0.0.1:{free_port()}", artifact_folder="", ui_url=""
    )
    world.tick()
    assert world.open == ["critical registry"]
    assert "s3cretword" not in str(world.hook.received)
    world.resources["registry"] = good
    world.tick()
    assert world.open == []


# MLflow says so of its own classes as it imports them.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
def test_a_registry_that_lacks_the_version_that_serves_is_critical_until_it_is_the_right_one_again(
    world: World,
) -> None:
    first_promoted(world.engine, NOON, NOON, replay=True)
    world.tick()
    assert world.open == ["critical registry"]
    assert "version 1 serves by the table retraining_events, and MLflow at " in world.hook.received[0]["message"]
    registry = world.resources["registry"]
    assert isinstance(registry, ModelRegistry)
    registry.client().create_registered_model(MODEL_NAME)
    registry.client().create_model_version(MODEL_NAME, registry.artifact_folder)
    world.tick()
    assert world.open == [], "that its alias is not moved yet is another matter"


def test_a_broken_list_of_fixtures_is_critical_live_and_speaks_of_now(world: World, tmp_path: Path) -> None:
    before = datetime.now(timezone.utc)
    broken = FixtureState("feed_broken", "no such column: HomeTeam")
    FeedStorage(world.engine, "c").store_fixture_state(broken, as_of=before - timedelta(hours=1), fixtures=0)
    world.tick()
    assert world.open == [], "a list of today says nothing of a replay"
    world.resources["feed"] = MatchFeed(source="football-data", football_data_url=str(tmp_path))
    world.tick()
    (alert,) = AlertStorage(world.engine).open_alerts()
    assert (alert.key, alert.level.word, alert.replay) == ("source", "critical", False)
    assert before <= alert.as_of <= datetime.now(timezone.utc)


def test_a_dead_channel_fails_neither_run_nor_tick_and_is_told_exactly_once_when_it_is_back(
    world: World,
) -> None:
    dead = Hook(free_port())
    world.resources["alerts"] = AlertChannel(urls=dead.address)
    world.run("broken")
    said = [world.tick(), world.tick()]
    assert all("error run_failed:loop" in one and "could not be sent, and waits: json-" in one for one in said)
    assert "s3cretword" not in str(said)
    assert world.run("good").success
    world.run("broken")
    with listening(dead):
        world.tick()
        world.tick()
    assert dead.titles == ["[error] loop failed"]


def test_an_address_that_is_none_fails_the_tick_after_the_alerts_are_written(world: World) -> None:
    world.resources["alerts"] = AlertChannel(urls="nosuch://s3cretword")
    world.run("broken")
    with pytest.raises(PredictorError, match=r"^PL_ALERT_URLS: address 1 \(nosuch://...\) is none"):
        world.tick()
    assert world.open == ["error run_failed:loop"]


def test_a_database_that_is_down_fails_the_tick(world: World, environment: Settings) -> None:
    world.resources["postgres"] = Postgres.from_settings(environment.model_copy(update={"postgres_port": free_port()}))
    with pytest.raises(PredictorError, match="cannot be reached"):
        world.tick()


def test_the_sensor_runs_by_itself_twice_a_minute() -> None:
    (sensor,) = [s for s in build_defs().sensors or [] if s.name == "alert_sensor"]
    assert isinstance(sensor, dg.SensorDefinition)
    assert (sensor.default_status, sensor.minimum_interval_seconds) == (dg.DefaultSensorStatus.RUNNING, 30)
