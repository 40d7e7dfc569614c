"""Grafana beside the platform: where it is installed, and how it starts with the repository's provisioning.

Grafana is a program of its own that no Python package brings. Where there is none, nothing else depends on it. What it
shows is in the folder `grafana` of the checkout; what it reads, it reads as the role `grafana_reader`.
"""

import shutil
from pathlib import Path

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.grafana_reader import READER, password_file
from pl_predictor.settings import PROJECT, Settings

FOLDER = PROJECT / "grafana"
USUAL_HOMES = (Path("/usr/share/grafana"), Path("/opt/homebrew/share/grafana"), Path("/usr/local/share/grafana"))
HOW_TO_GET_ONE = (
    "not installed here: get it from https://grafana.com/grafana/download (12.3 or later), and set PL_GRAFANA to its "
    "folder if it is unpacked anywhere else than usual"
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
            return [found, "server", "--homepath", str(home)]
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
            f"Grafana cannot log in: {kept} does not exist, so that the role {READER} is another home's or "
            "administrator's; set PL_GRAFANA_PASSWORD to its password"
        )
    return kept.read_text()


def environment(settings: Settings, reader_password: str) -> dict[str, str]:
    """What Grafana's server and the provisioning in `grafana` read from the environment.

    settings: with the address of the PostgreSQL that runs. Viewers need no login on the address that it listens on; it
    phones nobody.
    """
    folder = settings.home / "grafana"
    server = {
        "GF_SERVER_HTTP_ADDR": settings.bind,
        "GF_SERVER_HTTP_PORT": str(settings.grafana_port),
        "GF_PATHS_DATA": str(folder),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_PATHS_PROVISIONING": str(FOLDER / "provisioning"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(FOLDER / "dashboards" / "mlops-overview.json"),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
    }
    provisioning = {
        "GRAFANA_DB_HOST": str(settings.postgres_host),
        "GRAFANA_DB_PORT": str(settings.postgres_port),
        "GRAFANA_DB_NAME": settings.postgres_db,
        "GRAFANA_DAGSTER_DB": settings.dagster_db,
        "GRAFANA_READER_PASSWORD": reader_password,
        "GRAFANA_ALERT_URL": settings.grafana_alert_url,
    }
    return server | provisioning
