"""The thresholds and windows of the platform, as the launchpad shows them; their defaults are the settings."""

from typing import Any

import dagster as dg

from pl_predictor.resources.launchpad import setting, with_defaults
from pl_predictor.settings import Settings


class Policy(dg.ConfigurableResource[Any]):
    """What is forecast, over which window it is judged, what a check lets pass, and when a forecast is due."""

    forecast_days: int = setting("forecast_days")
    performance_window: int = setting("performance_window")
    drift_window: int = setting("drift_window")
    min_sample: int = setting("min_sample")
    min_accuracy: float = setting("min_accuracy")
    min_weighted_f1: float = setting("min_weighted_f1")
    max_drift_share: float = setting("max_drift_share")
    forecast_due_hours: int = setting("forecast_due_hours")

    @classmethod
    def from_settings(cls, settings: Settings) -> "Policy":
        """The policy that the environment asks for."""
        return with_defaults(
            cls, **{name: getattr(settings, name) for name in cls.model_fields if name in Settings.model_fields}
        )
