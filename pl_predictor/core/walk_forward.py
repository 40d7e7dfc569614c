"""A forecaster tried on past seasons as it would have lived through them.

Here: the order of events, season after season, for any forecaster. Not here: what is fitted (core/model.py), how the
forecasts are scored (core/scoring.py).

Before each season the forecaster is fitted anew on the results of all seasons before it, and on the record: the
forecasts it made of those, each out of sample. It then forecasts the whole season, match by match through features that
know the results of earlier days. Nothing is shuffled, and no forecast sees a later result in any way.
"""

from collections.abc import Callable
from typing import Final, Protocol

import pandas as pd

from pl_predictor.core.errors import PredictorError

FEWEST_RESULTS: Final = 100
"""Results a forecaster needs before it may forecast."""


class Forecaster(Protocol):
    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """A forecast frame, one row for each row of a feature frame."""
        ...


Fit = Callable[[pd.DataFrame, pd.DataFrame], Forecaster]
"""(feature frame with results, record: its forecasts so far with results) -> the forecaster for what follows."""


def walk_forward(
    features: pd.DataFrame, *, first_season: int, fit: Fit, last_season: int | None = None
) -> pd.DataFrame:
    """Forecast every finished match of the seasons from first_season to last_season (None: the last there is).

    features: a feature frame; rows without a result are left out. Returns the forecasts with their results, in the
    order of the feature frame, on a RangeIndex. PredictorError where fewer than 100 results precede first_season, or
    no match of these seasons is finished.
    """
    played = features[features["result"].notna()]
    before = int((played["season"] < first_season).sum())
    if before < FEWEST_RESULTS:
        raise PredictorError(
            f"A forecast of season {first_season} needs {FEWEST_RESULTS} results of seasons before it, and there are "
            f"{before}; add earlier seasons or start later"
        )
    seasons = sorted({season for season in played["season"].tolist() if season >= first_season})
    record = pd.DataFrame()
    for season in seasons:
        if last_season is not None and season > last_season:
            break
        forecaster = fit(played[played["season"] < season], record)
        forecasts = forecaster.forecast(played[played["season"] == season])
        record = pd.concat([record, forecasts], ignore_index=True) if len(record) else forecasts
    if record.empty:
        raise PredictorError(f"No match from season {first_season} on is finished, so there is nothing to try out yet")
    return record.reset_index(drop=True)
