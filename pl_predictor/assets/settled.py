"""The official forecasts of one model that have a result: what it is scored on, and compared on."""

import pandas as pd

from pl_predictor.core.settlement import official_forecasts
from pl_predictor.resources.match_feed import Moment
from pl_predictor.resources.model_registry import ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.metrics import EARLIEST


def official(version: str, known: pd.DataFrame, moment: Moment, postgres: Postgres) -> pd.DataFrame:
    """Of every match that a version forecast the last forecast before kick-off, with the results among the matches
    `known` (core.settlement)."""
    made = postgres.metrics.get_predictions_by_date_range(
        EARLIEST, moment.as_of, model_version=version, replay=moment.replay
    )
    return official_forecasts(made, known)


def settled_forecasts(version: ModelVersion | None, moment: Moment, postgres: Postgres, policy: Policy) -> pd.DataFrame:
    """Those with a result, the latest `performance_window` of them; without rows for no version."""
    known = postgres.matches.matches(moment.as_of, replay=moment.replay)
    forecasts = official("" if version is None else version.version, known, moment, postgres)
    return forecasts[forecasts["result"].notna()].tail(policy.performance_window).reset_index(drop=True)
