"""Which Grafana is started, and what it is told. No Grafana comes as a package: a program that stands in for it shows
what it was started with."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pl_predictor.core.errors import PredictorError
from pl_predictor.services import grafana
from pl_predictor.services.grafana_reader import password_file
from pl_predictor.services.supervisor import RESTARTS, Supervisor
from pl_predictor.settings import PROJECT, Settings

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


def configured(home: Path, **values: Any) -> Settings:
    known = {"postgres_host": "127.0.0.1", "postgres_port": 54321, "postgres_password": SecretStr("of the platform")}
    return Settings(PL_HOME=home).model_copy(update={**known, **values})


def test_the_server_of_the_folder_that_is_named_is_started(tmp_path: Path, installed: Path) -> None:
    home = str(installed)
    assert grafana.command(configured(tmp_path, grafana=installed)) == [
        *(f"{home}/bin/grafana", "server", "--homepath", home),
    ]


def test_without_a_grafana_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grafana, "USUAL_HOMES", (tmp_path / "nowhere",))
    assert grafana.command(configured(tmp_path)) is None


def test_a_folder_without_grafana_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=rf"PL_GRAFANA={tmp_path} holds no bin/grafana"):
        grafana.command(configured(tmp_path, grafana=tmp_path))


def test_a_role_whose_password_this_home_does_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="set PL_GRAFANA_PASSWORD"):
        grafana.reader_password(configured(tmp_path))
    password_file(tmp_path).write_text("kept")
    assert grafana.reader_password(configured(tmp_path)) == "kept"
    assert grafana.reader_password(configured(tmp_path, grafana_password=SecretStr("chosen"))) == "chosen"


def test_it_is_told_where_everything_is_by_its_environment_and_listens_here_only(
    tmp_path: Path, installed: Path
) -> None:
    (tmp_path / "logs").mkdir()
    settings = configured(tmp_path, grafana=installed)
    command, said = grafana.command(settings), list[str]()
    assert command is not None
    supervisor = Supervisor(tmp_path, {})
    supervisor.start("grafana", command, needed=False, environment=grafana.environment(settings, "of the reader"))
    while not any("keeps ending" in line for line in said):
        supervisor.watch(said.append)
    assert len(said) == RESTARTS + 1, "it is started again, and then left alone: nothing else depends on it"
    told = json.loads(supervisor.log("grafana").read_text().splitlines()[0])
    environment = told["environment"]
    assert environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert environment["GF_SERVER_HTTP_PORT"] == "3001"
    assert environment["GF_PATHS_PROVISIONING"] == str(PROJECT / "grafana" / "provisioning")
    assert environment["GRAFANA_READER_PASSWORD"] == "of the reader"
    assert "of the reader" not in " ".join(told["arguments"])
    for name, value in environment.items():
        if name.startswith("GF_") and ("ANALYTICS" in name or "NEWS" in name):
            assert value == "false", name
