"""How long taking in matches takes, and how much memory: run as a process of its own, which prints its figures as JSON.

`ingest FOLDER`: everything a folder laid out as the site has, and once more. `synthetic N`: N matches, or some more, in
the same layout, a season of 102 teams at a time.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import click
from sqlalchemy import Engine, text

from pl_predictor import migrations
from pl_predictor.core.teams import TEAMS
from pl_predictor.intake import Intake
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.sources import SourceOptions, get_source
from pl_predictor.sources.layout import parse
from pl_predictor.storage.connection import create_databases, open_engine
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.tables import metadata
from pl_predictor_tests.bench.peak import megabytes
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.sources.made_up import content, header, row

BIG_LEAGUE = [f"Team {number}" for number in range(102)]


@contextmanager
def migrated(folder: Path) -> Iterator[Engine]:
    """An engine on a new database of a server of its own."""
    with PostgresServer(folder, port=free_port()).lease() as address:
        server = f"postgresql+psycopg2://{address.user}:{address.password}@{address.host}:{address.port}"
        create_databases(f"{server}/postgres", ["bench"])
        engine = open_engine(f"{server}/bench")
        migrations.upgrade(engine)
        yield engine
        engine.dispose()


def ingest(engine: Engine, mirror: str) -> dict[str, float]:
    """The first taking in, and a second one with nothing new."""
    source = get_source("football-data", SourceOptions((mirror,)))
    intake = Intake(source, MatchStorage(engine), FeedStorage(engine, "bench"), TEAMS)
    now = datetime.now(timezone.utc)
    figures: dict[str, float] = {}
    for which in ("first", "unchanged"):
        with engine.begin() as connection:
            start = connection.scalar(text("SELECT txid_current()"))
        began = time.monotonic()
        taken = intake.seasons(now)
        figures |= {f"{which}_s": time.monotonic() - began, f"{which}_rows": written_since(engine, start)}
        figures[f"{which}_matches"] = sum(one.changes.new for one in taken)
    return {**figures, "mb": megabytes()}


def written_since(engine: Engine, transaction: int) -> int:
    """Rows that a transaction after this one inserted or updated, in every table."""
    counts = (f"SELECT count(*) AS n FROM {name} WHERE xmin::text::bigint > :start" for name in metadata.tables)
    with engine.connect() as connection:
        query = text(f"SELECT sum(n) FROM ({' UNION ALL '.join(counts)}) written")
        return int(connection.execute(query, {"start": transaction}).scalar_one())


def synthetic(engine: Engine, matches: int) -> dict[str, float]:
    """Season after season until there are so many matches; generating the files is not counted."""
    storage, feed = MatchStorage(engine), FeedStorage(engine, "bench")
    seconds, stored = 0.0, 0
    for season in range(1993, 2093):
        if stored >= matches:
            break
        file = content([header(season), *big_season(season)])
        began = time.monotonic()
        parsed = parse(file, file=f"{season}.csv", season=season, complete=True)
        stored += storage.store_matches(parsed.matches, "bench").new
        feed.store_odds(parsed.odds)
        seconds += time.monotonic() - began
    return {"s": seconds, "matches": stored, "mb": megabytes()}


def big_season(season: int) -> Iterator[str]:
    """10,302 matches: a double round robin with a round every other day."""
    fixed, *turning = BIG_LEAGUE
    half = len(BIG_LEAGUE) // 2
    for number in range(2 * len(turning)):
        circle, day = [fixed, *turning], date(season, 6, 5) + timedelta(days=2 * number)
        for i in range(half):
            pair = circle[i], circle[-1 - i]
            one, two = pair if number < len(turning) else pair[::-1]
            yield row("E0", day, one, two)
        turning = [turning[-1], *turning[:-1]]


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="pl_predictor_bench_") as home, migrated(Path(home)) as database:
        figures = ingest(database, argument) if what == "ingest" else synthetic(database, int(argument))
    click.echo(json.dumps(figures))
