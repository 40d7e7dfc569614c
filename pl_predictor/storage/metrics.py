"""`model_metrics`, `model_predictions` and `drift_scores`: the record that forecasts are judged by."""

from datetime import datetime, timezone
from typing import Any

import pandas as pd
from sqlalchemy import Engine, Table, exists, select, text

from pl_predictor import tables
from pl_predictor.core.matches import KEY
from pl_predictor.settings import MODEL_NAME
from pl_predictor.storage.connection import read, stage

EARLIEST = datetime(1900, 1, 1, tzinfo=timezone.utc)
"""A start of a date range before anything that a row can speak of."""

OUTCOME_OF = {"p_home": "H", "p_draw": "D", "p_away": "A"}


class MetricsStorage:
    """Writes sets of rows in one transaction each, the same set twice as once; reads them as frames."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store_model_metric(
        self,
        metric_type: str,
        value: float,
        *,
        as_of: datetime,
        model_version: str,
        model_name: str = MODEL_NAME,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Write one metric; a repeated one (same type, model, version and moment) is replaced."""
        row = {"metric_type": metric_type, "value": value, "metadata": metadata or {}}
        self.store_model_metrics(pd.DataFrame([row]), as_of=as_of, model_version=model_version, model_name=model_name)

    def store_model_metrics(
        self, metrics: pd.DataFrame, *, as_of: datetime, model_version: str, model_name: str = MODEL_NAME
    ) -> None:
        """Write metrics (columns metric_type, value, metadata) of one model at one moment."""
        rows = metrics[["metric_type", "value", "metadata"]]
        rows = rows.assign(model_name=model_name, model_version=model_version, as_of=as_of)
        self._upsert(tables.model_metrics, rows, ["metric_type", "model_name", "model_version", "as_of"])

    def store_prediction(
        self, prediction: dict[str, Any], *, as_of: datetime, replay: bool, model_version: str, code_version: str
    ) -> bool:
        """Seal one forecast (the keys of `store_predictions`' columns); False if it was sealed before."""
        return bool(
            self.store_predictions(
                pd.DataFrame([prediction]),
                as_of=as_of,
                replay=replay,
                model_version=model_version,
                code_version=code_version,
            )
        )

    def store_predictions(
        self,
        forecasts: pd.DataFrame,
        *,
        as_of: datetime,
        replay: bool,
        model_version: str,
        code_version: str,
        dagster_run_id: str | None = None,
    ) -> int:
        """Seal forecasts (forecast frame, with home_odds, draw_odds, away_odds, odds_source); returns how many are new.

        A forecast that is sealed for the same moment stays as it is, whatever this one says. The database refuses
        forecasts made at or after kick-off.
        """
        if forecasts.empty:
            return 0
        odds = ["home_odds", "draw_odds", "away_odds", "odds_source"]
        rows = forecasts[[*KEY, "kickoff", "prediction", "confidence", "information", *odds]].assign(
            probabilities=pd.Series(
                forecasts.rename(columns=OUTCOME_OF)[list("HDA")].to_dict("records"), forecasts.index, dtype=object
            ),
            as_of=as_of,
            replay=replay,
            model_name=MODEL_NAME,
            model_version=model_version,
            code_version=code_version,
            dagster_run_id=dagster_run_id,
        )
        key = [*KEY, "model_name", "model_version", "code_version", "as_of"]
        columns = ", ".join(rows.columns)
        with self._engine.begin() as connection:
            staged = stage(connection, tables.model_predictions, rows)
            return connection.execute(
                text(
                    f"INSERT INTO model_predictions ({columns}) SELECT {columns} FROM {staged} "
                    f"ON CONFLICT ({', '.join(key)}) DO NOTHING"
                )
            ).rowcount

    def settle(self, results: pd.DataFrame) -> int:
        """Fill actual_result of the unsettled forecasts of these matches (KEY and result); returns how many."""
        with self._engine.begin() as connection:
            staged = stage(connection, tables.matches, results[[*KEY, "result"]])
            return connection.execute(
                text(
                    f"UPDATE model_predictions p SET actual_result = r.result FROM {staged} r "
                    "WHERE (p.season, p.home_team, p.away_team) = (r.season, r.home_team, r.away_team) "
                    "AND p.actual_result IS NULL"
                )
            ).rowcount

    def store_drift(
        self, columns: pd.DataFrame, *, as_of: datetime, model_version: str, model_name: str = MODEL_NAME
    ) -> None:
        """Write the drift of each column (columns of `drift_scores`) of one report."""
        rows = columns.assign(model_name=model_name, model_version=model_version, as_of=as_of)
        self._upsert(tables.drift_scores, rows, ["model_name", "model_version", "as_of", "column_name"])

    def get_metrics_by_date_range(
        self, start: datetime, end: datetime, metric_type: str | None = None, model_version: str | None = None
    ) -> pd.DataFrame:
        """Metrics that speak of start <= as_of <= end, oldest first."""
        table = tables.model_metrics
        query = select(table).where(table.c.as_of.between(start, end)).order_by(table.c.as_of, table.c.id)
        if metric_type is not None:
            query = query.where(table.c.metric_type == metric_type)
        if model_version is not None:
            query = query.where(table.c.model_version == model_version)
        with self._engine.connect() as connection:
            return read(connection, query)

    def get_predictions_by_date_range(
        self, start: datetime, end: datetime, model_version: str | None = None, replay: bool | None = None
    ) -> pd.DataFrame:
        """Forecasts made in start <= as_of <= end, oldest first, their probabilities also as p_home, p_draw, p_away."""
        table = tables.model_predictions
        query = (
            select(table).where(table.c.as_of.between(start, end)).order_by(table.c.as_of, table.c.kickoff, table.c.id)
        )
        if model_version is not None:
            query = query.where(table.c.model_version == model_version)
        if replay is not None:
            query = query.where(table.c.replay == replay)
        with self._engine.connect() as connection:
            rows = read(connection, query)
        return rows.assign(
            **{name: [float(p[outcome]) for p in rows["probabilities"]] for name, outcome in OUTCOME_OF.items()}
        ).astype(dict.fromkeys(OUTCOME_OF, "float64"))

    def unforecast(self, after: datetime, until: datetime, *, replay: bool) -> list[tuple[str, str, datetime]]:
        """Home team, away team and kick-off of the Premier League matches that kick off in after < kickoff <= until and
        that no forecast was made of by `after`, the first first."""
        match, made = tables.matches, tables.model_predictions
        forecast = (
            *(made.c[name] == match.c[name] for name in KEY),
            *(made.c.model_name == MODEL_NAME, made.c.replay == replay, made.c.as_of <= after),
        )
        query = (
            select(match.c.home_team, match.c.away_team, match.c.kickoff)
            .where(match.c.division == "E0", match.c.kickoff > after, match.c.kickoff <= until)
            .where(~exists().where(*forecast))
            .order_by(match.c.kickoff, match.c.home_team)
        )
        with self._engine.connect() as connection:
            return [(row.home_team, row.away_team, row.kickoff) for row in connection.execute(query)]

    def _upsert(self, table: Table, rows: pd.DataFrame, key: list[str]) -> None:
        columns = ", ".join(rows.columns)
        values = ", ".join(f"{column} = excluded.{column}" for column in rows.columns if column not in key)
        with self._engine.begin() as connection:
            staged = stage(connection, table, rows)
            connection.execute(
                text(
                    f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {staged} "
                    f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values}, timestamp = now()"
                )
            )
