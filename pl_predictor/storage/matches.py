"""`matches` and `match_features`: what is known about each match, and what a model sees of it."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Engine, select, text

from pl_predictor import tables
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES
from pl_predictor.core.matches import KEY, MATCH_COLUMNS, known_at
from pl_predictor.storage.connection import stage


@dataclass(frozen=True)
class Changes:
    """How many rows of a write were new, revised, or the same as before."""

    new: int
    revised: int
    unchanged: int


class MatchStorage:
    """Reads and writes matches and their features on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store_matches(self, matches: pd.DataFrame, source: str) -> Changes:
        """Add and revise matches by their key (match frame). What was known is never replaced by 'unknown'."""
        rows = matches.assign(source=source)
        values = [column for column in rows.columns if column not in KEY]
        merged = {column: f"COALESCE(excluded.{column}, matches.{column})" for column in values}
        with self._engine.begin() as connection:
            staged = stage(connection, tables.matches, rows)
            columns = ", ".join(rows.columns)
            written = connection.scalars(
                text(
                    f"INSERT INTO matches ({columns}) SELECT {columns} FROM {staged} "
                    f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET "
                    + ", ".join(f"{column} = {value}" for column, value in merged.items())
                    + ", updated_at = now() WHERE ("
                    + ", ".join(f"matches.{column}" for column in values)
                    + f") IS DISTINCT FROM ({', '.join(merged.values())}) RETURNING xmax = 0"
                )
            ).all()
        new = sum(written)
        return Changes(new=new, revised=len(written) - new, unchanged=len(rows) - len(written))

    def matches(self, as_of: datetime) -> pd.DataFrame:
        """Every match that was known at `as_of`, with what was known of it (match frame)."""
        query = select(*(tables.matches.c[name] for name in MATCH_COLUMNS)).order_by("kickoff", "home_team")
        with self._engine.connect() as connection:
            rows = pd.read_sql(query, connection)
        return known_at(rows.astype({name: column.dtype for name, column in MATCH_COLUMNS.items()}), as_of)

    def store_features(self, features: pd.DataFrame, *, as_of: datetime, code_version: str) -> None:
        """Replace all features by these (feature frame): they belong to one moment and one version of the code."""
        fixed = [*KEY, "kickoff", "result", "market_home", "market_draw", "market_away"]
        rows = features[fixed].assign(
            features=pd.Series(features.drop(columns=fixed).to_dict("records"), features.index, dtype=object),
            as_of=as_of,
            code_version=code_version,
        )
        with self._engine.begin() as connection:
            # Readers go on; a second writer waits for its turn.
            connection.execute(text("LOCK TABLE match_features IN SHARE ROW EXCLUSIVE MODE"))
            staged = stage(connection, tables.match_features, rows)
            connection.execute(text("DELETE FROM match_features"))
            columns = ", ".join(rows.columns)
            connection.execute(text(f"INSERT INTO match_features ({columns}) SELECT {columns} FROM {staged}"))

    def features(self, as_of: datetime, *, code_version: str, exactly: bool = False) -> pd.DataFrame:
        """The features as last built (feature frame).

        PredictorError where another version of the code built them, where they know more than `as_of` did, or, if
        `exactly`, were built for any other moment.
        """
        query = select(tables.match_features).order_by("kickoff", "home_team")
        with self._engine.connect() as connection:
            rows = pd.read_sql(query, connection)
        if rows.empty:
            raise PredictorError("there are no features yet: materialize matches and features first")
        if other := set(rows["code_version"]) - {code_version}:
            raise PredictorError(
                f"the features were built by version {', '.join(other)} of their code and this is {code_version}: "
                "materialize features first"
            )
        built = rows["as_of"].max()
        if exactly and built < as_of:
            raise PredictorError(
                f"the features were built at {built:%Y-%m-%d %H:%M} UTC and lack what {as_of:%Y-%m-%d %H:%M} UTC knew: "
                "materialize features for that moment first"
            )
        if built > as_of:
            raise PredictorError(
                f"the features were built at {built:%Y-%m-%d %H:%M} UTC and know what {as_of:%Y-%m-%d %H:%M} UTC "
                "could not: materialize features for that moment first"
            )
        values = pd.DataFrame(rows.pop("features").tolist(), index=rows.index, dtype="float64")
        values = values[[name for name in FEATURES if name in values]]  # jsonb keeps no order
        market = rows[["market_home", "market_draw", "market_away"]].astype("float64")
        identity = rows[[*KEY, "kickoff", "result"]].astype({"season": "int64", "kickoff": "datetime64[ns, UTC]"})
        return pd.concat([identity, values, market], axis=1)
