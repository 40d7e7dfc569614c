"""A forecaster tried on past seasons as it would have lived through them.

Here: the order of events, for any forecaster. Not here: what is fitted (core/model.py), how the forecasts are scored
(core/scoring.py).

Nothing is shuffled, and no forecast sees a later result in any way: its features know the results that were known when
the odds of its round were collected, and what it was fitted on was known when the first round since the last fit was.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import pandas as pd

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.matches import odds_known_from, result_known_from

FEWEST_RESULTS: Final = 100
"""Results a forecaster needs before it may forecast."""
REFIT: Final = timedelta(days=28)
"""How long a forecaster serves before it is fitted again. Four weeks: log loss 0.9688 in the walk-forward of 2003/04 to
2011/12, against 0.9693 for once a season."""


class Forecaster(Protocol):
    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """A forecast frame, one row for each row of a feature frame."""
        ...


Fit = Callable[[pd.DataFrame, pd.DataFrame], Forecaster]
"""(feature frame with results, record of trials with results) -> the forecaster for what follows."""
Try = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""(feature frame with results, feature frame of the season after them) -> forecasts of the latter, for the record."""


def seasons_with_history(features: pd.DataFrame) -> list[int]:
    """The seasons with results that have 100 results of seasons before them, in order: those that can be forecast."""
    results = features[features["result"].notna()].groupby("season").size().sort_index()
    earlier = results.cumsum() - results
    return [int(season) for season in results.index[earlier >= FEWEST_RESULTS]]


def trials(features: pd.DataFrame, *, first_season: int, forecast: Try, last_season: int | None = None) -> pd.DataFrame:
    """The record: every finished match of the seasons from first_season to last_season (None: the last there is),
    forecast by what was fitted on the seasons before its own.

    Returns what `forecast` does, in the order of the feature frame, on a RangeIndex. PredictorError where fewer than
    100 results precede first_season, or no match of these seasons is finished.
    """
    played = _played(features, first_season)
    seasons = sorted(set(played.loc[played["season"] >= first_season, "season"].tolist()))
    record = [
        forecast(played[played["season"] < season], played[played["season"] == season])
        for season in seasons
        if last_season is None or season <= last_season
    ]
    if not record:
        raise PredictorError(f"No match from season {first_season} on is finished, so there is nothing to try out yet")
    return pd.concat(record, ignore_index=True)


def walk_forward(features: pd.DataFrame, record: pd.DataFrame, *, season: int, fit: Fit) -> pd.DataFrame:
    """Forecast every finished match of a season; the forecaster is fitted anew every four weeks.

    features: a feature frame; rows without a result are left out. record: of `trials`, with kickoff; of it, too, a fit
    sees what was known. Returns the forecasts with their results and made_at, the moment (UTC) at which all that a
    forecast rests on was known: when its odds were collected. In the order of the feature frame, on a RangeIndex.
    PredictorError where fewer than 100 results precede the season, or no match of it is finished.
    """
    played = _played(features, season)
    ours = played[played["season"] == season]
    if ours.empty:
        raise PredictorError(f"No match of season {season} is finished, so there is nothing to try out yet")
    return refitted(ours, features, record, fit).reset_index(drop=True)


def refitted(ours: pd.DataFrame, features: pd.DataFrame, record: pd.DataFrame, fit: Fit) -> pd.DataFrame:
    """Forecasts of the matches `ours` (feature frame, same index), the forecaster fitted anew every four weeks on what
    `features` and `record` knew then; with made_at."""
    made_at = odds_known_from(ours["kickoff"])
    forecasts = [
        fit_at(moments.min(), features, record, fit).forecast(ours.loc[moments.index])
        for _, moments in made_at.groupby((made_at - made_at.min()) // REFIT)
    ]
    return pd.concat(forecasts).loc[ours.index].assign(made_at=made_at)


def fit_at(moment: datetime, features: pd.DataFrame, record: pd.DataFrame, fit: Fit) -> Forecaster:
    """The forecaster that is fitted on the results known at `moment`, whatever else the frames hold."""
    past, tried = (
        frame[frame["result"].notna() & (result_known_from(frame["kickoff"]) <= moment)] for frame in (features, record)
    )
    return fit(past, tried)


def _played(features: pd.DataFrame, first_season: int) -> pd.DataFrame:
    played = features[features["result"].notna()]
    before = int((played["season"] < first_season).sum())
    if before < FEWEST_RESULTS:
        raise PredictorError(
            f"A forecast of season {first_season} needs {FEWEST_RESULTS} results of seasons before it, and there are "
            f"{before}; add earlier seasons or start later"
        )
    return played
