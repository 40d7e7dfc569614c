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
from pl_predictor.core.matches import UK, match_day, odds_known_from

FEWEST_RESULTS: Final = 100
"""Results a forecaster needs before it may forecast."""


class Forecaster(Protocol):
    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """A forecast frame, one row for each row of a feature frame."""
        ...


Fit = Callable[[pd.DataFrame, pd.DataFrame], Forecaster]
"""(feature frame with results, record: its forecasts so far with results) -> the forecaster for what follows."""


def seasons_with_history(features: pd.DataFrame) -> list[int]:
    """The seasons with results that have 100 results of seasons before them, in order: those that can be forecast."""
    results = features[features["result"].notna()].groupby("season").size().sort_index()
    earlier = results.cumsum() - results
    return [int(season) for season in results.index[earlier >= FEWEST_RESULTS]]


def forecast_moment(kickoff: pd.Series, priced: "pd.Series[bool]") -> pd.Series:
    """When all that a forecast rests on was known, in UTC: as the match's UK day begins, and once its odds are out.

    kickoff: of each match; where only the day is known it is that day's first moment, and so is this. priced: whether
    the forecast used odds.
    """
    begins = match_day(kickoff).dt.tz_localize(UK).dt.tz_convert("UTC")
    odds = odds_known_from(kickoff)
    moment: pd.Series = begins.where(~priced | (begins > odds), odds)
    return moment


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
