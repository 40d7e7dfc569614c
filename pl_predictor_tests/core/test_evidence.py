"""What verdicts rest on: which forecasts, and how wide the bounds are."""

import numpy as np
import pandas as pd
import pytest

from pl_predictor.core.evidence import RECENT, SKILL, SKILL_EXPECTED, Evidence, evidence
from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import METRICS, scorecard
from pl_predictor.core.sequential import SHARES, alpha_of_a_check, anytime_multiplier
from pl_predictor_tests.core.test_scoring import forecasts


def found(settled: pd.DataFrame, *, window: int = 380, skill_window: int = 80) -> dict[str, Evidence]:
    listed = evidence(settled, window=window, skill_window=skill_window, false_alarm_rate=0.05, resamples=100)
    return {one.metric: one for one in listed}


def test_a_bound_lies_so_many_standard_errors_off_as_all_looks_need() -> None:
    accuracy = found(forecasts(200, days=40), window=190)["accuracy"]
    alpha = alpha_of_a_check(0.05, 190, SHARES["score"])
    assert (accuracy.n, accuracy.alpha) == (190, alpha)
    assert accuracy.standard_error is not None
    margin = anytime_multiplier(190, alpha) * accuracy.standard_error
    assert accuracy.anytime_low == pytest.approx(accuracy.value - margin)
    assert accuracy.anytime_high == pytest.approx(accuracy.value + margin)
    assert (accuracy.low or 0) > (accuracy.anytime_low or 0), "all looks need more than one"


def test_recent_skill_is_that_of_the_latest_forecasts_with_a_market() -> None:
    frame = forecasts(200, days=40, priced=200)
    frame.loc[150:, list(MARKET)] = np.nan
    scores = found(frame)
    expected = {score.metric: score.value for score in scorecard(frame.iloc[70:150])}
    for name in (SKILL, SKILL_EXPECTED):
        assert scores[RECENT[name]].value == pytest.approx(expected[name])
        assert scores[RECENT[name]].n == 80
        assert scores[RECENT[name]].alpha == alpha_of_a_check(0.05, 80, SHARES["skill"])
        assert scores[name].n == 150


@pytest.mark.parametrize(
    ("frame", "absent"),
    [
        (forecasts(priced=0), {SKILL, *RECENT.values()}),
        (forecasts(priced=60).iloc[:0], {*METRICS, *RECENT.values()}),
    ],
    ids=["no market", "no result"],
)
def test_what_cannot_be_computed_is_absent(frame: pd.DataFrame, absent: set[str]) -> None:
    assert absent.isdisjoint(found(frame))


def test_few_match_days_give_no_bounds() -> None:
    accuracy = found(forecasts(60, days=4))["accuracy"]
    assert (accuracy.standard_error, accuracy.anytime_low, accuracy.anytime_high) == (None, None, None)


def test_evidence_comes_back_from_the_facts_that_are_stored_and_an_older_row_has_no_bounds() -> None:
    accuracy = found(forecasts())["accuracy"]
    assert Evidence.of("accuracy", accuracy.value, accuracy.facts) == accuracy
    older = Evidence.of("accuracy", 0.5, {"n": 60, "low": 0.4, "high": 0.6})
    assert (older.low, older.high, older.anytime_high) == (0.4, 0.6, None)
