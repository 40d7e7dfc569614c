"""What the verdicts on a model's forecasts rest on: scores with intervals, and with bounds that hold at every look.

Here: over which forecasts each score is taken, and the bounds. Not here: how scores are computed (core/scoring.py),
thresholds and verdicts (core/verdicts.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pandas as pd

from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import METRICS, RESAMPLES, Score, scorecard
from pl_predictor.core.sequential import SHARES, alpha_of_a_check, anytime_multiplier

SKILL, SKILL_EXPECTED = "log_loss_skill", "log_loss_skill_expected"
RECENT: Final = {SKILL: "log_loss_skill_recent", SKILL_EXPECTED: "log_loss_skill_expected_recent"}
"""The skill against the market over the latest forecasts that have one: old ones would hide for months what changed."""
JUDGED: Final = ("accuracy", "f1_weighted", "log_loss")
"""The metrics that a verdict rests on, beside the RECENT ones."""


@dataclass(frozen=True)
class Evidence(Score):
    """A score as verdicts see it: with one-sided bounds.

    anytime_low, anytime_high: with a chance of 1 - alpha the truth is below anytime_low at no look at all, and with the
    same chance above anytime_high at none. None without a standard error.
    """

    alpha: float | None
    anytime_low: float | None
    anytime_high: float | None

    @property
    def facts(self) -> dict[str, Any]:
        """What is stored beside metric and value: `model_metrics.metadata`."""
        return {name: fact for name, fact in asdict(self).items() if name not in {"metric", "value"}}

    @classmethod
    def of(cls, metric: str, value: float, facts: Mapping[str, Any]) -> "Evidence":
        """The same from `facts`; a row that was stored without bounds has none, as one of few match days."""
        names = ("low", "high", "standard_error", "alpha", "anytime_low", "anytime_high")
        return cls(metric, float(value), int(facts["n"]), **{name: facts.get(name) for name in names})


def evidence(
    settled: pd.DataFrame,
    *,
    skill_window: int,
    false_alarm_rate: float,
    window: int,
    resamples: int = RESAMPLES,
    wanted: Collection[str] = tuple(METRICS),
) -> list[Evidence]:
    """The `wanted` METRICS of the latest `window` forecasts, and the RECENT ones of the latest `skill_window` that have
    a market, each with bounds that share `false_alarm_rate` a season; an empty list without a result.

    settled: a forecast frame with MARKET and known results, in the order of the kick-offs.
    """
    scores = scorecard(settled.tail(window), resamples=resamples, wanted=wanted)
    priced = settled[settled[list(MARKET)].notna().all(axis=1)].tail(skill_window)
    recent = scorecard(priced, resamples=resamples, wanted=tuple(RECENT)) if len(priced) else []
    long_alpha = alpha_of_a_check(false_alarm_rate, window, SHARES["score"])
    short_alpha = alpha_of_a_check(false_alarm_rate, skill_window, SHARES["skill"])
    return [
        *(_bounded(score, score.metric, long_alpha) for score in scores),
        *(_bounded(score, RECENT[score.metric], short_alpha) for score in recent),
    ]


def _bounded(score: Score, name: str, alpha: float) -> Evidence:
    error = score.standard_error
    margin = None if error is None else anytime_multiplier(score.n, alpha) * error
    return Evidence(
        **{**vars(score), "metric": name},
        alpha=alpha,
        anytime_low=None if margin is None else score.value - margin,
        anytime_high=None if margin is None else score.value + margin,
    )
