"""The checks of how good the model that serves is: the numbers of its latest scoring, and the verdicts on them.

Thin: the rules are core/verdicts.py, the thresholds the policy's. Every result carries as plain values: value,
threshold, n, low, high, the bound that was compared with the threshold (where one was), model_version, as_of; what is
unknown is left out. Checks of the feed and the features are in checks.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import dagster as dg

from pl_predictor.assets.drift_report import drift_report
from pl_predictor.assets.performance_metrics import performance_metrics
from pl_predictor.core import verdicts
from pl_predictor.core.evidence import RECENT, SKILL, SKILL_EXPECTED, Evidence
from pl_predictor.core.verdicts import Verdict
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry, ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.metrics import EARLIEST, MetricsStorage

Metric = Mapping[str, Any]
"""A row of model_metrics: value, metadata, as_of."""


@dataclass(frozen=True)
class Look:
    """Whose numbers are judged, and when."""

    version: ModelVersion
    as_of: datetime

    @classmethod
    def now(cls, context: dg.AssetCheckExecutionContext, feed: MatchFeed, registry: ModelRegistry) -> "Look":
        """A look at the model that serves at the moment of the run."""
        as_of = feed.moment(context).as_of
        return cls(registry.serving(as_of), as_of)

    def latest(self, storage: MetricsStorage, metric_type: str) -> Metric | None:
        """The version's newest metric of that type."""
        found = storage.get_metrics_by_date_range(EARLIEST, self.as_of, metric_type, self.version.version)
        return None if found.empty else dict(found.iloc[-1])

    def scores(self, storage: MetricsStorage) -> dict[str, Metric]:
        """The metrics of the version's newest scoring; one that did not exist then is absent, whatever was before."""
        newest = self.latest(storage, "log_loss")
        if newest is None:
            return {}
        moment = newest["as_of"]
        found = storage.get_metrics_by_date_range(moment, moment, None, self.version.version)
        return {str(row["metric_type"]): dict(row) for _, row in found.iterrows()}

    def result(
        self, verdict: Verdict, metric: Metric | None, threshold: float | None, **more: Any
    ) -> dg.AssetCheckResult:
        """A verdict on a metric as Dagster shows it."""
        shown: dict[str, Any] = {"n": 0, "threshold": threshold, "anytime_bound": verdict.bound}
        shown |= {"model_version": self.version.version, "as_of": self.as_of.isoformat()}
        if metric is not None:
            shown |= {"value": float(metric["value"]), **metric["metadata"], "as_of": metric["as_of"].isoformat()}
        return dg.AssetCheckResult(
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.WARN if verdict.severity == "WARN" else dg.AssetCheckSeverity.ERROR,
            description=verdict.words,
            metadata={name: value for name, value in {**shown, **more}.items() if value is not None},
        )


def judge_score(look: Look, metric: Metric | None, threshold: float, min_sample: int) -> dg.AssetCheckResult:
    """The verdict on a score that should be at least `threshold`."""
    verdict = verdicts.at_least(_evidence(metric), threshold, min_sample)
    return look.result(verdict, metric, threshold)


def judge_log_loss(
    look: Look, metric: Metric | None, at_promotion: float | None, rise: float, min_sample: int
) -> dg.AssetCheckResult:
    """The verdict on a log loss that should be at most `rise` over `at_promotion`."""
    verdict = verdicts.near_promotion(_evidence(metric), at_promotion, rise, min_sample)
    reference = {} if at_promotion is None else {"at_promotion": at_promotion}
    return look.result(verdict, metric, None if at_promotion is None else at_promotion + rise, **reference)


def judge_skill(
    look: Look, realised: Metric | None, expected: Metric | None, threshold: float, min_sample: int
) -> dg.AssetCheckResult:
    """The verdict on the skill against the market over the latest forecasts, which should be at least `threshold`."""
    verdict = verdicts.skill(_evidence(realised), _evidence(expected), threshold, min_sample)
    shown = {} if expected is None else {"expected": float(expected["value"])}
    return look.result(verdict, realised, threshold, **shown)


def judge_drift(look: Look, metric: Metric | None, threshold: float, min_sample: int) -> dg.AssetCheckResult:
    """The verdict on a share of drifted columns, at most `threshold`."""
    if metric is None:
        return look.result(Verdict(True, None, "too few matches to compare: nothing to judge"), None, threshold)
    facts = metric["metadata"]
    verdict = verdicts.drift(
        float(metric["value"]),
        columns=facts["columns"],
        n=facts["n"],
        reference_n=facts["reference_n"],
        threshold=threshold,
        min_sample=min_sample,
    )
    return look.result(verdict, metric, threshold, report=dg.MetadataValue.url(facts["report"]))


def _evidence(metric: Metric | None) -> Evidence | None:
    return None if metric is None else Evidence.of("", metric["value"], metric["metadata"])


OF_FORECASTS: Final = {
    "accuracy_above_threshold": (
        "The champion's official forecasts name the result at least as often as the threshold asks (PL_MIN_ACCURACY)."
    ),
    "weighted_f1_above_threshold": (
        "Their weighted F1, low for a forecaster that never says draw, is at least the threshold (PL_MIN_WEIGHTED_F1)."
    ),
    "skill_against_the_market_above_threshold": (
        "Over the latest matches their log loss exceeds the market's by no more than the threshold lets it: "
        "PL_MIN_SKILL."
    ),
    "log_loss_near_that_at_promotion": (
        "Their log loss is near that of the walk-forward at the champion's training (PL_MAX_LOG_LOSS_RISE)."
    ),
}
"""What the scores of the champion's official forecasts must keep: check name to claim."""


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset=performance_metrics, description=says) for name, says in OF_FORECASTS.items()],
    can_subset=True,  # so that a person can execute them one by one, without the asset
)
def forecast_quality(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> Iterator[dg.AssetCheckResult]:
    """The verdicts on one scoring, whose rows are read once."""
    look = Look.now(context, feed, registry)
    scores, at_promotion = look.scores(postgres.metrics), registry.metrics(look.version)
    for name, result in judge_forecasts(look, scores, at_promotion, policy).items():
        if dg.AssetCheckKey(performance_metrics.key, name) in context.selected_asset_check_keys:
            yield result._replace(check_name=name, asset_key=performance_metrics.key)


def judge_forecasts(
    look: Look, scores: Mapping[str, Metric], at_promotion: Mapping[str, float], policy: Policy
) -> dict[str, dg.AssetCheckResult]:
    """The verdict on each of OF_FORECASTS. scores: Look.scores; at_promotion: the metrics of the version's training."""
    n, rise, log_loss_then = policy.min_sample, policy.max_log_loss_rise, at_promotion.get("log_loss")
    realised, expected = scores.get(RECENT[SKILL]), scores.get(RECENT[SKILL_EXPECTED])
    return {
        "accuracy_above_threshold": judge_score(look, scores.get("accuracy"), policy.min_accuracy, n),
        "weighted_f1_above_threshold": judge_score(look, scores.get("f1_weighted"), policy.min_weighted_f1, n),
        "skill_against_the_market_above_threshold": judge_skill(look, realised, expected, policy.min_skill, n),
        "log_loss_near_that_at_promotion": judge_log_loss(look, scores.get("log_loss"), log_loss_then, rise, n),
    }


@dg.asset_check(asset=drift_report)
def drift_share_below_threshold(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.AssetCheckResult:
    """At most this share of columns drifted from the champion's training window (PL_MAX_DRIFT_SHARE)."""
    look = Look.now(context, feed, registry)
    found = look.latest(postgres.metrics, "drift_share")
    return judge_drift(look, found, policy.max_drift_share, policy.min_sample)


QUALITY_KEYS: Final = tuple(
    dg.AssetCheckKey(asset.key, name)
    for asset, names in ((performance_metrics, OF_FORECASTS), (drift_report, ("drift_share_below_threshold",)))
    for name in names
)
"""The checks of how good the model is."""
