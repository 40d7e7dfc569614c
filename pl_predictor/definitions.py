"""Everything Dagster sees, wired together. Tests and other deployments override single resources."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from pl_predictor import checks, jobs, quality_checks, schedules, sensors
from pl_predictor.assets import (
    bet_ledger,
    betting_performance,
    champion,
    drift_report,
    features,
    fixtures,
    market_edges,
    matches,
    performance_metrics,
    predictions,
    season_backtest,
    trained_model,
)
from pl_predictor.resources.alert_channel import AlertChannel
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.settings import get_settings

ASSETS = [
    *(matches, fixtures, features, trained_model, champion, predictions),
    *(performance_metrics, drift_report),
    *(market_edges, bet_ledger, betting_performance),
    season_backtest,
]


def build_defs(
    resources: Mapping[str, Any] | None = None, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """The definitions, with `resources` in place of those of the same key (feed, postgres, registry, policy,
    alerts)."""
    settings = get_settings()
    defaults = {
        "feed": MatchFeed.from_settings(settings),
        # Read when a run starts: the launchpad shows the variables' names and not the password.
        "postgres": Postgres(
            host=dg.EnvVar("POSTGRES_HOST"),
            port=dg.EnvVar.int("POSTGRES_PORT"),
            database=dg.EnvVar("POSTGRES_DB"),
            user=dg.EnvVar("POSTGRES_USER"),
            password=dg.EnvVar("POSTGRES_PASSWORD"),
        ),
        "registry": ModelRegistry(
            tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI"),
            artifact_folder=str(settings.home / "mlflow"),
            ui_url=settings.mlflow_url,
        ),
        "policy": Policy.from_settings(settings),
        "alerts": AlertChannel(urls=dg.EnvVar("PL_ALERT_URLS")) if settings.alert_urls else AlertChannel(),
    }
    return dg.Definitions(
        assets=dg.load_assets_from_modules(ASSETS),
        asset_checks=dg.load_asset_checks_from_modules([checks, quality_checks, bet_ledger]),
        jobs=jobs.JOBS,
        schedules=schedules.SCHEDULES,
        sensors=sensors.SENSORS,
        executor=dg.in_process_executor,
        resources={**defaults, **(resources or {})},
        loggers={"console": dg.colored_console_logger, **(loggers or {})},
    )


defs = build_defs()
