"""The asset `performance_metrics`."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor import tables
from pl_predictor.assets.matches import matches
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.assets.settled import official
from pl_predictor.code_version import code_version
from pl_predictor.core.evidence import RECENT, evidence
from pl_predictor.core.features import MARKET
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres


@dg.asset(
    deps=[matches, predictions],
    group_name="monitoring",
    owners=OWNERS,
    kinds={"python", "scikitlearn", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.model_metrics),
)
def performance_metrics(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """How the champion's official forecasts (the last before kick-off) did: scores with n and 95 % interval,
    and the bounds that hold at every look. luck: log loss minus what the forecasts themselves expected.

    A challenger that shadows is scored as well, under its own version.
    """
    from pl_predictor import plots
    from pl_predictor.core.scoring import rps_by_match

    moment = feed.moment(context)
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    postgres.metrics.settle(known[known["result"].notna()])
    champion, shadow = registry.serving(moment.as_of), registry.shadow(moment.as_of)
    scored = score_version(champion.version, known, moment, postgres, policy)
    settled = scored.settled
    if len(settled):
        postgres.metrics.store_model_metrics(scored.metrics, as_of=moment.as_of, model_version=champion.version)
    if shadow is not None:
        shadowed = score_version(shadow.version, known, moment, postgres, policy)
        postgres.metrics.store_model_metrics(shadowed.metrics, as_of=moment.as_of, model_version=shadow.version)
    about: dict[str, Any] = {
        "as_of": dg.MetadataValue.timestamp(moment.as_of),
        "model": dg.MetadataValue.url(registry.model_url(champion)),
        "settled": len(settled),
        "waiting_for_results": scored.waiting,
    }
    if settled.empty:
        reason = f"no official forecast of model version {champion.version} has a result yet"
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, **about, "reason": reason})
    value = dict(zip(scored.metrics["metric_type"], scored.metrics["value"], strict=True))
    return dg.MaterializeResult(
        metadata={
            **rows(scored.metrics, preview=scored.preview),
            **about,
            "luck": value["log_loss"] - value["log_loss_expected"],
            "rolling_rps": dg.MetadataValue.md(plots.rolling_score(rps_by_match(settled), window=40)),
        }
    )


@dataclass(frozen=True)
class ScoredVersion:
    """How one version did. settled: its latest official forecasts with results; waiting: how many have none yet;
    metrics: a row a metric for `model_metrics`; preview: the same for people."""

    settled: pd.DataFrame
    waiting: int
    metrics: pd.DataFrame
    preview: pd.DataFrame


def score_version(
    version: str, known: pd.DataFrame, moment: Moment, postgres: Postgres, policy: Policy
) -> ScoredVersion:
    """Score the official forecasts of a version, since its first, by the results among the matches `known`."""
    forecasts = official(version, known, moment, postgres)
    played = forecasts[forecasts["result"].notna()]
    settled = played.tail(policy.performance_window).reset_index(drop=True)
    recent = played[played[list(MARKET)].notna().all(axis=1)].tail(policy.skill_window)
    found = evidence(
        played,
        window=policy.performance_window,
        skill_window=policy.skill_window,
        false_alarm_rate=policy.false_alarm_rate,
    )
    spans = {name: _span(recent) for name in RECENT.values()} if len(recent) else {}
    metrics = pd.DataFrame(
        {
            "metric_type": [score.metric for score in found],
            "value": [score.value for score in found],
            "metadata": [score.facts | spans.get(score.metric, _span(settled)) for score in found],
        }
    )
    preview = pd.DataFrame([vars(score) for score in found])
    return ScoredVersion(settled, int(forecasts["result"].isna().sum()), metrics, preview)


def _span(settled: pd.DataFrame) -> dict[str, str]:
    """Between which kick-offs a metric looks."""
    first, last = settled["kickoff"].min(), settled["kickoff"].max()
    return {"first_kickoff": first.isoformat(), "last_kickoff": last.isoformat()}
