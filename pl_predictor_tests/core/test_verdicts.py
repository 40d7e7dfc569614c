"""The rules of quality: what passes, what is within noise, and what is beyond it."""

import pytest

from pl_predictor.core.evidence import Evidence
from pl_predictor.core.verdicts import Verdict, at_least, drift, near_promotion, skill

NAN = float("nan")


def found(value: float, n: int = 100, anytime: tuple[float | None, float | None] = (None, None)) -> Evidence:
    """A score with its bounds; the interval of one look is so narrow that it would call everything beyond noise."""
    return Evidence("", value, n, value, value, 0.01, 0.01, *anytime)


def says(verdict: Verdict, severity: str | None, words: str) -> None:
    assert (verdict.passed, verdict.severity) == (severity is None, severity)
    assert words in verdict.words


@pytest.mark.parametrize(
    ("score", "severity", "words"),
    [
        (None, None, "no settled forecast yet"),
        (found(0.10, n=49, anytime=(0.0, 0.2)), None, "too few to judge, 50 are needed"),
        (found(0.10, n=50, anytime=(0.0, 0.2)), "ERROR", "0.100 over 50 forecasts is below 0.55, beyond noise"),
        (found(0.55, anytime=(0.4, 0.7)), None, "0.550, at least 0.55"),
        (found(0.60), None, "0.600, at least 0.55"),
        (found(0.54, anytime=(0.4, 0.6)), "WARN", "0.540 over 100 forecasts is below 0.55, within noise"),
        (found(0.45, anytime=(0.35, 0.55)), "WARN", "within noise"),
        (found(0.40, anytime=(0.30, 0.5499)), "ERROR", "0.400 over 100 forecasts is below 0.55, beyond noise"),
        (found(0.10), "WARN", "within noise"),
        (found(NAN, anytime=(NAN, NAN)), "ERROR", "beyond noise"),
    ],
    ids=[
        *("none", "too small", "just large enough", "at the threshold", "above", "within noise"),
        *("bound at the threshold", "beyond noise", "below without a bound", "not a number"),
    ],
)
def test_a_score_must_be_at_least_the_threshold(score: Evidence | None, severity: str | None, words: str) -> None:
    says(at_least(score, threshold=0.55, min_sample=50), severity, words)


@pytest.mark.parametrize(
    ("score", "at_promotion", "severity", "words"),
    [
        (None, 0.96, None, "no settled forecast yet"),
        (found(2.0, n=49, anytime=(1.9, 2.1)), 0.96, None, "too few to judge, 50 are needed"),
        (found(2.0, anytime=(1.9, 2.1)), None, None, "has no log loss of its own training to compare with"),
        (found(1.01, anytime=(0.9, 1.1)), 0.96, None, "1.010, at most 1.010 (0.960 at promotion and 0.05)"),
        (found(1.02, anytime=(1.01, 1.1)), 0.96, "WARN", "1.020 over 100 forecasts is above 1.010"),
        (found(1.20, anytime=(1.0101, 1.4)), 0.96, "ERROR", "beyond noise"),
        (found(1.20), 0.96, "WARN", "within noise"),
        (found(NAN, anytime=(NAN, NAN)), 0.96, "ERROR", "beyond noise"),
    ],
    ids=[
        *("none", "too small", "no reference", "at the limit", "bound at the limit", "beyond noise"),
        *("no bound", "not a number"),
    ],
)
def test_log_loss_must_stay_near_that_at_promotion(
    score: Evidence | None, at_promotion: float | None, severity: str | None, words: str
) -> None:
    says(near_promotion(score, at_promotion, rise=0.05, min_sample=50), severity, words)


@pytest.mark.parametrize(
    ("realised", "expected", "severity", "words"),
    [
        (None, None, None, "no forecast with a market and a result: nothing to judge"),
        (found(-0.2), None, None, "nothing to judge"),
        (found(-0.2, n=49), found(-0.2, n=49, anytime=(-0.3, -0.1)), None, "too few to judge, 50 are needed"),
        (found(-0.03), found(-0.2, anytime=(-0.3, -0.1)), None, "-0.030 nats a match against the market, at least"),
        (found(0.05), found(-0.2, anytime=(-0.3, -0.1)), None, "+0.050 nats a match against the market"),
        (found(-0.2, anytime=(-0.3, -0.1)), found(-0.04, anytime=(-0.05, -0.03)), "WARN", "within noise"),
        (found(-0.2), found(-0.01), "WARN", "within noise"),
        (found(-0.031), found(-0.08, anytime=(-0.1, -0.031)), "ERROR", "(-0.080 is expected if the market is right)"),
    ],
    ids=[
        *("no market", "nothing expected", "too small", "at the threshold", "better than the market"),
        *("bound at the threshold", "no bound", "beyond noise"),
    ],
)
def test_skill_fails_by_the_results_and_is_beyond_noise_by_what_was_expected(
    realised: Evidence | None, expected: Evidence | None, severity: str | None, words: str
) -> None:
    says(skill(realised, expected, threshold=-0.03, min_sample=50), severity, words)


@pytest.mark.parametrize(
    ("share", "n", "reference_n", "severity", "words"),
    [
        (0.5, 100, 3000, None, "5 of 10 columns drifted over 100 matches; at most 50% may"),
        (0.6, 100, 3000, "ERROR", "6 of 10 columns drifted over 100 matches; at most 50% may"),
        (0.9, 49, 3000, None, "too few to judge, 50 are needed"),
        (0.9, 100, 49, None, "too few to judge, 50 are needed"),
    ],
    ids=["at the threshold", "above", "too few now", "too few before"],
)
def test_a_drift_share_is_judged_by_threshold_and_sample(
    share: float, n: int, reference_n: int, severity: str | None, words: str
) -> None:
    verdict = drift(share, columns=10, n=n, reference_n=reference_n, threshold=0.5, min_sample=50)
    says(verdict, severity, words)


def test_a_failure_names_the_bound_that_it_was_compared_by() -> None:
    assert at_least(found(0.4, anytime=(0.3, 0.5)), 0.55, 50).bound == 0.5
    assert near_promotion(found(1.2, anytime=(1.1, 1.3)), 0.96, 0.05, 50).bound == 1.1
    assert skill(found(-0.2), found(-0.1, anytime=(-0.2, -0.05)), -0.03, 50).bound == -0.05
