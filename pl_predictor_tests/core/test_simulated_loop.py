"""A few made-up seasons lived by the whole loop: a change is overcome, and where nothing changes nobody pretends.

`make bench` lives hundreds of them and prints the shares.
"""

from datetime import timedelta

import numpy as np
import pytest

from pl_predictor.core.promotion import Delta, Windows, judge
from pl_predictor_tests.core.simulated import SEASON, WEEK, league
from pl_predictor_tests.core.simulated_loop import (
    BEFORE,
    Platform,
    Recipe,
    broken_rules,
    changed_life,
    equal_challengers,
    frame,
    gap_to_market,
    surely_nearer,
)

START = BEFORE * SEASON
PAST = Delta(0.0, 0.0, 0.0, 1900, 5)


@pytest.mark.parametrize("seed", [4, 8], ids=["before a refresh", "after one"])
def test_a_change_is_an_error_then_a_training_then_a_promotion_then_overcome(seed: int) -> None:
    lived = changed_life(seed)
    assert lived.error is not None
    assert lived.promoted is not None
    assert lived.recovered is not None
    assert lived.error <= lived.promoted <= SEASON
    assert lived.gap < 0.04
    assert lived.broken == []


def test_who_was_refused_does_not_serve_and_its_rival_forecasts_on() -> None:
    change_at = START + 60
    platform = Platform(frame(league(BEFORE + 2, 5, change_at=change_at, cost=0.08)), START)
    served = {n: platform.champion.name for n in platform.live(START + 180)}
    refused = [gate for gate in platform.gates if not gate.verdict.promoted]
    assert refused
    for gate in refused:
        assert served[gate.matches] == gate.champion
        assert gate.challenger.name not in served.values()


def test_a_new_champion_is_judged_on_its_own_forecasts_only() -> None:
    platform = Platform(frame(league(BEFORE + 1, 3)), START)
    for n in platform.live(START + 17 * WEEK):
        if platform.gates:
            assert platform.gates[0].verdict.promoted
            assert (platform.since, n) == (platform.gates[0].matches,) * 2
            assert platform.forecasts["kickoff"].min() == platform.features["kickoff"].iloc[n]
            break
    else:
        raise AssertionError("no routine training was due")


def test_broken_promises_are_found() -> None:
    platform = Platform(frame(league(BEFORE + 1, 3)), START)
    for _ in platform.live(START + 17 * WEEK):
        pass
    assert broken_rules(platform) == []
    n, moment = platform.trained[-1]
    platform.trained.append((n + WEEK, moment + timedelta(days=7)))
    assert len(broken_rules(platform)) == 1


def test_the_stand_in_finds_a_change_of_150_matches_and_none_where_nothing_changed() -> None:
    features = frame(league(BEFORE + 2, 1, change_at=START, cost=0.08))
    recipe = Recipe()
    nothing = features.head(0)
    before, after = recipe(features.head(START), nothing), recipe(features.head(START + 150), nothing)
    assert before.since_change is None
    assert after.since_change is not None
    rest = features.iloc[START + 150 :]
    assert gap_to_market(after, rest) < 0.04 < gap_to_market(before, rest)


def test_an_equal_challenger_may_be_surely_nearer_to_the_market_and_is_not_promoted_for_it() -> None:
    gates = [gate for seed in range(90_000, 90_003) for gate in equal_challengers(seed)]
    assert len(gates) >= 8
    assert any(surely_nearer(gate) for gate in gates)
    assert not any(gate.verdict.promoted for gate in gates)
    differences = [delta.mean for gate in gates if (delta := gate.windows.live_expected) is not None]
    assert np.abs(differences).max() < 0.005


@pytest.mark.parametrize(
    ("results", "expected", "promoted"),
    [
        (Delta(0.02, -0.02, 0.06, 100, 1), Delta(0.0005, 0.0001, 0.0009, 100, 1), False),
        (Delta(0.02, -0.02, 0.06, 100, 1), Delta(0.005, 0.004, 0.006, 100, 1), False),
        (Delta(0.02, -0.02, 0.06, 100, 1), Delta(0.006, 0.004, 0.008, 100, 1), True),
        (Delta(0.02, -0.02, 0.06, 100, 1), Delta(0.006, -0.001, 0.013, 100, 1), False),
        (Delta(-0.001, -0.04, 0.04, 100, 1), Delta(0.006, 0.004, 0.008, 100, 1), False),
    ],
    ids=["sure and small", "at the margin", "sure and over it", "over it and not sure", "worse by the results"],
)
def test_on_the_live_window_better_means_by_more_than_the_margin_if_the_market_is_right(
    results: Delta, expected: Delta, promoted: bool
) -> None:
    verdict = judge(Windows(PAST, results, expected), refresh=False, margin=0.005, min_sample=50)
    assert (verdict.promoted, verdict.rule) == (promoted, "better")
