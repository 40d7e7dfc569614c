"""The thresholds and windows of the platform, as the launchpad shows them; their defaults are the settings."""

from typing import Any

import dagster as dg
from pydantic import Field

from pl_predictor.resources.launchpad import with_defaults
from pl_predictor.settings import Settings

_FIELDS = Settings.model_fields


def _setting(name: str) -> Any:
    return Field(description=_FIELDS[name].description)


class Policy(dg.ConfigurableResource[Any]):
    """What is forecast, over which window it is judged, and what a check lets pass."""

    forecast_days: int = _setting("forecast_days")
    performance_window: int = _setting("performance_window")
    drift_window: int = _setting("drift_window")
    min_sample: int = _setting("min_sample")
    min_accuracy: float = _setting("min_accuracy")
    min_weighted_f1: float = _setting("min_weighted_f1")
    max_drift_share: float = _setting("max_drift_share")

    @classmethod
    def from_settings(cls, settings: Settings) -> "Policy":
        """The policy that the environment asks for."""
        return with_defaults(cls, **{name: getattr(settings, name) for name in cls.model_fields if name in _FIELDS})
