"""Which Grafana is started, and what it is told. No Grafana comes as a package: a program that stands in for it shows
what it was started with."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import grafana
from pl_predictor.services.grafana_reader import password_file
from pl_predictor.services.supervisor import RESTARTS, Supervisor
from pl_predictor.settings import PROJECT, Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.frames import fixture
from pl_predictor_tests.storage.ledgers import KICKOFF, know, seal

STAND_IN = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}), flush=True)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder laid out as Grafana's archive, with a program that tells how it was started and ends."""
    program = tmp_path / "grafana" / "bin" / "grafana"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return program.parent.parent


@pytest.fixture
def database(environment: Settings) -> Iterator[Engine]:
    engine = open_engine(environment.database_url(environment.postgres_db))
    yield engine
    engine.dispose()


def configured(home: Path, **values: Any) -> Settings:
    return Settings(PL_HOME=home).model_copy(update=values)


def test_the_server_of_the_folder_that_is_named_is_started(tmp_path: Path, installed: Path) -> None:
    home = str(installed)
    assert grafana.command(configured(tmp_path, grafana=installed)) == [
        *(f"{home}/bin/grafana", "server", "--homepath", home),
    ]


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


def started(settings: Settings) -> dict[str, Any]:
    """Start the stand-in, and wait for what it says that it was started with."""
    supervisor, said = Supervisor(settings.home, {}), list[str]()
    assert grafana.start(settings, grafana.command(settings), supervisor) == settings.grafana_url
    while not any("keeps ending" in line for line in said):
        supervisor.watch(said.append)
    assert len(said) == RESTARTS + 1, "it is started again, and then left alone: nothing else depends on it"
    told: dict[str, Any] = json.loads(supervisor.log("grafana").read_text().splitlines()[0])
    return told


def told_by_up(home: Path) -> dict[str, str]:
    return grafana.environment(configured(home), reader_password="r", admin_password="a", sslmode="disable")


def test_all_that_it_is_told(environment: Settings, installed: Path) -> None:
    of = {"grafana": installed, "grafana_password": SecretStr("of the reader"), "bind": "0.0.0.0", "grafana_port": 3999}
    settings = environment.model_copy(update=of)
    told, home = started(settings), settings.home
    assert {name: value for name, value in told["environment"].items() if name.startswith(("GF_", "GRAFANA_"))} == {
        "GF_SERVER_HTTP_ADDR": "0.0.0.0",
        "GF_SERVER_HTTP_PORT": "3999",
        "GF_SERVER_ROOT_URL": "http://127.0.0.1:3999",
        "GF_PATHS_DATA": f"{home}/grafana",
        "GF_PATHS_LOGS": f"{home}/grafana/logs",
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
        "GRAFANA_DASHBOARDS": f"{home}/grafana/dashboards",
        "GRAFANA_DB_HOST": settings.postgres_host,
        "GRAFANA_DB_PORT": str(settings.postgres_port),
        "GRAFANA_DB_NAME": settings.postgres_db,
        "GRAFANA_DB_SSLMODE": "disable",
        "GRAFANA_DAGSTER_DB": settings.dagster_db,
        "GRAFANA_READER_PASSWORD": "of the reader",
        "GRAFANA_ALERT_URL": "http://127.0.0.1:9",
    }
    assert told["arguments"] == ["server", "--homepath", str(installed)], "no password: everybody could read it here"


def test_its_admin_has_a_password_that_nobody_knows_and_the_home_keeps(environment: Settings, installed: Path) -> None:
    settings = environment.model_copy(update={"grafana": installed, "grafana_password": SecretStr("of the reader")})
    first, second = (started(settings)["environment"]["GF_SECURITY_ADMIN_PASSWORD"] for _ in range(2))
    assert first == second
    assert len(first) >= 40
    assert grafana.admin_password_file(settings.home).stat().st_mode & 0o777 == 0o600


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


def test_the_boards_of_a_replay_open_on_the_season_that_it_lives(environment: Settings, database: Engine) -> None:
    assert grafana.season_lived(environment) is None
    moment = datetime(2024, 1, 12, 20, tzinfo=timezone.utc)
    know(database, fixture("Chelsea", "Fulham", KICKOFF))
    seal(database, as_of=moment)
    season = grafana.season_lived(environment)
    assert season == {"from": "2024-01-11T20:00:00.000Z", "to": "2024-07-01T00:00:00.000Z"}
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


def test_a_role_whose_password_the_home_does_not_know_is_said_and_ends_nothing(
    environment: Settings, installed: Path
) -> None:
    settings = environment.model_copy(update={"grafana": installed})
    supervisor = Supervisor(settings.home, {})
    said = grafana.start(settings, grafana.command(settings), supervisor)
    assert said.startswith(f"not started: {password_file(settings.home)} does not exist")
    assert said.endswith("set PL_GRAFANA_PASSWORD to its password")
    assert "\n" not in said
    assert not supervisor.log("grafana").exists()
    password_file(settings.home).write_text("kept")
    assert started(settings)["environment"]["GRAFANA_READER_PASSWORD"] == "kept"


def test_a_home_that_cannot_take_the_boards_is_said_and_ends_nothing(environment: Settings, installed: Path) -> None:
    settings = environment.model_copy(update={"grafana": installed, "grafana_password": SecretStr("of the reader")})
    (settings.home / "grafana").write_text("a file where the folder should be")
    said = grafana.start(settings, grafana.command(settings), Supervisor(settings.home, {}))
    assert said.startswith("not started: its boards cannot be written to")


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
