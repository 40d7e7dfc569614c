"""Every threshold, window, address and environment variable, read once and frozen.

Nothing else in the package reads the environment. A field's alias is the environment variable's name; its description
is the line about it in the README's table of configuration. A wrong value is a `PredictorError` that names it.
"""

from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pl_predictor.core.errors import PredictorError

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout: `dagster.yaml` and `workspace.yaml` are read from here."""

MODEL_NAME = "premier_league_predictor"
"""The registered model in MLflow and `model_name` in every table."""

WINDOWS = ("performance_window", "skill_window", "drift_window")
"""The settings that say how much of the latest a check looks at."""


def _field(variable: str, default: Any, description: str, **limits: Any) -> Any:
    return Field(default, validation_alias=variable, description=description, **limits)


class Settings(BaseSettings):
    """The platform's configuration. `get_settings()` builds it; keywords are the variables' names."""

    # By alias only: a field called `home` would otherwise be read from HOME.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = _field(
        "PL_HOME", PROJECT / ".pl_predictor", "folder for all that the platform keeps: database, models, logs"
    )
    source: str = _field("PL_SOURCE", "snapshot", "where matches come from: snapshot or football-data")
    football_data_url: str | None = _field(
        "PL_FOOTBALL_DATA_URL",
        None,
        "football-data.co.uk's address, or a folder laid out as it; several, separated by spaces, are tried in turn",
    )
    football_data_interval: float = _field(
        "PL_FOOTBALL_DATA_INTERVAL", 1.0, "seconds between two requests to it, at least", ge=0
    )
    new_teams: str | None = _field(
        "PL_NEW_TEAMS", None, "names of teams that were in neither division before, separated by commas"
    )
    as_of: str | None = _field(
        "PL_AS_OF", None, "moment of the replay, UTC (2023-12-29 or 2023-12-29T20:00); unset: the source's own"
    )
    lived_days: int = _field(
        "PL_LIVED_DAYS", 42, "days before its moment that the snapshot lives when the platform first starts", ge=0
    )
    tick_seconds: float = _field(
        "PL_TICK_SECONDS", 60.0, "seconds from one matchweek to the next that it lives then; 0: time stands still", ge=0
    )

    bind: str = _field(
        "PL_BIND",
        "127.0.0.1",
        "address that the web servers of Dagster, MLflow and Grafana listen on; none asks for a login",
    )
    dagster_port: int = _field("PL_DAGSTER_PORT", 3000, "port of the Dagster UI", ge=1, le=65535)
    mlflow_port: int = _field("PL_MLFLOW_PORT", 5050, "port of the MLflow UI", ge=1, le=65535)
    code_server_port: int = _field(
        "PL_CODE_SERVER_PORT", 3030, "port of the code server, on 127.0.0.1 only", ge=1, le=65535
    )
    grafana: Path | None = _field(
        "PL_GRAFANA", None, "folder of the Grafana that `make up` starts; unset: where its packages install it"
    )
    grafana_port: int = _field("PL_GRAFANA_PORT", 3001, "port of Grafana", ge=1, le=65535)
    grafana_alert_url: SecretStr = _field(
        "PL_GRAFANA_ALERT_URL",
        "http://127.0.0.1:9",
        "webhook that Grafana's alerts are sent to; by default nobody listens, and Grafana's own page lists them",
    )
    embedded_postgres_port: int = _field(
        "PL_POSTGRES_PORT", 54320, "port of the embedded PostgreSQL, on 127.0.0.1 only", ge=1, le=65535
    )

    postgres_host: str | None = _field("POSTGRES_HOST", None, "use this PostgreSQL; unset: the platform runs its own")
    postgres_port: int = _field("POSTGRES_PORT", 5432, "its port", ge=1, le=65535)
    postgres_db: str = _field("POSTGRES_DB", "pl_predictor", "database of the platform's tables")
    postgres_user: str = _field(
        "POSTGRES_USER", "postgres", "its user; must be able to create the three databases, or they exist"
    )
    postgres_password: SecretStr = _field("POSTGRES_PASSWORD", SecretStr(""), "its password")
    dagster_db: str = _field("PL_DAGSTER_DB", "dagster", "database of Dagster's runs, events and schedules")
    mlflow_db: str = _field("PL_MLFLOW_DB", "mlflow", "database of MLflow's runs and models")
    mlflow_tracking_uri: str | None = _field("MLFLOW_TRACKING_URI", None, "use this MLflow; unset: the database above")
    grafana_password: SecretStr | None = _field(
        "PL_GRAFANA_PASSWORD", None, "password of Grafana's role; unset: made once and kept in PL_HOME/grafana_password"
    )

    forecast_days: int = _field("PL_FORECAST_DAYS", 10, "forecast the fixtures of this many days ahead", ge=1)
    performance_window: int = _field(
        "PL_PERFORMANCE_WINDOW", 380, "score this many of the latest settled official forecasts", ge=1
    )
    skill_window: int = _field(
        "PL_SKILL_WINDOW", 80, "judge the skill against the market on this many of the latest that have one", ge=1
    )
    drift_window: int = _field(
        "PL_DRIFT_WINDOW", 100, "compare this many of the latest matches with the training window", ge=1
    )
    min_sample: int = _field(
        "PL_MIN_SAMPLE", 50, "fewer settled forecasts, or matches, than this decide no check", ge=1
    )
    min_accuracy: float = _field("PL_MIN_ACCURACY", 0.55, "accuracy of the official forecasts, at least", ge=0, le=1)
    min_weighted_f1: float = _field("PL_MIN_WEIGHTED_F1", 0.50, "their weighted F1, at least", ge=0, le=1)
    min_skill: float = _field(
        "PL_MIN_SKILL", -0.03, "the market's log loss minus their own, nats a match on the same matches, at least"
    )
    max_log_loss_rise: float = _field(
        "PL_MAX_LOG_LOSS_RISE", 0.05, "nats by which their log loss may exceed the model's own at its training", ge=0
    )
    false_alarm_rate: float = _field(
        "PL_FALSE_ALARM_RATE",
        0.05,
        "chance of an ERROR within a season in which the forecasts are as good as the thresholds ask, at most",
        gt=0,
        le=1,
    )
    max_drift_share: float = _field("PL_MAX_DRIFT_SHARE", 0.5, "share of drifted columns, at most", ge=0, le=1)
    forecast_due_hours: int = _field(
        "PL_FORECAST_DUE_HOURS", 24, "a match without a forecast this many hours before kick-off is an alert", ge=1
    )
    alert_urls: SecretStr | None = _field(
        "PL_ALERT_URLS", None, "where alerts are sent, besides the table: Apprise addresses, separated by spaces"
    )

    retrain_on_warnings: bool = _field(
        "PL_RETRAIN_ON_WARNINGS", False, "let a check that fails within noise retrain, too; else only one beyond it"
    )
    retraining_cooldown_days: float = _field(
        "PL_RETRAINING_COOLDOWN_DAYS",
        14.0,
        "days from one decision about who serves to the next training, at least",
        ge=0,
    )
    min_new_results: int = _field(
        "PL_MIN_NEW_RESULTS", 20, "results since the last training that a retraining needs, at least", ge=0
    )
    refresh_results: int = _field(
        "PL_REFRESH_RESULTS",
        150,
        "results that the champion has not seen after which the model is trained again without any failure",
        ge=1,
    )
    promotion_margin: float = _field(
        "PL_PROMOTION_MARGIN",
        0.005,
        "log loss (nats a match) by which a challenger may be worse and be promoted, or must be better by the odds",
        ge=0,
    )

    bet_prices: Literal["best", "consensus"] = _field(
        "PL_BET_PRICES",
        "best",
        "prices that paper bets take: best (the highest of all bookmakers) or consensus (their average)",
    )
    staking: Literal["kelly", "flat"] = _field(
        "PL_STAKING", "kelly", "how stakes are sized: kelly (a fraction of Kelly's) or flat"
    )
    bankroll: float = _field("PL_BANKROLL", 1000.0, "units that the ledger of paper bets begins with", ge=1, le=1e6)
    kelly_fraction: float = _field("PL_KELLY_FRACTION", 0.25, "share of the full Kelly stake", gt=0, le=1)
    flat_stake: float = _field(
        "PL_FLAT_STAKE", 0.01, "a flat stake, as a share of the bankroll that the ledger began with", gt=0, le=0.05
    )
    max_stake: float = _field("PL_MAX_STAKE", 0.05, "a stake's largest share of the bankroll", gt=0, le=0.05)
    min_edge: float = _field(
        "PL_MIN_EDGE", 0.02, "claimed value that a bet needs: probability times odds, minus 1", gt=0
    )
    min_confidence: float = _field(
        "PL_MIN_CONFIDENCE", 0.30, "probability that the outcome needs to be bet on", ge=0, le=1
    )

    @field_validator("bankroll", mode="after")
    @classmethod
    def _whole_hundredths(cls, bankroll: float) -> float:
        if round(bankroll, 2) != bankroll:
            raise ValueError("money is in units to the hundredth")
        return bankroll

    @field_validator("home", "grafana", mode="after")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        return None if folder is None else folder.expanduser().absolute()

    @field_validator("football_data_url", mode="after")
    @classmethod
    def _sites_or_one_folder(cls, value: str | None) -> str | None:
        if value is None or value.startswith(("http://", "https://")):
            return value
        return str(Path(value.removeprefix("file://")).expanduser().absolute())

    @field_validator("mlflow_tracking_uri", mode="after")
    @classmethod
    def _server_or_database(cls, address: str | None) -> str | None:
        if address is not None and not address.startswith(("http://", "https://", "postgresql")):
            raise ValueError("MLflow is reached by http://, https:// or postgresql+psycopg2://")
        return address

    @model_validator(mode="after")
    def _windows_that_can_judge(self) -> "Settings":
        require_windows_that_can_judge(self, lambda name: str(type(self).model_fields[name].validation_alias))
        return self

    @property
    def own_mlflow_server(self) -> bool:
        """True where the platform runs MLflow's UI itself, on the database."""
        return self.tracking_uri.startswith("postgresql")

    @property
    def embedded(self) -> bool:
        """True where the platform runs its own PostgreSQL."""
        return self.postgres_host is None

    def database_url(self, database: str) -> str:
        """SQLAlchemy URL of a database on the server; the embedded one's address is set once it runs."""
        user, password = quote(self.postgres_user, safe=""), quote(self.postgres_password.get_secret_value(), safe="")
        server = f"{self.postgres_host}:{self.postgres_port}"
        return f"postgresql+psycopg2://{user}:{password}@{server}/{quote(database, safe='')}"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address; by default PostgreSQL itself: nothing waits for MLflow's server."""
        return self.mlflow_tracking_uri or self.database_url(self.mlflow_db)

    @property
    def dagster_url(self) -> str:
        """Address of the Dagster UI for a browser."""
        return f"http://{_reachable(self.bind)}:{self.dagster_port}"

    @property
    def grafana_url(self) -> str:
        """Address of Grafana for a browser."""
        return f"http://{_reachable(self.bind)}:{self.grafana_port}"

    @property
    def mlflow_url(self) -> str:
        """Address of the MLflow UI for a browser."""
        if self.mlflow_tracking_uri and self.mlflow_tracking_uri.startswith("http"):
            return without_user(self.mlflow_tracking_uri).rstrip("/")
        return f"http://{_reachable(self.bind)}:{self.mlflow_port}"

    def environment(self) -> dict[str, str]:
        """What `dagster.yaml`, `workspace.yaml` and the processes of the platform read from the environment."""
        return {
            "PL_HOME": str(self.home),
            "PL_SOURCE": self.source,
            **({"PL_AS_OF": self.as_of} if self.as_of else {}),
            **({"PL_FOOTBALL_DATA_URL": self.football_data_url} if self.football_data_url else {}),
            "PL_FOOTBALL_DATA_INTERVAL": str(self.football_data_interval),
            **({"PL_NEW_TEAMS": self.new_teams} if self.new_teams else {}),
            "PL_DAGSTER_FOLDER": str(self.home / "dagster"),
            "PL_CODE_SERVER_PORT": str(self.code_server_port),
            "POSTGRES_HOST": str(self.postgres_host),
            "POSTGRES_PORT": str(self.postgres_port),
            "POSTGRES_DB": self.postgres_db,
            "POSTGRES_USER": self.postgres_user,
            "POSTGRES_PASSWORD": self.postgres_password.get_secret_value(),
            **({"PL_ALERT_URLS": self.alert_urls.get_secret_value()} if self.alert_urls else {}),
            "PL_DAGSTER_DB": self.dagster_db,
            "PL_MLFLOW_DB": self.mlflow_db,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "DAGSTER_HOME": str(PROJECT),
            # Dagster, MLflow and Evidently each report usage unless told not to.
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "EVIDENTLY_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
            # Here and not on the command line of MLflow's server, where everybody could read the password. Its jobs
            # are processes of their own that nothing here uses.
            "MLFLOW_BACKEND_STORE_URI": self.tracking_uri,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_LOGGING_LEVEL": "WARNING",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            # stdout is for results: --json would not be JSON
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            # MLflow's own retries go on for minutes before a dead server is an error.
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        }


def require_windows_that_can_judge(values: Any, called: Callable[[str], str]) -> None:
    """PredictorError where one of WINDOWS is less than `min_sample`: too few to judge by, its checks would always pass.

    values: has both as attributes. called: the name by which a person set the attribute of that name.
    """
    sample = values.min_sample
    for name in WINDOWS:
        size = getattr(values, name)
        if size < sample:
            window, least = called(name), called("min_sample")
            raise PredictorError(
                f"{window}={size} is less than {least}={sample}, so that its checks could never judge: set {window} to "
                f"{sample} or more, or {least} to {size} or less"
            )


def without_user(address: str) -> str:
    """The address as everybody may read it: no user and no password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _reachable(bind: str) -> str:
    return "127.0.0.1" if bind in {"0.0.0.0", "::"} else bind


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read from the environment on the first call."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise PredictorError(
            f"{first['loc'][0]}={first['input']!r} is not usable: {first['msg']}; see the table in README.md"
        ) from None


def parse_as_of(text: str, name: str = "PL_AS_OF") -> datetime:
    """A date or time as UTC: '2023-12-29' is its first moment; an offset is honoured, none means UTC."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise PredictorError(f"{name}={text!r} is not a date: write 2023-12-29 or 2023-12-29T20:00 (UTC)") from None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
