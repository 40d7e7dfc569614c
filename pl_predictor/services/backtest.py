"""`pl-predictor backtest`: the forecaster tried on past seasons of the source, as it would have lived them."""

import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd

from pl_predictor.code_version import code_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import MARKET, build
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.services.loop import migrate
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage

COLUMNS = (
    *("season", "home_team", "away_team", "kickoff", "made_at", "p_home", "p_draw", "p_away", "prediction"),
    *("information", "model"),
)


def backtest(settings: Settings, *, first: int, last: int, odds: bool = True) -> pd.DataFrame:
    """Forecasts of every finished match of the seasons from `first` to `last`, with result and market (forecast frame).

    Before each season the forecaster is fitted on the seasons before it; its features know results of earlier days.
    Seasons before `first` are forecast, too, as far as there are: the market's weight and the draw's multiplier come
    from what was forecast before. `odds`: False hides them. PredictorError for seasons that cannot be forecast.
    """
    from pl_predictor.core.model import RECORD_SEASONS, fit_forecaster
    from pl_predictor.core.walk_forward import forecast_moment, seasons_with_history, walk_forward

    if last < first:
        raise PredictorError(f"--first {first} is after --last {last}: name the earlier season first")
    known = _known(settings)
    features = build(known[known["season"] <= last].reset_index(drop=True))
    if not odds:
        features[list(MARKET)] = float("nan")
    possible = seasons_with_history(features)
    missing = sorted(set(range(first, last + 1)) - set(possible))
    if missing:
        span = f"{possible[0]} to {possible[-1]}" if possible else "none"
        raise PredictorError(
            f"season {missing[0]} cannot be forecast: of the source {settings.source!r} those with a season of results "
            f"before them are {span}; choose --first and --last among these"
        )
    begin = max(possible[0], first - RECORD_SEASONS)
    record = walk_forward(features, first_season=begin, last_season=last, fit=fit_forecaster)
    chosen = record[record["season"] >= first].reset_index(drop=True)
    made_at = forecast_moment(chosen["kickoff"], chosen["information"] == "odds")
    return chosen.assign(made_at=made_at, model=f"{MODEL_NAME}-{code_version()}")


def _known(settings: Settings) -> pd.DataFrame:
    """Every match that the source has by now."""
    migrate(settings)
    now = datetime.now(timezone.utc)
    engine = open_engine(settings.database_url(settings.postgres_db))
    try:
        matches = MatchStorage(engine)
        intake = MatchFeed.from_settings(settings).intake(matches, FeedStorage(engine, code_version()))
        refused = [taken.file.problem for taken in intake.seasons(now) if taken.file.problem]
        if refused:
            raise PredictorError(f"{len(refused)} files were refused; the first: {refused[0]}")
        return matches.matches(now, replay=False)
    finally:
        engine.dispose()


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
