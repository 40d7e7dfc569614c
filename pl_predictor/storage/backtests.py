"""`backtest_forecasts` and `backtest_scores`: seasons forecast in retrospect, and how good that was."""

import pandas as pd
from sqlalchemy import Engine, Table, select

from pl_predictor import tables
from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import KEY
from pl_predictor.core.scoring import CLOSING, PROBABILITIES
from pl_predictor.core.slices import SCORE_COLUMNS
from pl_predictor.storage.connection import read, replace

FORECAST_COLUMNS = (
    *(*KEY, "kickoff", "made_at", *PROBABILITIES, "prediction", "information", "result"),
    *(*MARKET, *CLOSING, "model"),
)


class BacktestStorage:
    """Replaces a season whole; reads seasons as frames."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(
        self,
        season: int,
        forecasts: pd.DataFrame,
        scores: pd.DataFrame,
        *,
        code_version: str,
        dagster_run_id: str | None = None,
    ) -> None:
        """Let the tables say of a season what these rows say (FORECAST_COLUMNS; SCORE_COLUMNS), and nothing else.

        Frames without rows leave nothing of it. ValueError for rows of another season.
        """
        kept = (
            (tables.backtest_forecasts, forecasts, FORECAST_COLUMNS),
            (tables.backtest_scores, scores, SCORE_COLUMNS),
        )
        with self._engine.begin() as connection:
            for table, rows, columns in kept:
                if not rows.empty and not (rows["season"] == season).all():
                    raise ValueError(f"rows of other seasons than {season} among those for {table.name}")
                written = rows.head(0) if rows.empty else rows[list(columns)]
                about = {"code_version": code_version, "dagster_run_id": dagster_run_id}
                replace(connection, table, written.assign(**about), season=season)

    def forecasts(self, first: int, last: int) -> pd.DataFrame:
        """The forecasts of the seasons from `first` to `last`, in the order of their kick-offs."""
        table = tables.backtest_forecasts
        return self._read(table, first, last, "season", "kickoff", "home_team")

    def scores(self, first: int, last: int) -> pd.DataFrame:
        """The scores of the seasons from `first` to `last`."""
        return self._read(tables.backtest_scores, first, last, "season", "slice", "metric")

    def _read(self, table: Table, first: int, last: int, *order: str) -> pd.DataFrame:
        query = select(table).where(table.c.season.between(first, last)).order_by(*(table.c[name] for name in order))
        with self._engine.connect() as connection:
            return read(connection, query)
