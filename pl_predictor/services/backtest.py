"""`pl-predictor backtest`: the forecaster tried on past seasons of the source, as it would have lived them."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd

from pl_predictor.code_version import code_version, forecaster_name
from pl_predictor.core.betting_scores import with_bookmaker
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import MARKET, build
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.services.loop import migrate
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import opened
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage

COLUMNS = (
    *("season", "home_team", "away_team", "kickoff", "made_at", "p_home", "p_draw", "p_away", "prediction"),
    *("information", "model"),
)


@dataclass(frozen=True)
class Backtest:
    """Past seasons in retrospect.

    forecasts: forecast frame with result, market, CLOSING and model. matches: match frame of the same seasons, with the
    results and odds that forecasts and bets are held against, and BOOKMAKER_ODDS where the source has them. as_of: when
    the matches were read.
    """

    forecasts: pd.DataFrame
    matches: pd.DataFrame
    as_of: datetime


def backtest(settings: Settings, *, first: int, last: int, odds: bool = True) -> Backtest:
    """Forecasts of every finished match of the seasons from `first` to `last`; see core.backtest.

    `odds`: False hides the pre-match odds from the forecaster. PredictorError for seasons that cannot be forecast.
    """
    from pl_predictor.core.backtest import backtest as forecast_seasons
    from pl_predictor.core.scoring import with_closing_odds

    if last < first:
        raise PredictorError(f"--first {first} is after --last {last}: name the earlier season first")
    as_of = datetime.now(timezone.utc)
    known, below, prices = _known(settings, as_of, range(first, last + 1))
    features = build(known, below)
    if not odds:
        features[list(MARKET)] = float("nan")
    forecasts = forecast_seasons(features, first_season=first, last_season=last)
    forecasts = with_closing_odds(forecasts, known, as_of).assign(model=forecaster_name())
    matches = known[known["season"].between(first, last)].reset_index(drop=True)
    return Backtest(forecasts, with_bookmaker(matches, prices), as_of)


def _known(
    settings: Settings, as_of: datetime, seasons: Iterable[int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every match that the source has by now, of the Premier League and of the division below, and each bookmaker's
    first prices of these seasons."""
    migrate(settings)
    with opened(settings.database_url(settings.postgres_db)) as engine:
        matches, feed = MatchStorage(engine), FeedStorage(engine, code_version())
        taken_in = MatchFeed.from_settings(settings).intake(matches, feed).seasons(as_of)
        refused = [taken.file.problem for taken in taken_in if taken.file.problem]
        if refused:
            raise PredictorError(f"{len(refused)} files were refused; the first: {refused[0]}")
        premier, championship = (matches.matches(as_of, replay=False, division=name) for name in ("E0", "E1"))
        return premier, championship, pd.concat([feed.odds(season, first_seen=True) for season in seasons])


def write(forecasts: pd.DataFrame, file: Path) -> None:
    """The forecasts as CSV with COLUMNS, times in ISO 8601, UTC; whole or not at all."""
    shown = forecasts[list(COLUMNS)]
    shown = shown.assign(**{name: shown[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("kickoff", "made_at")})
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, newline="", encoding="utf-8") as new:
            shown.to_csv(new, index=False)
        Path(new.name).chmod(0o644)
        Path(new.name).replace(file)
    except OSError as error:
        raise PredictorError(f"{file} cannot be written ({error.strerror}): name a folder that exists") from error
