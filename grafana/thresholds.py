"""From where on something is wrong, for colours, lines, words and alert rules.

First the platform's own thresholds, by default; an operator's stand in Dagster's checks. Then those of the boards and
rules, which no check of the platform has.
"""

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
PERFORMANCE_WINDOW: Final[int] = _default("performance_window")
SKILL_WINDOW: Final[int] = _default("skill_window")
REFRESH_RESULTS: Final[int] = _default("refresh_results")

STANDARD_ERRORS: Final = 3
"""By which the accuracy must be behind the market's: who looks every week at 95 % sees bad luck in most seasons."""
MAX_BOLDNESS: Final = 0.05
"""Nats a match by which the log loss may exceed what the forecasts expect themselves. The platform's check compares
with the log loss at the promotion, which only MLflow knows; this needs no past, and tells of the same fault."""
MAX_DRAWDOWN: Final = 0.5
"""At a quarter of Kelly's stake a bankroll whose claimed values are true is this far below its peak in 0.8 % of the
time: (1 - MAX_DRAWDOWN) ** (2 / 0.25 - 1), by Thorp (2006), Handbook of Asset and Liability Management 1, chapter 9."""
DRIFT_CHECK_DUE_DAYS: Final = 1
"""It is made every six hours, or with every tick of a replay."""
STUCK_MINUTES: Final = 30
"""Dagster's own run monitoring ends a run after as long (dagster.yaml)."""
DAEMON_SILENCE_SECONDS: Final = 120
"""The daemon writes every 30 s."""
