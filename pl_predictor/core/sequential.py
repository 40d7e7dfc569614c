"""Bounds that hold at every look: a check that looks each hour looks often, and sooner or later sees bad luck.

Here: by how many standard errors a bound must lie off an estimate to hold at all looks of a season at once, and how the
chance of a false alarm is shared. Not here: estimates and standard errors (core/scoring.py), verdicts
(core/verdicts.py).
"""

import math
from typing import Final

SEASON: Final = 380
"""Matches of a season: the span over which false alarms are counted."""
TIGHTEST: Final = 100
"""Matches at which the bound is nearest to the estimate: ten matchweeks."""
SHARES: Final = {"skill": 1 / 2, "score": 1 / 6}
"""How the checks share the season's chance of a false alarm: skill has half of it, and accuracy, weighted F1 and log
loss a sixth each. Only skill can see a change in time: the others rest on results alone."""


def anytime_multiplier(n: int, alpha: float) -> float:
    """How many standard errors a one-sided bound lies off a mean of n matches to hold at all n at once.

    sqrt(2 (n r + 1) / (n r) * log(1 + sqrt(n r + 1) / (2 alpha))), the one-sided asymptotic confidence sequence of
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52(6): a sum of n terms of variance 1, mixed over a half-normal drift of variance r
    (Robbins 1970, Annals of Mathematical Statistics 41(5)), stays below it for ever with a chance of 1 - alpha.
    It is tightest near n = TIGHTEST with r = (-2 log a + log(-2 log a) + 1) / TIGHTEST; that is the paper's choice for
    two sides at level a, and a = 2 alpha for one side.

    ValueError for an n under 1, or an alpha that is not over 0 and at most 0.25.
    """
    if n < 1 or not 0.0 < alpha <= 0.25:
        raise ValueError(f"n is at least 1, alpha over 0 and at most 0.25, not {n} and {alpha}")
    twice_log = -2.0 * math.log(2.0 * alpha)
    drift = n * (twice_log + math.log(twice_log) + 1.0) / TIGHTEST
    return math.sqrt(2.0 * (drift + 1.0) / drift * math.log1p(math.sqrt(drift + 1.0) / (2.0 * alpha)))


def alpha_of_a_check(false_alarm_rate: float, window: int, share: float) -> float:
    """The chance of a false alarm that a check with this share may take with one window, for `false_alarm_rate` a
    season in all.

    The windows that begin within a season share it alike: once a window is full it slides, and the theorem speaks of a
    sample that only grows. Both by Bonferroni's inequality.
    """
    return false_alarm_rate * share / (1.0 + SEASON / window)
