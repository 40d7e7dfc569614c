"""When a number fails, and how badly: the rules behind the checks on a model's quality.

Below a threshold but within noise is a failure at WARN, beyond noise at ERROR; too small a sample, or nothing to
compare with, passes and says so. Noise is what the bounds allow that hold at every look (core/sequential.py), not the
95 % interval of one look. Not here: Dagster's results (quality_checks.py), what an ERROR leads to.
"""

from dataclasses import dataclass
from typing import Literal

from pl_predictor.core.evidence import Evidence


@dataclass(frozen=True)
class Verdict:
    """passed, how serious the failure is (None where it passed), and why, in words.

    bound: what was compared with the threshold to tell whether it is noise; None where nothing was.
    """

    passed: bool
    severity: Literal["WARN", "ERROR"] | None
    words: str
    bound: float | None = None


NOTHING_YET = Verdict(True, None, "no settled forecast yet: nothing to judge")


def at_least(found: Evidence | None, threshold: float, min_sample: int) -> Verdict:
    """A score that should be at least `threshold`: accuracy, F1."""
    if found is None:
        return NOTHING_YET
    if found.n < min_sample:
        return _too_few(found, min_sample)
    if found.value >= threshold:
        return Verdict(True, None, f"{found.value:.3f}, at least {threshold}")
    beyond = found.anytime_high is not None and not found.anytime_high >= threshold
    return _failed(f"{found.value:.3f} over {found.n} forecasts is below {threshold}", beyond, found.anytime_high)


def near_promotion(found: Evidence | None, at_promotion: float | None, rise: float, min_sample: int) -> Verdict:
    """A log loss that should be at most `rise` over what it was when the model was promoted (None: not known)."""
    if found is None:
        return NOTHING_YET
    if found.n < min_sample:
        return _too_few(found, min_sample)
    if at_promotion is None:
        return Verdict(True, None, f"{found.value:.3f}: the model has no log loss of its own training to compare with")
    limit, said = at_promotion + rise, f"{at_promotion:.3f} at promotion and {rise}"
    if found.value <= limit:
        return Verdict(True, None, f"{found.value:.3f}, at most {limit:.3f} ({said})")
    beyond = found.anytime_low is not None and not found.anytime_low <= limit
    words = f"{found.value:.3f} over {found.n} forecasts is above {limit:.3f} ({said})"
    return _failed(words, beyond, found.anytime_low)


def skill(realised: Evidence | None, expected: Evidence | None, threshold: float, min_sample: int) -> Verdict:
    """The log loss of the market minus the model's own, on the same matches: at least `threshold` nats a match.

    It fails by the results, and is beyond noise if what would be expected were the market right lies below the
    threshold as well: the luck of the results has no part in that (a control variate), so that it shows in ten
    matchweeks what they show in a season or later (Lorden 1971, Annals of Mathematical Statistics 42(6), bounds the
    delay of any rule on results). That alone would condemn a model for knowing better than the market; the results
    speak for such a one.
    """
    if realised is None or expected is None:
        return Verdict(True, None, "no forecast with a market and a result: nothing to judge")
    if realised.n < min_sample:
        return _too_few(realised, min_sample)
    if realised.value >= threshold:
        return Verdict(True, None, f"{realised.value:+.3f} nats a match against the market, at least {threshold}")
    beyond = expected.anytime_high is not None and not expected.anytime_high >= threshold
    words = (
        f"{realised.value:+.3f} nats a match against the market over {realised.n} forecasts is below {threshold} "
        f"({expected.value:+.3f} is expected if the market is right)"
    )
    return _failed(words, beyond, expected.anytime_high)


def drift(share: float, *, columns: int, n: int, reference_n: int, threshold: float, min_sample: int) -> Verdict:
    """A share of drifted columns that should be at most `threshold`; the tests behind it know their own noise."""
    said = f"{round(share * columns)} of {columns} columns drifted over {n} matches"
    if min(n, reference_n) < min_sample:
        return Verdict(True, None, f"{said}: too few to judge, {min_sample} are needed")
    words = f"{said}; at most {threshold:.0%} may"
    return Verdict(True, None, words) if share <= threshold else Verdict(False, "ERROR", words)


def _too_few(found: Evidence, min_sample: int) -> Verdict:
    words = f"{found.value:.3f} over {found.n} forecasts: too few to judge, {min_sample} are needed"
    return Verdict(True, None, words)


def _failed(words: str, beyond: bool, bound: float | None) -> Verdict:
    noise = "beyond noise" if beyond else "within noise"
    return Verdict(False, "ERROR" if beyond else "WARN", f"{words}, {noise}", bound)
