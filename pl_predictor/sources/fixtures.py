"""football-data.co.uk's fixtures.csv: the next three or four days of all leagues, in the layout of a season's file."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from pl_predictor.sources.bookmakers import CLOSING, CLOSING_CONSENSUS
from pl_predictor.sources.layout import Parsed, read_rows, table_of

FILE: Final = "fixtures.csv"
_REQUIRED: Final = ("Div", "Date", "Time", "HomeTeam", "AwayTeam", "B365H", "AvgH", "MaxH")
_DATE: Final = re.compile(r"(\d\d)/(\d\d)/(\d{4})", re.ASCII)
_FIRST_MONTH: Final = 8  # no season began before August; 2019/20, which ended in July, is over


@dataclass(frozen=True)
class FixtureList:
    """The list as it stands: `parsed` the rows of one division, played ones that linger included; `newest_listed` the
    last day of any row, UTC midnight, None where there is no row."""

    parsed: Parsed
    newest_listed: datetime | None


def parse_fixtures(content: bytes, *, file: str, division: str = "E0") -> FixtureList:
    """Read the list. A match's season follows from its date. Raises FeedError, also where closing prices are filled:
    they are not known before a match, so the file is not what it says."""
    table = table_of(content, file, _REQUIRED, division=division)
    # Of other leagues' rows only the day counts, and one that has none does not count: their faults are not ours.
    days = pd.to_datetime(pd.Series(table.cells("Date")), format="%d/%m/%Y", errors="coerce", utc=True).dropna()
    ours = table.where([cell == division for cell in table.cells("Div")])
    for columns in (*CLOSING.values(), *CLOSING_CONSENSUS.values()):
        for row, cell in enumerate(ours.cells(columns[0])):
            if cell:
                raise ours.error(
                    row, f"closing price {columns[0]} of a match to come is {cell!r}", "odds_are_plausible"
                )
    parsed = read_rows(ours, [_season(cell) for cell in ours.cells("Date")])
    return FixtureList(parsed, days.max().to_pydatetime() if len(days) else None)


def _season(date: str) -> int:
    found = _DATE.fullmatch(date)
    if found is None:
        return 0  # read_rows says which line it is on
    return int(found[3]) - (int(found[2]) < _FIRST_MONTH)
