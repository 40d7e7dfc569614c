"""The platform's default thresholds, for lines, colours and words; an operator's own stand in Dagster's checks."""

from typing import Any, Final

from pl_predictor.settings import Settings


def _default(name: str) -> Any:
    return Settings.model_fields[name].default


MIN_ACCURACY: Final[float] = _default("min_accuracy")
MIN_F1: Final[float] = _default("min_weighted_f1")
MIN_SKILL: Final[float] = _default("min_skill")
MAX_DRIFT_SHARE: Final[float] = _default("max_drift_share")
MIN_SAMPLE: Final[int] = _default("min_sample")
FORECAST_DUE_HOURS: Final[int] = _default("forecast_due_hours")
