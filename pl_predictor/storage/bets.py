"""`bets`, `betting_scores` and `market_edges`: the ledger of paper bets, how it did, and what was there to bet on.

Not here: what is bet, and what became of it (core/betting.py); what a bet may say at all (the triggers of `bets`).
"""

from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine, Select, Table, func, select, text

from pl_predictor import tables
from pl_predictor.core.betting import EDGE_COLUMNS, Prices
from pl_predictor.core.betting_scores import SCORE_COLUMNS
from pl_predictor.core.matches import KEY
from pl_predictor.settings import MODEL_NAME
from pl_predictor.storage.connection import read, replace, stage

TAKEN_COLUMNS: Final = (
    *(*KEY, "kickoff", "outcome", "forecast_id", "probability", "odds", "prices", "edge"),
    *("stake", "bankroll", "starting_bankroll"),
)
"""What `take` needs to know of a bet."""
SETTLED_COLUMNS: Final = ("id", "settlement", "profit", "bankroll_after")
_DTYPES: Final = {int: "int64", float: "float64", bool: "bool", datetime: "datetime64[ns, UTC]"}


class BetStorage:
    """Writes sets of rows in one transaction each, the same set twice as once; reads them as frames."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ledger(self, *, replay: bool) -> pd.DataFrame:
        """Every bet of a ledger (columns of `bets`) in the order in which they were taken; settlement None while open,
        profit and bankroll_after NaN."""
        table = tables.bets
        mine = (table.c.model_name == MODEL_NAME, table.c.replay == replay)
        return self._read(table, select(table).where(*mine).order_by(table.c.id))

    def take(
        self,
        bets: pd.DataFrame,
        *,
        as_of: datetime,
        replay: bool,
        model_version: str,
        code_version: str,
        dagster_run_id: str | None = None,
    ) -> int:
        """Take bets (TAKEN_COLUMNS); returns how many are new. A match that is bet on already stays as it is.

        The database refuses a bet that is not its forecast's, not at a price that there is, at or after kick-off, or
        more than the ledger can afford.
        """
        rows = bets[list(TAKEN_COLUMNS)].assign(
            as_of=as_of,
            replay=replay,
            model_name=MODEL_NAME,
            model_version=model_version,
            code_version=code_version,
            dagster_run_id=dagster_run_id,
        )
        columns = ", ".join(rows.columns)
        with self._engine.begin() as connection:
            staged = stage(connection, tables.bets, rows)
            return connection.execute(
                text(
                    f"INSERT INTO bets ({columns}) SELECT {columns} FROM {staged} ORDER BY kickoff, home_team "
                    f"ON CONFLICT ({', '.join(KEY)}, model_name, replay) WHERE settlement IS DISTINCT FROM 'void' "
                    "DO NOTHING"
                )
            ).rowcount

    def settle(self, settlements: pd.DataFrame, *, settled_at: datetime) -> int:
        """Settle open bets (SETTLED_COLUMNS) in the order of the rows; returns how many were open. All or none.

        The database refuses what the match, the odds and the bankroll do not say.
        """
        update = text(
            "UPDATE bets SET settlement = :settlement, profit = :profit, bankroll_after = :bankroll_after, "
            "settled_at = :settled_at WHERE id = :id AND settlement IS NULL"
        )
        rows = settlements[list(SETTLED_COLUMNS)].assign(settled_at=settled_at).to_dict("records")
        with self._engine.begin() as connection:
            # Readers go on; a second writer waits for its turn, before either has a row that the other waits for.
            connection.execute(text("LOCK TABLE bets IN SHARE ROW EXCLUSIVE MODE"))
            settled = [connection.execute(update, {str(name): value for name, value in row.items()}) for row in rows]
        return sum(done.rowcount for done in settled)

    def replace_edges(
        self,
        edges: pd.DataFrame,
        *,
        prices: Prices,
        as_of: datetime,
        replay: bool,
        model_version: str,
        code_version: str,
        dagster_run_id: str | None = None,
    ) -> None:
        """Let the table say what these rows say (EDGE_COLUMNS), and nothing else; a frame without rows leaves none."""
        rows = edges[list(EDGE_COLUMNS)].assign(
            prices=prices,
            as_of=as_of,
            replay=replay,
            model_version=model_version,
            code_version=code_version,
            dagster_run_id=dagster_run_id,
        )
        with self._engine.begin() as connection:
            replace(connection, tables.market_edges, rows)

    def edges(self) -> pd.DataFrame:
        """What is there to bet on (columns of `market_edges`) by kick-off and home team, each match as H, D, A."""
        table = tables.market_edges
        order = (table.c.kickoff, table.c.home_team, func.strpos("HDA", table.c.outcome))
        return self._read(table, select(table).order_by(*order))

    def store_scores(
        self,
        scores: pd.DataFrame,
        *,
        as_of: datetime,
        replay: bool,
        code_version: str,
        dagster_run_id: str | None = None,
    ) -> None:
        """Let the table say of that moment what these rows say (SCORE_COLUMNS), and nothing else."""
        rows = scores[list(SCORE_COLUMNS)].assign(
            as_of=as_of, replay=replay, code_version=code_version, dagster_run_id=dagster_run_id
        )
        with self._engine.begin() as connection:
            replace(connection, tables.betting_scores, rows, as_of=as_of, replay=replay)

    def scores(self, as_of: datetime, *, replay: bool) -> pd.DataFrame:
        """The scores of that moment (columns of `betting_scores`)."""
        table = tables.betting_scores
        mine = (table.c.as_of == as_of, table.c.replay == replay)
        return self._read(table, select(table).where(*mine).order_by(table.c.slice, table.c.metric))

    def _read(self, table: Table, query: "Select[Any]") -> pd.DataFrame:
        """The rows with the types of the table's columns, however many there are."""
        with self._engine.connect() as connection:
            rows = read(connection, query)
        kinds = {column.name: column.type.python_type for column in table.columns}
        return rows.astype({name: _DTYPES[kind] for name, kind in kinds.items() if kind in _DTYPES})
