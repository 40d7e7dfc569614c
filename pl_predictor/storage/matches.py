"""`matches` and `match_features`: what is known about each match, and what a model sees of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Column, Engine, Select, Table, func, select, text

from pl_predictor import tables
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET, TARGETS
from pl_predictor.core.matches import CLOSING_ODDS, KEY, MATCH_COLUMNS, STATISTICS, join, known_at
from pl_predictor.storage.connection import read, replace, stage


@dataclass(frozen=True)
class Changes:
    """How many rows of a write were new, revised, or the same as before."""

    new: int
    revised: int
    unchanged: int


def _match_columns(table: Table) -> "list[Column[Any]]":
    return [table.c[name] for name in MATCH_COLUMNS]


class MatchStorage:
    """Reads and writes matches and their features on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store_matches(self, matches: pd.DataFrame, source: str, division: str = "E0") -> Changes:
        """Add and revise matches by their key (match frame). What was known is never replaced by 'unknown'.

        What a row said before, and when it came to say it, stays in `match_revisions`.
        """
        rows = matches.assign(source=source, division=division)
        values = [column for column in rows.columns if column not in KEY]
        facts = [column for column in values if column != "source"]  # who says it again is nothing new
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
                    + ", ".join(f"matches.{column}" for column in facts)
                    + f") IS DISTINCT FROM ({', '.join(merged[column] for column in facts)}) RETURNING xmax = 0"
                )
            ).all()
        new = sum(written)
        return Changes(new=new, revised=len(written) - new, unchanged=len(rows) - len(written))

    def matches(self, as_of: datetime, *, replay: bool = True, division: str = "E0") -> pd.DataFrame:
        """Every match of a division that was known at `as_of`, with what was known of it (match frame).

        Live it is what the table says. In a replay it is what the log says that the table said then; only of a season
        that the log has nothing of by then, dates tell what was known (core.matches.known_at).
        """
        table, log = tables.matches, tables.match_revisions
        latest = self._read(select(*_match_columns(table)).where(table.c.division == division))
        if not replay:
            return known_at(latest, as_of, recorded=True)
        key = [log.c[name] for name in KEY]
        then = select(*_match_columns(log)).distinct(*key).where(log.c.division == division, log.c.seen_at <= as_of)
        seen = self._read(then.order_by(*key, log.c.seen_at.desc()))
        if seen.empty:
            return known_at(latest, as_of)
        unlogged = latest[~latest["season"].isin(set(seen["season"]))]
        return join([known_at(unlogged, as_of), known_at(seen, as_of, recorded=True)])

    def newest_as_of(self) -> datetime | None:
        """The moment that the features were last built for; None where there are none."""
        with self._engine.connect() as connection:
            found: datetime | None = connection.scalar(select(func.max(tables.match_features.c.as_of)))
        return found

    def withdraw_results(self, matches: pd.DataFrame, season: int, division: str) -> int:
        """Forget the results of a season that these matches (match frame) do not have any more; returns how many."""
        gone = ("home_goals", "away_goals", "result", *STATISTICS, *CLOSING_ODDS, "closing_source")
        played = matches.loc[matches["result"].notna(), list(KEY)]
        with self._engine.begin() as connection:
            staged = stage(connection, tables.matches, played)
            return connection.execute(
                text(
                    f"UPDATE matches SET {', '.join(f'{name} = NULL' for name in gone)}, updated_at = now() "
                    "WHERE season = :season AND division = :division AND result IS NOT NULL "
                    f"AND ({', '.join(KEY)}) NOT IN (SELECT {', '.join(KEY)} FROM {staged})"
                ),
                {"season": season, "division": division},
            ).rowcount

    def season(self, season: int, division: str) -> pd.DataFrame:
        """All that is known of a season's matches (match frame)."""
        table = tables.matches
        return self._read(select(*_match_columns(table)).where(table.c.season == season, table.c.division == division))

    def _read(self, query: "Select[Any]") -> pd.DataFrame:
        with self._engine.connect() as connection:
            rows = read(connection, query)
        return join([rows.astype({name: column.dtype for name, column in MATCH_COLUMNS.items()})])

    def store_features(self, features: pd.DataFrame, *, as_of: datetime, code_version: str) -> None:
        """Replace all features by these (feature frame): they belong to one moment and one version of the code."""
        fixed = [*KEY, "kickoff", *TARGETS, *MARKET]
        rows = features[fixed].assign(
            features=pd.Series(features.drop(columns=fixed).to_dict("records"), features.index, dtype=object),
            as_of=as_of,
            code_version=code_version,
        )
        with self._engine.begin() as connection:
            replace(connection, tables.match_features, rows)

    def features(self, as_of: datetime, *, code_version: str, exactly: bool = False) -> pd.DataFrame:
        """The features as last built (feature frame).

        PredictorError where another version of the code built them, where they know more than `as_of` did, or, if
        `exactly`, were built for any other moment.
        """
        query = select(tables.match_features).order_by("kickoff", "home_team")
        with self._engine.connect() as connection:
            rows = read(connection, query)
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
        market = rows[list(MARKET)].astype("float64")
        names = [*KEY, "kickoff", *TARGETS]
        identity = rows[names].astype({name: MATCH_COLUMNS[name].dtype for name in names})
        return pd.concat([identity, values, market], axis=1)
