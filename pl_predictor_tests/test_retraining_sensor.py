"""The sensor in time: one training for one piece of evidence, none within the cooldown, and always a reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine

from pl_predictor.assets.occasion import CAUSE_TAG, EVIDENCE_TAG, REASON_TAG, RUN_KEY_TAG, why
from pl_predictor.core.promotion import Ruling, Windows
from pl_predictor.core.retraining import DRIFT_CHECK, SKILL_CHECK
from pl_predictor.jobs import retraining
from pl_predictor.quality_checks import QUALITY_KEYS
from pl_predictor.resources.match_feed import AS_OF_TAG, MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.sensors import retraining_sensor
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.retraining import Occasion, RetrainingStorage
from pl_predictor_tests.frames import matches, played
from pl_predictor_tests.versions import bare_version

BEGIN = datetime(2023, 9, 2, 20, tzinfo=timezone.utc)
DAY = timedelta(days=1)
ACCURACY, F1 = "accuracy_above_threshold", "weighted_f1_above_threshold"


@dg.asset
def performance_metrics() -> None: ...


@dg.asset
def drift_report() -> None: ...


def _said(context: dg.AssetCheckExecutionContext, name: str) -> dg.AssetCheckResult:
    """What the run's tags want the check to say, in the form of the platform's own."""
    outcome, tags = context.run.tags[name], context.run.tags
    if outcome == "crashed":
        raise ValueError("the check is broken")
    return dg.AssetCheckResult(
        passed=outcome == "passed",
        severity=dg.AssetCheckSeverity.WARN if outcome == "WARN" else dg.AssetCheckSeverity.ERROR,
        description=f"{outcome} at {tags['moment'][:10]}",
        metadata={"model_version": tags["version"], "as_of": tags["moment"], "last_kickoff": tags["last_kickoff"]},
    )


@dg.asset_check(asset=performance_metrics)
def accuracy_above_threshold(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return _said(context, ACCURACY)


@dg.asset_check(asset=performance_metrics)
def weighted_f1_above_threshold(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return _said(context, F1)


@dg.asset_check(asset=drift_report)
def drift_share_below_threshold(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return _said(context, DRIFT_CHECK)


STAND_INS = [accuracy_above_threshold, weighted_f1_above_threshold, drift_share_below_threshold]


def test_the_checks_of_these_tests_are_among_those_that_the_sensor_watches() -> None:
    assert {key for check in STAND_INS for key in check.check_keys} <= set(QUALITY_KEYS)


def test_the_checks_that_the_rule_names_exist() -> None:
    assert {DRIFT_CHECK, SKILL_CHECK} <= {key.name for key in QUALITY_KEYS}


@dataclass
class Platform:
    """A real instance, database and registry, on which a check says what it is told to, and days go by."""

    instance: dg.DagsterInstance
    postgres: Postgres
    registry: ModelRegistry
    feed: MatchFeed
    policy: Policy
    retraining: RetrainingStorage

    def judged(
        self, day: float, *, version: str = "1", replay: bool = True, until: float | None = None, **outcomes: str
    ) -> str:
        """A run of the checks, which pass unless told otherwise, on matches until `day` or `until`; its id."""
        names = {"accuracy": ACCURACY, "f1": F1, "drift": DRIFT_CHECK}
        said = {name: outcomes.get(short, "passed") for short, name in names.items()}
        moment = (BEGIN + day * DAY).isoformat()
        seen = {"last_kickoff": (BEGIN + (day if until is None else until) * DAY).isoformat(), "moment": moment}
        tags = {**said, **seen, "version": version, **({AS_OF_TAG: moment} if replay else {})}
        return dg.materialize(
            [performance_metrics, drift_report, *STAND_INS], instance=self.instance, tags=tags, raise_on_error=False
        ).run_id

    def trained(self, day: float, version: str, *, promoted: bool) -> None:
        """The gate's verdict on a version that was trained on all there is."""
        now = BEGIN + day * DAY
        made = bare_version(self.registry, now)
        assert made.version == version
        if promoted:
            self.registry.promote(made)
        self.retraining.keep(
            Ruling(promoted, "better", "as the interval says"),
            Occasion("degradation", "accuracy fell", now, True, "abc", "run"),
            champion=None,
            challenger=version,
            last_match=now,
            windows=Windows(),
        )

    def look(self) -> dg.RunRequest | str:
        """What the sensor does now: a run that it asks for, or its reason not to."""
        names = ("postgres", "registry", "feed", "policy")
        resources = {name: getattr(self, name) for name in names}
        with dg.build_sensor_context(instance=self.instance, resources=resources) as context:
            found = retraining_sensor(context)
        if isinstance(found, dg.RunRequest):
            return found
        assert isinstance(found, dg.SkipReason)
        reason = found.skip_message or ""
        assert len(reason.split()) >= 4, "a person can read it"
        assert not {"None", "{", "[", "<"} & set(reason.replace("[", "[ ").split()), reason
        return reason

    def wants_a_run(self) -> dg.RunRequest:
        found = self.look()
        assert isinstance(found, dg.RunRequest), found
        return found


@pytest.fixture
def platform(environment: Settings) -> Iterator[Platform]:
    """Version 1 has served since the first day; a match is played every day."""
    engine: Engine = open_engine(environment.database_url(environment.postgres_db))
    rows = [played(f"Home {day:02d}", "Away", f"{(BEGIN + day * DAY).date()} 15:00", 1, 0) for day in range(60)]
    MatchStorage(engine).store_matches(matches(*rows), "test")
    postgres = Postgres.from_settings(environment)
    policy = Policy.from_settings(environment.model_copy(update={"min_new_results": 5}))
    with dg.DagsterInstance.ephemeral() as instance:
        registry, feed = ModelRegistry.from_settings(environment), MatchFeed.from_settings(environment)
        found = Platform(instance, postgres, registry, feed, policy, RetrainingStorage(engine))
        found.trained(0, "1", promoted=True)
        yield found
    engine.dispose()


def test_failing_retraining_cooling_down_and_recovering_in_time(platform: Platform) -> None:
    assert platform.look() == "no check has come to a verdict on a model yet"
    platform.judged(19)
    assert platform.look() == "all 3 checks with a verdict pass"

    platform.judged(20, accuracy="ERROR")
    asked = platform.wants_a_run()
    assert asked.run_key == f"{ACCURACY} of version 1 until 2023-09-22 20:00"
    platform.judged(20.1, until=20, accuracy="ERROR")
    assert platform.wants_a_run().run_key == asked.run_key, "another look at the same matches is the same evidence"

    launched = {RUN_KEY_TAG: str(asked.run_key)}
    run = platform.instance.create_run_for_job(
        dg.Definitions(jobs=[_empty]).resolve_job_def("empty"),
        tags={**asked.tags, **launched},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert platform.look() == f"{ACCURACY} failed, but a training is under way"
    platform.instance.report_run_failed(run)
    assert platform.look() == (
        f"{ACCURACY}: ERROR at 2023-09-22; but run {run.run_id} was launched for it, and ended as FAILURE: "
        "repeat it there, or wait for new results"
    )
    platform.judged(21, accuracy="ERROR")
    assert platform.wants_a_run().run_key == f"{ACCURACY} of version 1 until 2023-09-23 20:00", "evidence that is new"

    platform.trained(21, "2", promoted=False)
    cooling = "the last decision was at 2023-09-23 20:00 UTC; the cooldown ends at 2023-10-07 20:00"
    assert platform.look() == f"{ACCURACY} failed, but {cooling}"
    platform.judged(34.999, accuracy="ERROR")
    assert platform.look() == f"{ACCURACY} failed, but {cooling}"

    platform.judged(35, accuracy="ERROR")
    assert platform.wants_a_run().run_key == f"{ACCURACY} of version 1 until 2023-10-07 20:00"
    platform.trained(35, "3", promoted=True)
    assert platform.look() == "the newest verdicts are about version 1, and version 3 serves"
    platform.judged(36, version="3")
    assert platform.look() == "all 3 checks with a verdict pass"


@dg.job(name="empty")
def _empty() -> None: ...


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ({"accuracy": "WARN"}, f"{ACCURACY} failed within noise: only a failure beyond it retrains"),
        (
            {"accuracy": "crashed", "f1": "crashed", "drift": "crashed"},
            f"no verdict is usable: {ACCURACY}, {F1}, {DRIFT_CHECK} crashed",
        ),
        ({"accuracy": "crashed"}, "all 2 checks with a verdict pass"),
    ],
    ids=["within noise", "all crashed", "one crashed"],
)
def test_what_is_no_failure_beyond_noise_is_a_reason_that_a_person_reads(
    platform: Platform, outcomes: dict[str, Any], words: str
) -> None:
    platform.judged(19)
    platform.judged(20, **outcomes)
    assert platform.look() == words


def test_who_serves_is_whom_the_registry_says_whatever_the_record_knows(platform: Platform) -> None:
    """A champion of before the record was kept, or one that a person chose by hand."""
    platform.registry.promote(bare_version(platform.registry, BEGIN))
    platform.judged(20, version="2", accuracy="ERROR")
    assert platform.wants_a_run().tags[CAUSE_TAG] == "degradation"


def test_a_rollback_starts_the_cooldown_too(platform: Platform) -> None:
    platform.trained(1, "2", promoted=True)
    occasion = Occasion("rollback", "it lost", BEGIN + 19 * DAY, True, "abc", "run")
    platform.retraining.keep_rollback(occasion, champion="2", previous="1")
    platform.registry.put_back("1", instead_of="2")
    platform.judged(20, accuracy="ERROR")
    assert "the last decision was at 2023-09-21 20:00 UTC" in str(platform.look())


def test_verdicts_of_a_run_that_is_at_work_are_not_acted_upon(platform: Platform) -> None:
    """The run may yet say more; whoever decides on half of it decides otherwise than who waits."""
    platform.judged(19)
    asked = list[dg.RunRequest | str]()

    @dg.asset_check(asset=performance_metrics, additional_deps=[], name="weighted_f1_above_threshold")
    def later() -> dg.AssetCheckResult:
        asked.append(platform.look())
        return dg.AssetCheckResult(passed=True, metadata={"model_version": "1", "as_of": BEGIN.isoformat()})

    moment = (BEGIN + 20 * DAY).isoformat()
    tags = {ACCURACY: "ERROR", "moment": moment, "last_kickoff": moment, "version": "1", AS_OF_TAG: moment}
    assets = [performance_metrics, accuracy_above_threshold, later]
    assert dg.materialize(assets, instance=platform.instance, tags=tags).success
    assert asked == ["all 3 checks with a verdict pass"]
    assert isinstance(platform.look(), dg.RunRequest)


def test_too_few_new_results_are_a_reason(platform: Platform) -> None:
    platform.trained(17, "2", promoted=False)
    platform.policy = Policy.from_settings(
        Settings().model_copy(update={"min_new_results": 5, "retraining_cooldown_days": 0})
    )
    platform.judged(20, drift="ERROR")
    few = "3 results are new since the last training, and 5 are needed"
    assert platform.look() == f"{DRIFT_CHECK} failed, but {few}"


@pytest.mark.parametrize(
    ("outcomes", "cause", "checks_named"),
    [
        ({"accuracy": "ERROR", "f1": "ERROR"}, "degradation", [ACCURACY, F1]),
        ({"drift": "ERROR"}, "drift", [DRIFT_CHECK]),
        ({"accuracy": "ERROR", "drift": "ERROR"}, "degradation", [ACCURACY, DRIFT_CHECK]),
    ],
    ids=["quality", "drift", "both"],
)
def test_the_run_is_told_why_and_at_which_moment(
    platform: Platform, outcomes: dict[str, Any], cause: str, checks_named: list[str]
) -> None:
    run_id = platform.judged(20, **outcomes)
    tags: Mapping[str, Any] = platform.wants_a_run().tags
    assert set(tags) >= {CAUSE_TAG, REASON_TAG, EVIDENCE_TAG}
    asked = why(tags)
    assert (asked.cause, asked.reason) == (cause, "; ".join(f"{name}: ERROR at 2023-09-22" for name in checks_named))
    assert [(one["check"], one["run_id"]) for one in asked.evidence] == [(name, run_id) for name in checks_named]
    assert tags[AS_OF_TAG] == (BEGIN + 20 * DAY).isoformat()


def test_a_live_run_of_the_checks_asks_for_a_live_training(platform: Platform) -> None:
    platform.judged(20, accuracy="ERROR", replay=False)
    assert AS_OF_TAG not in platform.wants_a_run().tags


def test_the_training_is_of_the_newest_of_its_evidence(platform: Platform) -> None:
    """Two checks that failed in runs of two moments: what the later one knew is not to be unlearnt."""
    platform.judged(20, accuracy="ERROR")
    moment = (BEGIN + 25 * DAY).isoformat()
    tags = {DRIFT_CHECK: "ERROR", "moment": moment, "last_kickoff": moment, "version": "1", AS_OF_TAG: moment}
    assets = [drift_report, drift_share_below_threshold]
    assert dg.materialize(assets, instance=platform.instance, tags=tags).success
    asked = platform.wants_a_run()
    assert asked.tags[AS_OF_TAG] == moment
    assert str(asked.run_key).startswith(f"{ACCURACY} of version 1 until 2023-09-22 20:00; {DRIFT_CHECK} of version 1")


def test_the_sensor_launches_the_job_that_trains_without_reading_the_feed_again() -> None:
    assert [target.name for target in retraining_sensor.jobs] == [retraining.name]
