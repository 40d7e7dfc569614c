"""Hundreds of made-up seasons lived by the whole loop: is a change overcome, how late, and who is promoted?"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np

from pl_predictor_tests.core.simulated import WEEK
from pl_predictor_tests.core.simulated_loop import (
    broken_rules,
    changed_life,
    equal_challengers,
    quiet_life,
    surely_nearer,
)

SEASONS = 200
QUIET = 90_000
"""Seeds of seasons in which nothing changes begin here."""
WITHIN = (10, 15, 20, 38)
T = TypeVar("T")


def not_recovered() -> tuple[float, dict[str, Any]]:
    """The share of changes that no promoted challenger has overcome within the 38 matchweeks that follow, and how many
    matches the first ERROR, the first promotion that it led to, and the recovery took."""
    lives = _lived(changed_life, SEASONS)
    steps = {
        "error": [life.error for life in lives],
        "promoted_for_it": [life.promoted for life in lives],
        "recovered": [life.recovered for life in lives],
    }
    shares = {name: {f"{weeks}_matchweeks": _later(after, weeks) for weeks in WITHIN} for name, after in steps.items()}
    details = {
        "seasons": SEASONS,
        "matches_until": {name: _percentiles([n for n in after if n is not None]) for name, after in steps.items()},
        "share_without_within": shares,
        "gap_to_market_in_the_end": _percentiles([life.gap for life in lives]),
        "broken_rules": [rule for life in lives for rule in life.broken],
    }
    return _later(steps["recovered"], 38), details


def equal_promoted() -> tuple[float, dict[str, Any]]:
    """The share of challengers as good as the champion that are promoted as better, of seasons in which nothing
    changes; and what the loop by itself does in such seasons."""
    gates = [gate for season in _lived(_equal, SEASONS) for gate in season]
    lives = _lived(_quiet, SEASONS // 2)
    decided = [one for gates, _ in lives for one in gates]
    details = {
        "seasons": SEASONS,
        "decisions": len(gates),
        "without_a_margin": float(np.mean([nearer for _, nearer in gates])),
        "loop": {
            "seasons": len(lives),
            "decisions": {name: decided.count(name) for name in sorted(set(decided))},
            "broken_rules": [rule for _, broken in lives for rule in broken],
        },
    }
    return float(np.mean([promoted for promoted, _ in gates])), details


def _equal(seed: int) -> list[tuple[bool, bool]]:
    """Promoted; and whether it would have been for any difference beyond noise."""
    return [(gate.verdict.promoted, surely_nearer(gate)) for gate in equal_challengers(QUIET + seed)]


def _quiet(seed: int) -> tuple[list[str], list[str]]:
    """The decisions of a life in words, and the rules that it broke."""
    platform = quiet_life(QUIET + seed)
    decided = [
        f"{gate.cause}: {f'promoted as {gate.verdict.rule}' if gate.verdict.promoted else 'refused'}"
        for gate in platform.gates
    ]
    return decided, broken_rules(platform)


def _lived(live: Callable[[int], T], seasons: int) -> list[T]:
    """A process a core, each with one thread: the matrices are small, and more would wait for one another."""
    inherited = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(inherited, "1"))
    try:
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as processes:
            return list(processes.map(live, range(seasons), chunksize=4))
    finally:
        for name, value in inherited.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _later(after: list[int | None], weeks: int) -> float:
    """The share that did not happen within so many matchweeks."""
    return float(np.mean([n is None or n > WEEK * weeks for n in after]))


def _percentiles(values: list[Any]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 4) for p in (10, 50, 90)}
