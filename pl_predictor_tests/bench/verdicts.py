"""Hundreds of made-up seasons under the checks: how often they cry wolf, how often they miss a change, and how late."""

from collections import Counter
from typing import Any

import numpy as np

from pl_predictor_tests.core.simulated import Seen, changed_season, quiet_season

SEASONS = 224
"""Four times each of the 28 matchweeks and both ages of a champion."""


def false_alarms() -> tuple[float, dict[str, Any]]:
    """The share of quiet seasons with an ERROR, and the checks that said it first."""
    errors = [quiet_season(seed) for seed in range(SEASONS)]
    by = Counter(name for names in errors for name in names)
    return float(np.mean([bool(names) for names in errors])), {"seasons": SEASONS, "by": dict(by)}


def missed_changes() -> tuple[float, dict[str, Any]]:
    """The share of changes without an ERROR within ten matchweeks, and the delays of the others in matches."""
    seen = [changed_season(seed) for seed in range(SEASONS)]
    without_odds = [changed_season(seed, odds=False) for seed in range(SEASONS)]
    delays = [one.after for one in seen if one.after is not None]
    details = {
        "seasons": SEASONS,
        "matches_until_error": {f"p{p}": float(np.percentile(delays, p)) for p in (10, 50, 90)},
        "by": dict(Counter(name for one in seen for name in one.by)),
        "missed_by_results_alone": float(np.mean([one.by_results is None for one in seen])),
        "missed_without_odds": _missed(without_odds),
    }
    return _missed(seen), details


def _missed(seen: list[Seen]) -> float:
    return float(np.mean([one.after is None for one in seen]))
