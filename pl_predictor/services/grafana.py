"""Grafana beside the platform: where it is installed, and how it starts with the repository's provisioning.

Grafana is a program of its own that no Python package brings. Where there is none, nothing else depends on it. What it
shows is in the folder `grafana` of the checkout; what it reads, it reads as the role `grafana_reader`.
"""

import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2.extensions
from sqlalchemy import text

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.grafana_reader import (
    PASSWORD_VARIABLE,
    READER,
    connected,
    kept_secret,
    logs_in,
    password_file,
)
from pl_predictor.services.ports import require_free_port
from pl_predictor.services.supervisor import Supervisor
from pl_predictor.settings import PROJECT, Settings

FOLDER = PROJECT / "grafana"
SWITCHES = FOLDER / "server.env"
"""How any Grafana of ours is, as `docker run --env-file` reads it, too."""
USUAL_HOMES = (Path("/usr/share/grafana"), Path("/opt/homebrew/share/grafana"), Path("/usr/local/share/grafana"))
EDGES_OF_THE_RECORD = """
    SELECT min(as_of), max(as_of), (
        SELECT replay FROM (
            (SELECT replay, timestamp FROM model_predictions ORDER BY id DESC LIMIT 1)
            UNION ALL (SELECT replay, timestamp FROM retraining_events ORDER BY id DESC LIMIT 1)
        ) work ORDER BY timestamp DESC LIMIT 1
    )
    FROM (SELECT as_of FROM model_predictions UNION ALL SELECT as_of FROM model_metrics) record
"""
HOW_TO_GET_ONE = (
    "not installed here: get it from https://grafana.com/grafana/download (12.3 or later), and set PL_GRAFANA to the "
    "folder that it was unpacked into"
)


def command(settings: Settings) -> list[str] | None:
    """How to start the server of the Grafana that is installed; None where there is none.

    PredictorError where PL_GRAFANA names a folder that does not hold one.
    """
    homes = USUAL_HOMES if settings.grafana is None else (settings.grafana,)
    for home in homes:
        program = home / "bin" / "grafana"
        found = shutil.which(str(program)) or (shutil.which("grafana") if home in USUAL_HOMES else None)
        if home.is_dir() and found:
            # Not the file of a Grafana that is in use already, whose database it would provision.
            return [found, "server", "--homepath", str(home), "--config", str(config_file(settings.home))]
    if settings.grafana is not None:
        raise PredictorError(
            f"PL_GRAFANA={settings.grafana} holds no bin/grafana: name the folder that Grafana was unpacked into, or "
            "unset it"
        )
    return None


def reader_password(settings: Settings) -> str:
    """The password of `grafana_reader`: that of PL_GRAFANA_PASSWORD, else the one that this home keeps."""
    if settings.grafana_password is not None:
        return settings.grafana_password.get_secret_value()
    kept = password_file(settings.home)
    if not kept.exists():
        raise PredictorError(
            f"{kept} does not exist, so that the role {READER}, if there is one, is another home's or an "
            "administrator's: set PL_GRAFANA_PASSWORD to its password"
        )
    return kept.read_text()


def start(settings: Settings, server: list[str] | None, supervisor: Supervisor) -> str:
    """Start the server, if there is one (`command`); returns its address, or why there is none.

    settings: with the address of the PostgreSQL that runs. What keeps Grafana from starting keeps nothing else.
    """
    if server is None:
        return HOW_TO_GET_ONE
    try:
        require_free_port(settings.grafana_port, "PL_GRAFANA_PORT", settings.bind)
        if not logs_in(settings, password := reader_password(settings)):
            raise PredictorError(
                f"{READER} does not log in with {_which_password(settings)}: set {PASSWORD_VARIABLE} to its password"
            )
        told = environment(
            settings,
            reader_password=password,
            admin_password=kept_secret(admin_password_file(settings.home)),
            sslmode=sslmode(settings),
        )
        write_boards(settings, season_lived(settings))
    except PredictorError as error:
        return f"not started: {error}"
    supervisor.start("grafana", server, needed=False, environment=_without_secrets(settings) | told)
    return f"{settings.grafana_url} (some seconds more)"


def _which_password(settings: Settings) -> str:
    return (
        PASSWORD_VARIABLE
        if settings.grafana_password is not None
        else f"the password in {password_file(settings.home)}"
    )


def _without_secrets(settings: Settings) -> dict[str, str]:
    """This process's environment without any configuration of the platform."""
    ours = {field.validation_alias for field in Settings.model_fields.values()} | set(settings.environment())
    return {name: value for name, value in os.environ.items() if name not in ours}


def config_file(home: Path) -> Path:
    """The configuration of a home's Grafana, empty: the environment says all."""
    return home / "grafana" / "grafana.ini"


def admin_password_file(home: Path) -> Path:
    """Where a home keeps the password of its Grafana's user `admin`, as it was at Grafana's first start."""
    return home / "grafana_admin_password"


def boards_folder(home: Path) -> Path:
    """Where the boards are that a home's Grafana shows."""
    return home / "grafana" / "dashboards"


def season_lived(settings: Settings) -> dict[str, str] | None:
    """Of a replay, in Grafana's words: the season that it lives now, from the first moment lived on; None of what is
    live, or has no record."""
    with connected(settings, settings.postgres_db) as connection:
        first, last, replay = connection.execute(text(EDGES_OF_THE_RECORD)).one()
    if not replay:
        return None
    now = last.astimezone(timezone.utc)
    season = now.year - (now.month < 7)
    begins, ends = (datetime(year, 7, 1, tzinfo=timezone.utc) for year in (season, season + 1))
    shown = {"from": max(first - timedelta(hours=24), begins), "to": ends}
    return {end: f"{at.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.000Z}" for end, at in shown.items()}


def write_boards(settings: Settings, shown: dict[str, str] | None) -> None:
    """Write the boards of the checkout into the home, with links that lead to this platform's Dagster and MLflow.

    shown: the time that those with a record open on, if it is not the latest (`season_lived`).
    """
    addresses = {"dagster_url": settings.dagster_url, "mlflow_url": settings.mlflow_url}
    folder = boards_folder(settings.home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config_file(settings.home).touch()
        for path in folder.glob("*.json"):
            path.unlink()
        for path in (FOLDER / "dashboards").glob("*.json"):
            board = json.loads(path.read_text())
            for variable in board["templating"]["list"]:
                variable["query"] = addresses.get(variable["name"], variable["query"])
                if shown is not None and variable["name"] == "record_from":
                    board["time"] = shown
            (folder / path.name).write_text(json.dumps(board, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise PredictorError(f"its boards cannot be written to {folder} ({error}): make the home writable") from error


def sslmode(settings: Settings) -> str:
    """How the platform's own connections to PostgreSQL are encrypted, in Grafana's words."""
    with connected(settings, settings.postgres_db) as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg2.extensions.connection), "it is psycopg2's"
        return grafanas_sslmode(raw.info.dsn_parameters["sslmode"], encrypted=raw.info.ssl_in_use)


def grafanas_sslmode(mode: str, *, encrypted: bool) -> str:
    """libpq's `allow` and `prefer`, which Grafana lacks, are as good as what they came to."""
    return ("require" if encrypted else "disable") if mode in {"allow", "prefer"} else mode


def environment(settings: Settings, *, reader_password: str, admin_password: str, sslmode: str) -> dict[str, str]:
    """What Grafana's server and the provisioning in `grafana` read from the environment.

    settings: with the address of the PostgreSQL that runs. Viewers need no login on the address that it listens on; it
    phones nobody: see SWITCHES.
    """
    folder, boards = settings.home / "grafana", boards_folder(settings.home)
    lines = [line for line in SWITCHES.read_text().splitlines() if line and not line.startswith("#")]
    server = {
        "GF_SERVER_HTTP_ADDR": settings.bind,
        "GF_SERVER_HTTP_PORT": str(settings.grafana_port),
        "GF_SERVER_ROOT_URL": settings.grafana_url,
        "GF_SECURITY_ADMIN_PASSWORD": admin_password,
        "GF_PATHS_DATA": str(folder),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(FOLDER / "provisioning"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(boards / "mlops-overview.json"),
    }
    provisioning = {
        "GRAFANA_DASHBOARDS": str(boards),
        "GRAFANA_DB_HOST": str(settings.postgres_host),
        "GRAFANA_DB_PORT": str(settings.postgres_port),
        "GRAFANA_DB_NAME": settings.postgres_db,
        "GRAFANA_DB_SSLMODE": sslmode,
        "GRAFANA_DAGSTER_DB": settings.dagster_db,
        "GRAFANA_READER_PASSWORD": reader_password,
        "GRAFANA_ALERT_URL": settings.grafana_alert_url.get_secret_value(),
    }
    return dict(line.split("=", 1) for line in lines) | server | provisioning
