"""Past seasons forecast as the platform would have forecast them: the one function of the command and the asset.

Not here: the order of events (core/walk_forward.py), what is fitted (core/model.py), scores (core/scoring.py).
"""

import pandas as pd

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.model import RECORD_SEASONS, fit_forecaster, forecast_families
from pl_predictor.core.walk_forward import seasons_with_history, trials, walk_forward


def backtest(features: pd.DataFrame, *, first_season: int, last_season: int) -> pd.DataFrame:
    """Forecasts of every finished match of these seasons, with result and market (forecast frame), and made_at: when
    all that the forecast rests on was known (UTC).

    The forecaster is fitted anew every four weeks, its combination on trials on the last eight seasons. A season's rows
    are the same whichever seasons are asked for with it. PredictorError for a season that cannot be forecast.
    """
    possible = seasons_with_history(features)
    missing = sorted(set(range(first_season, last_season + 1)) - set(possible))
    if missing:
        span = f"{possible[0]} to {possible[-1]}" if possible else "none"
        raise PredictorError(
            f"season {missing[0]} cannot be forecast: of the matches known, those with a season of results before them "
            f"are {span}; choose among these"
        )
    begin = max(possible[0], first_season - RECORD_SEASONS)
    record = trials(features, first_season=begin, last_season=last_season, forecast=forecast_families)
    seasons = [
        walk_forward(features, record, season=season, fit=fit_forecaster)
        for season in range(first_season, last_season + 1)
    ]
    return pd.concat(seasons, ignore_index=True)
