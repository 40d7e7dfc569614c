"""`downloads`, `feed_files`, `match_odds`, `fixture_lists`: what a source sent, what became of it, and every price."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Engine, and_, func, not_, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from pl_predictor import tables
from pl_predictor.core.freshness import FixtureState
from pl_predictor.core.matches import ODDS_COLUMNS
from pl_predictor.sources.download import Download
from pl_predictor.sources.interface import Record
from pl_predictor.storage.connection import read, stage


@dataclass(frozen=True)
class FileState:
    """What became of one file: the columns of `feed_files` of those names. `digest`: of the content it is about."""

    path: str
    season: int
    division: str
    source: str
    state: str
    digest: str | None = None
    rows: int | None = None
    discarded: dict[str, int] | None = None
    unknown_columns: tuple[str, ...] | None = None
    claim: str | None = None
    problem: str | None = None


class FeedStorage:
    """The shelf of a source (sources.interface.Shelf), and the record of its files, by the code of `code_version`."""

    def __init__(self, engine: Engine, code_version: str) -> None:
        self._engine = engine
        self._code_version = code_version

    def latest(self, path: str) -> Download | None:
        """The newest download of that file."""
        table = tables.downloads
        query = select(table).where(table.c.path == path).order_by(table.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Download(row.path, row.url, bytes(row.content), row.headers)

    def keep(self, download: Download) -> None:
        """Keep a download for ever; of one with the content of the newest, only what the server says of it is new."""
        table = tables.downloads
        newest = select(table.c.id, table.c.sha256).where(table.c.path == download.path).order_by(table.c.id.desc())
        said = {"url": download.url, "headers": dict(download.headers)}
        with self._engine.begin() as connection:
            row = connection.execute(newest.limit(1)).one_or_none()
            if row is not None and row.sha256 == download.digest:
                same = and_(table.c.url == download.url, table.c.headers == said["headers"])
                connection.execute(table.update().where(table.c.id == row.id, not_(same)).values(said))
            else:
                new = {"path": download.path, "sha256": download.digest, "content": download.content, **said}
                connection.execute(table.insert(), new)

    def record(self, path: str) -> Record | None:
        """What became of that file when it was last looked at; None where it never was."""
        table = tables.feed_files
        query = select(table.c.state, table.c.accepted_sha256, table.c.accepted_by).where(table.c.path == path)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Record(row.state, row.accepted_sha256, row.accepted_by == self._code_version)

    def note(self, file: FileState) -> None:
        """Note what became of a file; a row that says so already is not written. What was accepted last is kept."""
        table = tables.feed_files
        row: dict[str, Any] = {
            name: getattr(file, name) for name in ("path", "season", "division", "source", "state", "claim", "problem")
        }
        if file.state == "accepted":
            row |= {"accepted_sha256": file.digest, "accepted_by": self._code_version}
        if file.rows is not None:
            unknown = list(file.unknown_columns or ())
            row |= {"rows": file.rows, "discarded": file.discarded, "unknown_columns": unknown}
        statement = insert(table).values(row)
        changed = {name: statement.excluded[name] for name in row if name != "path"}
        differs = [table.c[name].is_distinct_from(value) for name, value in changed.items()]
        statement = statement.on_conflict_do_update(
            index_elements=["path"], set_={**changed, "since": func.now()}, where=or_(*differs)
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def files(self, source: str) -> pd.DataFrame:
        """Every file of a source that was ever wanted, and what became of it last (columns of `feed_files`)."""
        table = tables.feed_files
        query = select(table).where(table.c.source == source).order_by("season", "division")
        with self._engine.connect() as connection:
            return read(connection, query)

    def store_odds(self, odds: pd.DataFrame) -> int:
        """Add the prices (odds frame) that differ from the latest ones known; returns how many."""
        if odds.empty:
            return 0
        columns = ", ".join(odds.columns)
        key = ", ".join(name for name in ODDS_COLUMNS if not name.endswith("_odds"))
        with self._engine.begin() as connection:
            staged = stage(connection, tables.match_odds, odds)
            seasons = sorted({int(season) for season in odds["season"]})
            return connection.execute(
                text(
                    f"INSERT INTO match_odds ({columns}) SELECT {columns} FROM {staged} EXCEPT "
                    f"SELECT {columns} FROM (SELECT DISTINCT ON ({key}) {columns} FROM match_odds "
                    f"WHERE season = ANY(:seasons) ORDER BY {key}, seen_at DESC) latest"
                ),
                {"seasons": seasons},
            ).rowcount

    def odds(self, season: int, *, first_seen: bool = False) -> pd.DataFrame:
        """Every bookmaker's latest prices of a season, or those first seen (odds frame with seen_at)."""
        table = tables.match_odds
        key = [table.c[name] for name in ODDS_COLUMNS if not name.endswith("_odds")]
        order = table.c.seen_at if first_seen else table.c.seen_at.desc()
        columns = [table.c[name] for name in (*ODDS_COLUMNS, "seen_at")]
        query = select(*columns).distinct(*key).where(table.c.season == season).order_by(*key, order)
        with self._engine.connect() as connection:
            return read(connection, query)

    def store_fixture_state(self, found: FixtureState, *, as_of: datetime, fixtures: int) -> None:
        """Note what the list of fixtures was worth at a moment."""
        row = {"as_of": as_of, "state": found.state, "reason": found.reason, "fixtures": fixtures}
        statement = insert(tables.fixture_lists).values(row)
        statement = statement.on_conflict_do_update(index_elements=["as_of"], set_={**row, "timestamp": func.now()})
        with self._engine.begin() as connection:
            connection.execute(statement)

    def fixture_state(self, as_of: datetime) -> FixtureState | None:
        """What the list of fixtures was last said to be worth, not later than `as_of`."""
        table = tables.fixture_lists
        query = (
            select(table.c.state, table.c.reason).where(table.c.as_of <= as_of).order_by(table.c.as_of.desc()).limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else FixtureState(row.state, row.reason)
