"""Retraining on a whole platform: for a reason, judged, recorded, shadowing, put back, and killed in the middle."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from sqlalchemy import text

from pl_predictor.assets.occasion import CAUSE_TAG, LOOP, REASON_TAG
from pl_predictor.definitions import build_defs
from pl_predictor.resources.match_feed import AS_OF_TAG
from pl_predictor.resources.model_registry import VERDICT_TAG, ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.services.environment import exported
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.retraining import RetrainingStorage
from pl_predictor_tests.conftest import Platforms, copied, fresh_settings
from pl_predictor_tests.integration import warm
from pl_predictor_tests.integration.platform import count, database, kill_in, run, run_json, using

pytestmark = [
    # MLflow says so of its own classes as it imports them.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    # dagster-mlflow uses what its own Dagster deprecates.
    pytest.mark.filterwarnings("ignore:InitResourceContext.* is deprecated:DeprecationWarning"),
]

FIRST = "2023-12-29T20:00:00+00:00"
MONDAY = "2024-01-15T02:00:00+00:00"
LATER = "2024-01-05T20:00:00+00:00"
"""A week after the first training, when the forecasts that it made have their results."""


@pytest.fixture(scope="module")
def base(platforms: Platforms) -> Iterator[Settings]:
    """A platform on which the loop has run once, to be copied: nobody keeps a connection to its databases."""
    with platforms("base") as settings:
        assert run_json("run", env=using(settings))["model_version"] == "1"
        yield settings


@contextmanager
def another(base: Settings, postgres: PostgresAddress, home: Path) -> Iterator[Settings]:
    """A copy of that platform, to do with as one likes."""
    with copied(base, fresh_settings(home, postgres)) as settings:
        yield settings


@pytest.fixture(scope="module")
def installed(
    base: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The copy on which these tests go on, in their order."""
    with another(base, postgres, tmp_path_factory.mktemp("installed")) as settings:
        yield settings


def launch(
    settings: Settings,
    job: str,
    as_of: str = LATER,
    *,
    only: Sequence[str] = (),
    policy: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    **typed: Any,
) -> dg.ExecuteInProcessResult:
    """A job to its end, in this process: all of its assets, or `only` these of it, where those before are as they
    were at that moment. typed: what a person types in the launchpad."""
    with exported(settings), dg.DagsterInstance.get() as instance:
        defs = build_defs({"policy": Policy.from_settings(settings.model_copy(update=policy or {}))})
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in only] or None,
            tags={AS_OF_TAG: as_of, **(tags or {})},
            run_config={"ops": {"champion" if job == "rollback" else "trained_model": {"config": typed}}}
            if typed
            else {},
            raise_on_error=False,
        )


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of an asset's materialization."""
    assert result.success
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def aliases(settings: Settings) -> dict[str, str]:
    with database(settings, settings.mlflow_db) as engine, engine.connect() as connection:
        found = connection.execute(text("SELECT alias, version FROM registered_model_aliases"))
        return {row.alias: str(row.version) for row in found}


def tags_of(settings: Settings, version: str) -> dict[str, str]:
    client = ModelRegistry.from_settings(settings).client()
    return dict(client.get_model_version(MODEL_NAME, version).tags)


def events(settings: Settings) -> pd.DataFrame:
    with database(settings, settings.postgres_db) as engine:
        return RetrainingStorage(engine).events()


def versions(settings: Settings) -> int:
    return count(settings, "SELECT count(*) FROM model_versions", settings.mlflow_db)


@pytest.mark.parametrize(
    ("job", "asset", "words"),
    [
        ("emergency_retraining", "trained_model", "an emergency needs a reason: write it in the launchpad"),
        ("rollback", "champion", "a rollback needs a reason: write it in the launchpad"),
    ],
)
def test_what_a_person_asks_for_needs_a_reason(installed: Settings, job: str, asset: str, words: str) -> None:
    failure = launch(installed, job, FIRST, only=[asset], reason=" ").failure_data_for_node(asset)
    assert failure is not None
    assert failure.error is not None
    assert failure.error.cause is not None
    assert words in failure.error.cause.message
    assert (versions(installed), len(events(installed))) == (1, 1)


def test_an_emergency_without_force_waits_for_the_end_of_the_cooldown(installed: Settings) -> None:
    asked = launch(installed, "emergency_retraining", FIRST, only=["trained_model"], reason="the coach was sacked")
    told = shown(asked, "trained_model")
    cooling = "the last decision was at 2023-12-29 20:00 UTC; the cooldown ends at 2024-01-12 20:00"
    assert (told["cause"], told["version"], told["reason"]) == ("emergency", "1", cooling)
    assert versions(installed) == 1


def test_a_rollback_needs_somebody_who_served_before(installed: Settings) -> None:
    refused = run("rollback", "--reason", "it looks odd", env=using(installed))
    assert refused.returncode == 1
    assert "there is no previous champion to go back to" in refused.stderr
    assert aliases(installed) == {"champion": "1"}
    assert events(installed)["event"].tolist() == ["promoted"]


@pytest.fixture(scope="module")
def forced(installed: Settings) -> dg.ExecuteInProcessResult:
    """An emergency within the cooldown, with little that is new."""
    return launch(installed, "emergency_retraining", force=True, reason="the coach was sacked")


def test_a_forced_emergency_trains_a_version_that_is_judged_and_recorded(
    installed: Settings, forced: dg.ExecuteInProcessResult
) -> None:
    told = shown(forced, "champion")
    assert (told["version"], told["challenger"]) == ("1", "2")
    assert told["verdict"].startswith("refused: not better beyond noise (past seasons no difference over")
    assert "reason" not in told
    row = events(installed).iloc[-1]
    shown_there = ("event", "cause", "reason", "champion_version", "challenger_version", "dagster_run_id")
    assert [row[name] for name in shown_there] == [
        *("refused", "emergency", "the coach was sacked"),
        *("1", "2", forced.run_id),
    ]
    assert (row["as_of"].isoformat(), row["verdict"], row["walk_forward_n"] > 1900) == (LATER, told["verdict"], True)
    tags = tags_of(installed, "2")
    assert {tags[CAUSE_TAG], tags[REASON_TAG], tags[VERDICT_TAG]} == {"emergency", "the coach was sacked", "refused"}
    assert tags["verdict_words"] == told["verdict"]


def test_the_same_rows_again_train_nothing(installed: Settings, forced: dg.ExecuteInProcessResult) -> None:
    assert forced.success
    asked = launch(installed, "emergency_retraining", only=["trained_model"], force=True, reason="and again")
    told = shown(asked, "trained_model")
    assert told["reason"] == "version 2 was trained on these rows by this code: nothing new"
    assert (versions(installed), len(events(installed))) == (2, 2)


def test_a_refused_challenger_shadows(installed: Settings, forced: dg.ExecuteInProcessResult) -> None:
    assert forced.success
    assert aliases(installed) == {"champion": "1", "challenger": "2"}
    told = shown(launch(installed, "daily_predictions", "2024-01-06T06:00:00+00:00"), "predictions")
    assert str(told["model"]).endswith("/versions/1")
    assert str(told["shadow"]).endswith("/versions/2")
    with database(installed, installed.postgres_db) as engine, engine.connect() as connection:
        made = "SELECT model_version, count(*) AS n FROM model_predictions WHERE as_of = '2024-01-06T06:00Z' GROUP BY 1"
        found = {row.model_version: row.n for row in connection.execute(text(made))}
    assert found["1"] == found["2"] == told["dagster/row_count"]


ROUTINE = {"refresh_results": 1, "retraining_cooldown_days": 0.0}


def test_a_routine_training_that_is_not_worse_serves_and_can_be_put_back(
    installed: Settings, forced: dg.ExecuteInProcessResult
) -> None:
    assert forced.success
    result = launch(installed, "weekly_retraining_evaluation", MONDAY, policy=ROUTINE)
    told = shown(result, "champion")
    assert (told["version"], told["verdict"][:9]) == ("3", "promoted:")
    assert aliases(installed) == {"champion": "3", "previous": "1"}
    assert str(shown(result, "predictions")["model"]).endswith("/versions/3")
    # As if the promotion had been killed before it moved an alias: the rollback is of it, all the same.
    client = ModelRegistry.from_settings(installed).client()
    client.set_registered_model_alias(MODEL_NAME, "champion", "1")
    client.set_registered_model_alias(MODEL_NAME, "challenger", "3")
    client.delete_registered_model_alias(MODEL_NAME, "previous")
    env = {**using(installed), "PL_AS_OF": MONDAY}
    put_back = run("rollback", "--reason", "it never says draw", env=env)
    assert (put_back.returncode, put_back.stdout.splitlines()[-1:]) == (0, ["version 1 serves again"]), put_back.stderr
    assert aliases(installed) == {"champion": "1"}
    row = events(installed).iloc[-1]
    shown_there = ("event", "cause", "reason", "champion_version", "challenger_version")
    assert [row[name] for name in shown_there] == ["rolled_back", "rollback", "it never says draw", "3", "1"]
    assert tags_of(installed, "3")[VERDICT_TAG] == "rolled_back"
    made = f"SELECT count(*) FROM model_predictions WHERE as_of = '{MONDAY}' AND model_version = "
    assert count(installed, f"{made} '1'") == count(installed, f"{made} '3'") > 0


def test_a_rollback_that_was_killed_before_it_moved_an_alias_is_completed_by_the_next_run(installed: Settings) -> None:
    """The state that it leaves: its row is there, and the aliases are those of before."""
    assert events(installed).iloc[-1]["event"] == "rolled_back"
    client = ModelRegistry.from_settings(installed).client()
    for alias, version in (("champion", "3"), ("previous", "1")):
        client.set_registered_model_alias(MODEL_NAME, alias, version)
    told = shown(launch(installed, "daily_predictions", MONDAY, only=["champion"]), "champion")
    assert (told["version"], told["reason"]) == ("1", "there is no challenger")
    assert told["completed"].startswith("version 1 serves again in the place of version 3")
    assert aliases(installed) == {"champion": "1"}
    assert events(installed)["event"].tolist().count("rolled_back") == 1


def test_a_first_version_whose_run_was_killed_before_it_challenged_is_completed(
    base: Settings, postgres: PostgresAddress, tmp_path: Path
) -> None:
    with another(base, postgres, tmp_path / "home") as settings:
        for name, query in (
            (settings.mlflow_db, "DELETE FROM registered_model_aliases"),
            (settings.mlflow_db, f"DELETE FROM model_version_tags WHERE key IN ('{VERDICT_TAG}', 'verdict_words')"),
            (settings.postgres_db, "DELETE FROM retraining_events"),
        ):
            with database(settings, name) as engine, engine.begin() as connection:
                connection.execute(text(query))
            loop = launch(settings, "retraining", FIRST, only=["trained_model", "champion"], tags={CAUSE_TAG: LOOP})
        told = shown(loop, "champion")
        assert (told["version"], told["verdict"]) == ("1", "promoted: nobody served before")
        assert (aliases(settings), versions(settings)) == ({"champion": "1"}, 1)


EMPTIED = """
    TRUNCATE registered_model_aliases, model_version_tags, model_versions, registered_models CASCADE
"""


def test_nothing_is_trained_into_a_registry_that_lacks_the_version_that_serves(
    base: Settings, postgres: PostgresAddress, tmp_path: Path
) -> None:
    with another(base, postgres, tmp_path / "home") as settings:
        with database(settings, settings.mlflow_db) as engine, engine.begin() as connection:
            connection.execute(text(EMPTIED))
        # Also at a moment at which nobody was to serve yet: a new version would take the number all the same.
        for moment in (LATER, "2023-02-03T00:00:00+00:00"):
            refused = launch(settings, "retraining", moment, only=["trained_model"], tags={CAUSE_TAG: LOOP})
            failure = refused.failure_data_for_node("trained_model")
            assert failure is not None
            assert failure.error is not None
            assert failure.error.cause is not None
            assert "version 1 serves by the table retraining_events, and MLflow at " in failure.error.cause.message
        assert versions(settings) == 0
        assert events(settings)["challenger_version"].tolist() == ["1"]


@pytest.mark.parametrize("step", ["trained_model", "champion"])
def test_a_retraining_killed_in_any_step_leaves_one_champion_and_is_completed_by_the_next(
    step: str, base: Settings, postgres: PostgresAddress, tmp_path: Path
) -> None:
    with another(base, postgres, tmp_path / "home") as settings:
        wanted = {str(Settings.model_fields[name].validation_alias): str(value) for name, value in ROUTINE.items()}
        env = {**os.environ, **settings.environment(), **wanted}
        kill_in(step, settings, env, warm.job, "weekly_retraining_evaluation", {AS_OF_TAG: LATER})
        assert aliases(settings)["champion"] in {"1", "2"}
        told = shown(launch(settings, "weekly_retraining_evaluation", policy=ROUTINE), "champion")
        assert (told["version"], told["verdict"][:9]) == ("2", "promoted:")
        assert aliases(settings) == {"champion": "2", "previous": "1"}
        found = events(settings)
        assert found[["event", "challenger_version"]].to_numpy().tolist() == [["promoted", "1"], ["promoted", "2"]]
        assert versions(settings) == 2
