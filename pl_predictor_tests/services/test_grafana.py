"""Which Grafana is started, and what it is told, shown by a program that stands in for it."""

import json
import os
import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import grafana
from pl_predictor.services.grafana_reader import password_file, provide
from pl_predictor.services.supervisor import MARKER, NAME_MARKER, RESTARTS, Supervisor
from pl_predictor.settings import PROJECT, Settings
from pl_predictor.storage.connection import opened
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.frames import fixture
from pl_predictor_tests.services import grafana_stand_in
from pl_predictor_tests.storage.ledgers import KICKOFF, know, seal


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder laid out as Grafana's archive, with a program that tells how it was started and ends."""
    grafana_stand_in.put(tmp_path / "grafana" / "bin" / "grafana")
    return tmp_path / "grafana"


@pytest.fixture
def ready(environment: Settings, installed: Path) -> Settings:
    """Settings of a platform that can start it: the role is there, with a password of the platform's choice."""
    of = {"grafana": installed, "grafana_port": free_port(), "grafana_password": SecretStr("of the reader")}
    chosen = environment.model_copy(update=of)
    assert provide(chosen) is None
    return chosen


@pytest.fixture
def database(environment: Settings) -> Iterator[Engine]:
    with opened(environment.database_url(environment.postgres_db)) as engine:
        yield engine


def configured(home: Path, **values: Any) -> Settings:
    return Settings(PL_HOME=home).model_copy(update=values)


def arguments(homepath: Path, home: Path) -> list[str]:
    """An own configuration: neither an archive's conf/custom.ini nor that of a Grafana which is in use is read."""
    return ["server", "--homepath", str(homepath), "--config", f"{home}/grafana/grafana.ini"]


def test_the_server_of_the_folder_that_is_named_is_started(tmp_path: Path, installed: Path) -> None:
    settings = configured(tmp_path, grafana=installed)
    assert grafana.command(settings) == [f"{installed}/bin/grafana", *arguments(installed, tmp_path)]


def test_where_the_program_is_apart_from_its_folder_it_is_found_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Homebrew installs it."""
    share = tmp_path / "share" / "grafana"
    share.mkdir(parents=True)
    grafana_stand_in.put(tmp_path / "bin" / "grafana")
    monkeypatch.setattr(grafana, "USUAL_HOMES", (tmp_path / "nowhere", share))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert grafana.command(configured(tmp_path)) == [f"{tmp_path}/bin/grafana", *arguments(share, tmp_path)]
    with pytest.raises(PredictorError, match="holds no bin/grafana"):
        grafana.command(configured(tmp_path, grafana=share.parent))


def test_without_a_grafana_nothing_is_started_and_where_to_get_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana, "USUAL_HOMES", (tmp_path / "nowhere",))
    settings = configured(tmp_path)
    assert grafana.command(settings) is None
    assert grafana.start(settings, None, Supervisor(tmp_path, {})) == grafana.HOW_TO_GET_ONE


def test_a_folder_without_grafana_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=rf"PL_GRAFANA={tmp_path} holds no bin/grafana"):
        grafana.command(configured(tmp_path, grafana=tmp_path))


def test_the_folder_is_named_as_in_a_shell_and_an_empty_name_is_none(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PL_GRAFANA", "~/grafana")
    assert Settings().grafana == installed
    monkeypatch.setenv("PL_GRAFANA", "")
    assert Settings().grafana is None


def test_where_alerts_are_sent_is_not_shown_with_the_settings() -> None:
    settings = Settings(PL_GRAFANA_ALERT_URL="https://hooks.example/token")
    assert settings.grafana_alert_url.get_secret_value() == "https://hooks.example/token"
    assert "token" not in repr(settings)
    assert Settings().grafana_alert_url.get_secret_value() == "http://127.0.0.1:9"


def started(settings: Settings) -> dict[str, Any]:
    """Start the stand-in, and wait for what it says that it was started with."""
    supervisor, said = Supervisor(settings.home, settings.environment()), list[str]()
    answer = grafana.start(settings, grafana.command(settings), supervisor)
    assert answer == f"{settings.grafana_url} (some seconds more)"
    while not any("keeps ending" in line for line in said):
        supervisor.watch(said.append)
    assert len(said) == RESTARTS + 1, "it is started again, and then left alone: nothing else depends on it"
    told: dict[str, Any] = json.loads(supervisor.log("grafana").read_text().splitlines()[0])
    return told


def refused(settings: Settings) -> str:
    """Why it is not started, in the one line that `up` prints."""
    supervisor = Supervisor(settings.home, settings.environment())
    said = grafana.start(settings, grafana.command(settings), supervisor)
    assert "\n" not in said
    assert not supervisor.log("grafana").exists()
    return said


def told_by_up(home: Path) -> dict[str, str]:
    return grafana.environment(configured(home), reader_password="r", admin_password="a", sslmode="disable")


def test_all_that_it_is_told(ready: Settings) -> None:
    settings = ready.model_copy(update={"bind": "0.0.0.0"})
    told, home = started(settings), settings.home
    assert {name: value for name, value in told["environment"].items() if name.startswith(("GF_", "GRAFANA_"))} == {
        "GF_SERVER_HTTP_ADDR": "0.0.0.0",
        "GF_SERVER_HTTP_PORT": str(settings.grafana_port),
        "GF_SERVER_ROOT_URL": f"http://127.0.0.1:{settings.grafana_port}",
        "GF_PATHS_DATA": f"{home}/grafana",
        "GF_PATHS_PLUGINS": f"{home}/grafana/plugins",
        "GF_PATHS_PROVISIONING": f"{PROJECT}/grafana/provisioning",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{home}/grafana/dashboards/mlops-overview.json",
        "GF_SECURITY_ADMIN_PASSWORD": (home / "grafana_admin_password").read_text(),
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
        "GF_LOG_MODE": "console",
        "GRAFANA_DASHBOARDS": f"{home}/grafana/dashboards",
        "GRAFANA_DB_HOST": settings.postgres_host,
        "GRAFANA_DB_PORT": str(settings.postgres_port),
        "GRAFANA_DB_NAME": settings.postgres_db,
        "GRAFANA_DB_SSLMODE": "disable",
        "GRAFANA_DAGSTER_DB": settings.dagster_db,
        "GRAFANA_READER_PASSWORD": "of the reader",
        "GRAFANA_ALERT_URL": "http://127.0.0.1:9",
    }
    assert settings.grafana is not None
    assert told["arguments"] == arguments(settings.grafana, home), "no password: everybody could read it here"
    assert (home / "grafana" / "grafana.ini").read_text() == ""


def test_it_is_told_no_secret_of_the_platforms(ready: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_ALERT_URLS", "mailto://me:secret@example.org")
    monkeypatch.setenv("SOMEBODY_ELSES", "kept")
    settings = ready.model_copy(update={"alert_urls": SecretStr("mailto://me:secret@example.org")})
    told = started(settings)["environment"]
    assert told["SOMEBODY_ELSES"] == "kept"
    assert {name for name in told if name.startswith("PL_")} == {MARKER, NAME_MARKER}
    assert not {"POSTGRES_PASSWORD", "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"} & told.keys()
    assert {"POSTGRES_PASSWORD", "PL_ALERT_URLS"} <= os.environ.keys(), "as `up` has them when it starts it"
    shown = json.dumps(told)
    assert settings.postgres_password.get_secret_value() not in shown
    assert "mailto" not in shown


def test_its_admin_has_a_password_that_nobody_knows_and_the_home_keeps(ready: Settings) -> None:
    first, second = (started(ready)["environment"]["GF_SECURITY_ADMIN_PASSWORD"] for _ in range(2))
    assert first == second
    assert len(first) >= 40
    assert grafana.admin_password_file(ready.home).stat().st_mode & 0o777 == 0o600


def test_the_boards_of_the_home_lead_to_its_own_addresses_and_differ_in_nothing_else(tmp_path: Path) -> None:
    settings = configured(tmp_path, bind="10.1.2.3", dagster_port=4000, mlflow_tracking_uri="https://mlflow.example/")
    folder = grafana.boards_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "no-more.json").write_text("{}")
    grafana.write_boards(settings, None)
    committed = {path.name: path.read_text() for path in (PROJECT / "grafana" / "dashboards").iterdir()}
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        name: text.replace('"http://127.0.0.1:3000"', '"http://10.1.2.3:4000"').replace(
            '"http://127.0.0.1:5050"', '"https://mlflow.example"'
        )
        for name, text in committed.items()
    }
    assert all("http://127.0.0.1:3000" in text and "http://127.0.0.1:5050" in text for text in committed.values())


def moment(said: str) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("first", "now", "shown"),
    [
        ("2023-08-11T18:00", "2023-09-01T18:00", ("2023-08-10T18:00", "2024-07-01T00:00")),
        ("2023-11-17T20:00", "2024-01-12T20:00", ("2023-11-16T20:00", "2024-07-01T00:00")),
        ("2023-11-17T20:00", "2024-06-30T20:00", ("2023-11-16T20:00", "2024-07-01T00:00")),
        ("2023-11-17T20:00", "2024-07-01T00:00", ("2024-07-01T00:00", "2025-07-01T00:00")),
        ("2022-08-05T18:00", "2023-09-01T18:00", ("2023-07-01T00:00", "2024-07-01T00:00")),
    ],
    ids=["its first weeks", "half of it", "its last evening", "a new one in July", "the second of two, in September"],
)
def test_what_is_lived_now_is_a_season_from_its_first_moment_that_was_lived(
    environment: Settings,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    now: str,
    shown: tuple[str, str],
) -> None:
    monkeypatch.setenv("PGTZ", "Pacific/Kiritimati")  # 14 hours ahead: July begins there on 30 June
    know(database, fixture("Chelsea", "Fulham", "2024-08-17 15:00"))
    for as_of in (first, now):
        seal(database, kickoff="2024-08-17 15:00", as_of=moment(as_of))
    season = grafana.season_lived(environment)
    assert season == {end: f"{at}:00.000Z" for end, at in zip(("from", "to"), shown, strict=True)}


def test_the_boards_of_a_replay_open_on_the_season_that_it_lives(environment: Settings, database: Engine) -> None:
    assert grafana.season_lived(environment) is None, "nothing is lived yet"
    know(database, fixture("Chelsea", "Fulham", KICKOFF))
    seal(database)
    season = grafana.season_lived(environment)
    assert season is not None
    grafana.write_boards(environment, season)
    times = {
        path.stem: json.loads(path.read_text())["time"] for path in grafana.boards_folder(environment.home).iterdir()
    }
    assert times.pop("mlops-system") == {"from": "now-7d", "to": "now"}, "that board goes by the clock"
    assert len(times) == 5
    for each in times.values():
        assert each == season


def test_the_boards_of_what_is_live_show_the_latest(environment: Settings, database: Engine) -> None:
    now = datetime.now(timezone.utc)
    know(database, fixture("Chelsea", "Fulham", f"{now + timedelta(days=1):%Y-%m-%d %H:%M}"))
    seal(database, kickoff=f"{now + timedelta(days=1):%Y-%m-%d %H:%M}", as_of=now, replay=False)
    assert grafana.season_lived(environment) is None


def test_a_role_whose_password_the_home_does_not_know_is_said_and_ends_nothing(ready: Settings) -> None:
    home = ready.model_copy(update={"grafana_password": None})
    said = refused(home)
    assert said.startswith(f"not started: {password_file(home.home)} does not exist")
    assert said.endswith("set PL_GRAFANA_PASSWORD to its password")
    password_file(home.home).write_text("of the reader")
    assert started(home)["environment"]["GRAFANA_READER_PASSWORD"] == "of the reader"


def test_a_password_that_the_role_does_not_take_is_said_and_ends_nothing(ready: Settings) -> None:
    wrong = ready.model_copy(update={"grafana_password": SecretStr("wrong")})
    answer = "not started: grafana_reader does not log in with {}: set PL_GRAFANA_PASSWORD to its password"
    assert refused(wrong) == answer.format("PL_GRAFANA_PASSWORD")
    kept = password_file(ready.home)
    kept.write_text("changed since")
    assert refused(ready.model_copy(update={"grafana_password": None})) == answer.format(f"the password in {kept}")


def test_a_port_that_is_taken_is_said_and_ends_nothing(ready: Settings) -> None:
    with socket.create_server(("127.0.0.1", ready.grafana_port)):
        said = refused(ready)
    assert said.startswith(f"not started: port {ready.grafana_port} on 127.0.0.1 is taken by ")
    assert said.endswith("set PL_GRAFANA_PORT to a free port")


def test_a_home_that_cannot_take_the_boards_is_said_and_ends_nothing(ready: Settings) -> None:
    (ready.home / "grafana").write_text("a file where the folder should be")
    assert refused(ready).startswith("not started: its boards cannot be written to")


def test_all_that_the_provisioning_reads_from_the_environment_is_told(tmp_path: Path) -> None:
    files = (PROJECT / "grafana" / "provisioning").rglob("*.yaml")
    read = {name for path in files for name in re.findall(r"\$(GRAFANA_\w+)", path.read_text())}
    assert read == {name for name in told_by_up(tmp_path) if name.startswith("GRAFANA_")}


def test_the_readmes_container_is_told_what_up_tells_but_for_the_images_own_paths(tmp_path: Path) -> None:
    line = (PROJECT / "README.md").read_text().partition("docker run ")[2].partition("grafana/grafana:")[0]
    switches = re.findall(r"^(GF_\w+)=", grafana.SWITCHES.read_text(), re.MULTILINE)
    paths = {name for name in told_by_up(tmp_path) if name.startswith("GF_PATHS_")}
    assert {*re.findall(r"-e (\w+)=", line), *switches} == set(told_by_up(tmp_path)) - paths


@pytest.mark.parametrize(
    ("mode", "encrypted", "told"),
    [
        ("prefer", False, "disable"),
        ("prefer", True, "require"),
        ("allow", True, "require"),
        ("disable", False, "disable"),
        ("require", True, "require"),
        ("verify-ca", True, "verify-ca"),
        ("verify-full", True, "verify-full"),
    ],
)
def test_its_connections_are_as_safe_as_the_platforms_own(mode: str, encrypted: bool, told: str) -> None:
    assert grafana.grafanas_sslmode(mode, encrypted=encrypted) == told


def test_on_a_server_that_encrypts_nothing_its_connections_are_not_encrypted(environment: Settings) -> None:
    assert grafana.sslmode(environment) == "disable"
