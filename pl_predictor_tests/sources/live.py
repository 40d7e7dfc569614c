"""A live source on files that were made up, and the tables it goes into."""

from datetime import datetime, timezone

import pandas as pd
from sqlalchemy import Engine, text

from pl_predictor.core.teams import TEAMS
from pl_predictor.intake import Intake, SeasonIntake
from pl_predictor.sources.download import Patience
from pl_predictor.sources.football_data import FootballData
from pl_predictor.sources.layout import parse
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.sources.made_up import FIXTURES_HEADER, content, season_lines

NOW = datetime(2023, 12, 1, 12, tzinfo=timezone.utc)
QUICK = Patience(interval=0, timeout=1, deadline=1, attempts=2, backoff=0.01)
LAST, RUNNING, BELOW = "mmz4281/2223/E0.csv", "mmz4281/2324/E0.csv", "mmz4281/2324/E1.csv"
OLD, NEW = season_lines(2023, played=15), season_lines(2023, played=16)
FILES = {
    LAST: content(season_lines(2022)),
    "mmz4281/2223/E1.csv": content(season_lines(2022, "E1")),
    RUNNING: content(OLD),
    BELOW: content(season_lines(2023, "E1", played=18)),
    "fixtures.csv": content([FIXTURES_HEADER]),
}


class Feed:
    """A live source and the tables it goes into."""

    def __init__(
        self, engine: Engine, *addresses: str, code_version: str = "today", patience: Patience = QUICK
    ) -> None:
        self.engine = engine
        self.matches = MatchStorage(engine)
        self.shelf = FeedStorage(engine, code_version)
        self.intake = Intake(FootballData(addresses, patience, first_season=2022), self.matches, self.shelf, TEAMS)

    def take_in(self, now: datetime = NOW, **how: bool) -> dict[str, SeasonIntake]:
        return {taken.file.path: taken for taken in self.intake.seasons(now, **how)}

    def running(self) -> pd.DataFrame:
        return self.matches.season(2023, "E0")

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def rows(lines: list[str]) -> pd.DataFrame:
    return parse(content(lines), file="E0.csv", season=2023).matches


def changed(lines: list[str], line: int, old: str, new: str) -> list[str]:
    assert old in lines[line]
    return [text.replace(old, new, 1) if number == line else text for number, text in enumerate(lines)]


SCORE = ",".join(OLD[1].split(",")[5:8])
OTHER_SCORE = "5,0,H"
