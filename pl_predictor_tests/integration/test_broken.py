"""What is wrong outside the code is said in one sentence with the remedy, and leaves nothing half-written."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources import match_feed
from pl_predictor.services.loop import run_loop
from pl_predictor.settings import Settings
from pl_predictor.sources.snapshot import PACKAGED, Snapshot
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.integration.platform import environment, run, using


def rows(settings: Settings, table: str) -> int:
    engine = open_engine(settings.database_url(settings.postgres_db))
    with engine.connect() as connection:
        count = int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
    engine.dispose()
    return count


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 that this process listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def refusal(*arguments: str, env: dict[str, str]) -> str:
    """What a command that must fail says: its last line, after the progress; no traceback, nothing on stdout."""
    result = run(*arguments, env=env)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("pl-predictor: "), result.stderr
    return last


@pytest.mark.parametrize("command", ["run", "up"])
def test_a_postgresql_that_does_not_answer(command: str, tmp_path: Path) -> None:
    port = str(free_port())
    env = {**environment(tmp_path), "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": port}
    said = refusal(command, env=env)
    assert f"PostgreSQL at 127.0.0.1:{port} cannot be reached" in said
    assert "correct POSTGRES_HOST and POSTGRES_PORT" in said


def test_a_wrong_password(environment: Settings) -> None:
    said = refusal("run", env={**using(environment), "POSTGRES_PASSWORD": "wrong"})
    assert "refuses user 'postgres': correct POSTGRES_USER and POSTGRES_PASSWORD" in said
    assert "wrong" not in said


def test_an_mlflow_that_does_not_answer_fails_before_anything_is_forecast(environment: Settings) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    said = refusal("run", env={**using(environment), "MLFLOW_TRACKING_URI": address})
    assert f"MLflow at {address} cannot be reached" in said
    assert "correct MLFLOW_TRACKING_URI" in said
    assert rows(environment, "model_predictions") == 0


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("up", "PL_DAGSTER_PORT"),
        ("up", "PL_MLFLOW_PORT"),
        ("up", "PL_CODE_SERVER_PORT"),
        ("up", "PL_POSTGRES_PORT"),
        ("run", "PL_POSTGRES_PORT"),
    ],
)
def test_a_port_in_use(command: str, variable: str, taken_port: int, tmp_path: Path) -> None:
    said = refusal(command, env={**environment(tmp_path / "home"), variable: str(taken_port)})
    assert str(taken_port) in said
    assert variable in said


@pytest.mark.parametrize("command", ["run", "up"])
def test_a_folder_that_cannot_be_written(command: str, tmp_path: Path) -> None:
    # A file where the folder should be: permissions do not stop the superuser, whom these tests may run as.
    (tmp_path / "file").touch()
    said = refusal(command, env=environment(tmp_path / "file" / "home"))
    assert f"the folder {tmp_path}/file/home cannot be used" in said
    assert "set PL_HOME" in said


@pytest.mark.parametrize("command", ["run", "up"])
def test_an_unknown_source(command: str, environment: Settings) -> None:
    said = refusal(command, env={**using(environment), "PL_SOURCE": "crystal ball"})
    assert "crystal ball" in said
    assert "snapshot" in said
    assert "PL_SOURCE" in said
    assert rows(environment, "matches") == 0


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        ("1990-01-01", "the snapshot has matches from 16 August 2014 to 24 May 2026, none before 1990-01-01"),
        ("next week", "--as-of='next week' is not a date: write 2023-12-29"),
    ],
)
def test_a_moment_that_cannot_be(moment: str, sentence: str, environment: Settings) -> None:
    assert sentence in refusal("run", "--as-of", moment, env=using(environment))
    assert rows(environment, "matches") == 0


def test_too_little_history_to_train_on(environment: Settings) -> None:
    said = refusal("run", "--as-of", "2014-12-01", env=using(environment))
    assert "trained_model: Training needs 100 results" in said
    assert rows(environment, "model_predictions") == 0


def test_an_unusable_setting(tmp_path: Path) -> None:
    assert "PL_MIN_ACCURACY='high' is not usable" in refusal(
        "run", env={**environment(tmp_path), "PL_MIN_ACCURACY": "high"}
    )


def test_a_damaged_row_of_the_snapshot_is_named_and_stores_nothing(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    damaged = tmp_path / "snapshot"
    shutil.copytree(PACKAGED, damaged)
    file = next(damaged.rglob("2122/E0.csv"))
    lines = file.read_bytes().splitlines(keepends=True)
    lines[100] = lines[100].replace(b"/20", b"/zz")
    file.write_bytes(b"".join(lines))
    monkeypatch.setattr(match_feed, "_source", lambda *_: Snapshot(damaged))
    with pytest.raises(PredictorError, match=r"matches: .*2122/E0\.csv.*line 101.*zz"):
        run_loop(environment, lambda _: None)
    assert rows(environment, "matches") == 0


LEAK = """
CREATE FUNCTION tell_the_goals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.features = jsonb_set(NEW.features, '{home_form}', to_jsonb(coalesce(NEW.home_goals, 0)));
    RETURN NEW;
END $$;
CREATE TRIGGER leak BEFORE INSERT ON match_features FOR EACH ROW EXECUTE FUNCTION tell_the_goals();
"""


def test_features_that_know_the_result_stop_the_run_before_anything_is_trained_or_forecast(
    environment: Settings,
) -> None:
    engine = open_engine(environment.database_url(environment.postgres_db))
    with engine.begin() as connection:
        connection.execute(text(LEAK))
    engine.dispose()
    said = refusal("run", env=using(environment))
    assert said == (
        "pl-predictor: features: the features are not what the matches give: materialize features, and look again"
    )
    assert rows(environment, "match_features") > 0
    assert rows(environment, "model_predictions") == 0
