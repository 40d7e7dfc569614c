"""The thresholds and windows of the platform, as the launchpad shows them; their defaults are the settings."""

from datetime import timedelta
from typing import Any, Literal

import dagster as dg

from pl_predictor.core.betting import Staking
from pl_predictor.core.retraining import RetrainingPolicy
from pl_predictor.resources.launchpad import setting, with_defaults
from pl_predictor.settings import Settings, require_windows_that_can_judge


class Policy(dg.ConfigurableResource[Any]):
    """What is forecast, when it is judged and how, what a check lets pass, when a model is trained again, and how paper
    bets are taken."""

    forecast_days: int = setting("forecast_days")
    performance_window: int = setting("performance_window")
    skill_window: int = setting("skill_window")
    drift_window: int = setting("drift_window")
    min_sample: int = setting("min_sample")
    min_accuracy: float = setting("min_accuracy")
    min_weighted_f1: float = setting("min_weighted_f1")
    min_skill: float = setting("min_skill")
    max_log_loss_rise: float = setting("max_log_loss_rise")
    false_alarm_rate: float = setting("false_alarm_rate")
    max_drift_share: float = setting("max_drift_share")
    retrain_on_warnings: bool = setting("retrain_on_warnings")
    retraining_cooldown_days: float = setting("retraining_cooldown_days")
    min_new_results: int = setting("min_new_results")
    refresh_results: int = setting("refresh_results")
    promotion_margin: float = setting("promotion_margin")
    bet_prices: Literal["best", "consensus"] = setting("bet_prices")
    staking: Literal["kelly", "flat"] = setting("staking")
    bankroll: float = setting("bankroll")
    kelly_fraction: float = setting("kelly_fraction")
    flat_stake: float = setting("flat_stake")
    max_stake: float = setting("max_stake")
    min_edge: float = setting("min_edge")
    min_confidence: float = setting("min_confidence")
    forecast_due_hours: int = setting("forecast_due_hours")

    @classmethod
    def from_settings(cls, settings: Settings) -> "Policy":
        """The policy that the environment asks for."""
        return with_defaults(
            cls, **{name: getattr(settings, name) for name in cls.model_fields if name in Settings.model_fields}
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster calls it so
        """PredictorError where the launchpad's values could never judge; here they are those that the run has."""
        require_windows_that_can_judge(self, str)

    def retraining(self) -> RetrainingPolicy:
        """What the rule of retraining asks for (core/retraining.py)."""
        return RetrainingPolicy(
            cooldown=timedelta(days=self.retraining_cooldown_days),
            min_new_results=self.min_new_results,
            refresh_results=self.refresh_results,
            warnings=self.retrain_on_warnings,
        )

    def betting(self) -> Staking:
        """How the ledger of paper bets bets (core/betting.py)."""
        return Staking(
            prices=self.bet_prices,
            method=self.staking,
            bankroll=self.bankroll,
            kelly_fraction=self.kelly_fraction,
            flat_stake=self.flat_stake,
            max_stake=self.max_stake,
            min_edge=self.min_edge,
            min_confidence=self.min_confidence,
        )
