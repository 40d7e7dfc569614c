"""The checks of quality: which numbers they take, and what a result carries. The rules have tests of their own."""

from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from sqlalchemy import Engine

from pl_predictor import checks
from pl_predictor.quality_checks import (
    OF_FORECASTS,
    QUALITY_KEYS,
    Look,
    drift_share_below_threshold,
    forecast_quality,
    judge_drift,
    judge_forecasts,
    judge_log_loss,
    judge_score,
    judge_skill,
)
from pl_predictor.resources.model_registry import ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.settings import Settings
from pl_predictor.storage.metrics import MetricsStorage

AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)
WEEK = timedelta(weeks=1)
LOOK = Look(ModelVersion("7", "a run", {}), AS_OF)
POLICY = Policy.from_settings(Settings())


def metric(value: float, **facts: Any) -> dict[str, Any]:
    """A row of model_metrics, of a week before the look."""
    known = {"n": 100, "low": None, "high": None, "anytime_low": None, "anytime_high": None, **facts}
    return {"value": value, "metadata": known, "as_of": AS_OF - WEEK}


def shown(result: dg.AssetCheckResult) -> dict[str, Any]:
    return {name: value.value for name, value in result.metadata.items()}


def test_a_verdict_shows_what_it_rests_on_and_nothing_that_is_unknown() -> None:
    result = judge_score(LOOK, metric(0.4, low=0.3, anytime_high=0.5, alpha=0.01), threshold=0.55, min_sample=50)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert shown(result) == {
        "value": 0.4,
        "threshold": 0.55,
        "n": 100,
        "low": 0.3,
        "anytime_high": 0.5,
        "anytime_bound": 0.5,
        "alpha": 0.01,
        "model_version": "7",
        "as_of": "2024-01-06T06:00:00+00:00",
    }


def test_within_noise_is_a_warning() -> None:
    result = judge_score(LOOK, metric(0.4, anytime_high=0.6), threshold=0.55, min_sample=50)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_log_loss_shows_the_limit_and_what_it_is_made_of() -> None:
    result = judge_log_loss(LOOK, metric(1.2, anytime_low=1.1), at_promotion=0.96, rise=0.05, min_sample=50)
    assert not result.passed
    assert {"threshold": pytest.approx(1.01), "at_promotion": 0.96, "anytime_bound": 1.1}.items() <= shown(
        result
    ).items()
    unknown = judge_log_loss(LOOK, metric(1.2), at_promotion=None, rise=0.05, min_sample=50)
    assert unknown.passed
    assert "threshold" not in shown(unknown)


def test_skill_shows_what_was_expected_beside_what_came() -> None:
    result = judge_skill(LOOK, metric(-0.2), metric(-0.1, anytime_high=-0.05), threshold=-0.03, min_sample=50)
    assert {"value": -0.2, "expected": -0.1, "anytime_bound": -0.05}.items() <= shown(result).items()


def test_drift_links_the_report_that_people_read() -> None:
    facts = {"reference_n": 3000, "columns": 10, "report": "http://127.0.0.1:5050/"}
    result = judge_drift(LOOK, metric(0.6, **facts), threshold=0.5, min_sample=50)
    assert not result.passed
    assert result.metadata["report"] == dg.MetadataValue.url("http://127.0.0.1:5050/")
    assert {"value": 0.6, "threshold": 0.5, "n": 100, "model_version": "7"}.items() <= shown(result).items()


@pytest.mark.parametrize(
    "result",
    [
        judge_score(LOOK, None, 0.55, 50),
        judge_log_loss(LOOK, None, 0.96, 0.05, 50),
        judge_skill(LOOK, None, None, -0.03, 50),
        judge_drift(LOOK, None, 0.5, 50),
    ],
    ids=["score", "log loss", "skill", "drift"],
)
def test_nothing_to_judge_passes_and_says_whose_numbers_are_missing_when(result: dg.AssetCheckResult) -> None:
    assert result.passed
    assert "nothing to judge" in (result.description or "")
    assert {"n": 0, "model_version": "7", "as_of": AS_OF.isoformat()}.items() <= shown(result).items()


def test_every_quality_check_is_a_check_of_the_platform() -> None:
    assert [(key.asset_key.to_user_string(), key.name) for key in QUALITY_KEYS] == [
        ("performance_metrics", "accuracy_above_threshold"),
        ("performance_metrics", "weighted_f1_above_threshold"),
        ("performance_metrics", "skill_against_the_market_above_threshold"),
        ("performance_metrics", "log_loss_near_that_at_promotion"),
        ("drift_report", "drift_share_below_threshold"),
    ]
    assert set(QUALITY_KEYS) < set(checks.KEYS)
    assert {*forecast_quality.check_keys, *drift_share_below_threshold.check_keys} == set(QUALITY_KEYS)


@pytest.mark.parametrize(
    ("name", "metric_type", "value", "threshold"),
    [
        ("accuracy_above_threshold", "accuracy", 0.41, POLICY.min_accuracy),
        ("weighted_f1_above_threshold", "f1_weighted", 0.31, POLICY.min_weighted_f1),
        ("skill_against_the_market_above_threshold", "log_loss_skill_recent", -0.9, POLICY.min_skill),
        ("log_loss_near_that_at_promotion", "log_loss", 1.3, 0.96 + POLICY.max_log_loss_rise),
    ],
)
def test_each_check_of_a_scoring_judges_its_own_number_by_its_own_threshold(
    name: str, metric_type: str, value: float, threshold: float
) -> None:
    expected = {"log_loss_skill_expected_recent": metric(-0.1, anytime_low=-0.1, anytime_high=-0.1)}
    scores = {metric_type: metric(value, anytime_low=value, anytime_high=value), **expected}
    results = judge_forecasts(LOOK, scores, {"log_loss": 0.96}, POLICY)
    assert list(results) == list(OF_FORECASTS)
    failed = {name: shown(result) for name, result in results.items() if not result.passed}
    assert list(failed) == [name]
    assert (failed[name]["value"], failed[name]["threshold"]) == (value, pytest.approx(threshold))


def test_a_metric_of_an_earlier_scoring_is_not_taken_for_one_of_the_latest(
    engine: Engine,
) -> None:
    """The market was there last week and is not today: today's skill is unknown, not last week's."""
    storage = MetricsStorage(engine)
    then = pd.DataFrame(
        {"metric_type": ["log_loss", "log_loss_skill"], "value": [0.9, -0.1], "metadata": [{"n": 1}] * 2}
    )
    storage.store_model_metrics(then, as_of=AS_OF - WEEK, model_version="7")
    storage.store_model_metrics(then.head(1).assign(value=1.1), as_of=AS_OF, model_version="7")
    storage.store_model_metrics(then, as_of=AS_OF + WEEK, model_version="7")
    storage.store_model_metrics(then, as_of=AS_OF, model_version="8")
    scores = LOOK.scores(storage)
    assert {name: row["value"] for name, row in scores.items()} == {"log_loss": 1.1}
