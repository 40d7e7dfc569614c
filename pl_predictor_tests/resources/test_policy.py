"""The policy is what the environment asks for."""

from typing import Any

from pl_predictor.core.betting import Staking
from pl_predictor.resources.policy import Policy
from pl_predictor.settings import Settings


def test_paper_bets_are_taken_as_the_environment_asks() -> None:
    asked: dict[str, Any] = {
        "PL_BET_PRICES": "consensus",
        "PL_STAKING": "flat",
        "PL_BANKROLL": 500.0,
        "PL_KELLY_FRACTION": 0.5,
        "PL_FLAT_STAKE": 0.02,
        "PL_MAX_STAKE": 0.03,
        "PL_MIN_EDGE": 0.04,
        "PL_MIN_CONFIDENCE": 0.6,
    }
    policy = Policy.from_settings(Settings(**asked))
    assert policy.betting() == Staking("consensus", "flat", 500.0, 0.5, 0.02, 0.03, 0.04, 0.6)
