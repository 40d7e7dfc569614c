"""football-data.co.uk's file layout: the bytes of one season file in, a match frame out.

No input or output happens here, and nothing is guessed: what the site is known to write is handled, anything else is a
FeedError that names file, line, value and remedy. Where files come from belongs to the sources beside this module.
"""

import codecs
import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.matches import (
    CLOSING_ODDS,
    MAX_ODDS,
    MAX_ODDS_OVERROUND,
    OUTCOMES,
    OVERROUND,
    PRE_MATCH_ODDS,
    SHOTS,
    UK,
    match_frame,
    season_name,
    validate,
)

Triplet = tuple[str, str, str]

# Prices of home win, draw and away win, preferred source first: a file uses the first one whose columns it has, for all
# its rows. Tables, not patterns: the C of closing prices has no fixed place, and BFD is Betfair's draw or all Betfred.
CONSENSUS: Final[dict[str, Triplet]] = {
    "Avg": ("AvgH", "AvgD", "AvgA"),  # since 2019/20
    "BbAv": ("BbAvH", "BbAvD", "BbAvA"),  # 2005/06 to 2018/19
    "B365": ("B365H", "B365D", "B365A"),  # since 2002/03
}
BEST: Final[dict[str, Triplet]] = {
    "Max": ("MaxH", "MaxD", "MaxA"),
    "BbMx": ("BbMxH", "BbMxD", "BbMxA"),
}
CLOSING: Final[dict[str, Triplet]] = {
    "AvgC": ("AvgCH", "AvgCD", "AvgCA"),  # since 2019/20
    "PSC": ("PSCH", "PSCD", "PSCA"),  # since 2012/13; stops in January 2026
}
_STATISTICS: Final = dict(zip(SHOTS, ("HS", "AS", "HST", "AST"), strict=True))
_REQUIRED: Final = ("Div", "Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "FTR")
_READ: Final = {*_REQUIRED, "Time", *_STATISTICS.values()}.union(
    *(triplet for table in (CONSENSUS, BEST, CLOSING) for triplet in table.values())
)

_FETCH_AGAIN: Final = "fetch the file again, or correct it"
_FIRST_SEASON: Final = 1993  # the site's first; two digits of a year are read as 1993 to 2092
_DATE: Final = re.compile(r"(\d\d)/(\d\d)/(\d\d|\d{4})", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d)", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,3}", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def season_folder(season: int) -> str:
    """The folder of a season by its first year: 2023 -> "2324". Raises PredictorError outside 1993 to 2092."""
    if not _FIRST_SEASON <= season < _FIRST_SEASON + 100:
        raise PredictorError(f"season {season} is outside 1993 to 2092; name a season by its first year, such as 2023")
    return f"{season % 100:02d}{(season + 1) % 100:02d}"


def season_of_folder(folder: str) -> int:
    """The first year of a season folder: "2324" -> 2023, "9900" -> 1999. Raises FeedError for any other name."""
    if re.fullmatch(r"\d{4}", folder):
        season = _full_year(int(folder[:2]))
        if season_folder(season) == folder:
            return season
    raise FeedError(f"folder {folder!r} is not a season; seasons are named by two years in a row, such as 2324")


def parse(content: bytes, *, file: str, season: int, division: str = "E0") -> pd.DataFrame:
    """Read one season file of one division into a valid match frame, a row for every row that is not blank.

    `file` names it in messages. Cells of odds and shots that hold no possible value become null, all three of a triplet
    together; `attrs["discarded"]` of the frame counts them by kind: "odds", "max_odds", "closing_odds" (triplets) and
    "shots" (cells). Rows without goals and result are matches to come. Raises FeedError for anything else that is odd.
    """
    table = _table(content, file)
    for row, cell in enumerate(table.cells("Div")):
        if cell != division:
            raise table.error(row, f"division is {cell!r}, not {division!r}")
    odds_source, odds, odds_lost = _triplets(table, CONSENSUS, OVERROUND)
    _, max_odds, max_lost = _triplets(table, BEST, MAX_ODDS_OVERROUND)
    closing_source, closing_odds, closing_lost = _triplets(table, CLOSING, OVERROUND)
    shots = {name: _statistic(table, column) for name, column in _STATISTICS.items()}
    kickoff, time_known = _kickoff(table, season)
    matches = match_frame(
        {
            "season": [season] * len(table.rows),
            "home_team": table.cells("HomeTeam"),
            "away_team": table.cells("AwayTeam"),
            "kickoff": kickoff,
            "kickoff_time_known": time_known,
            **_transposed(("home_goals", "away_goals", "result"), _goals_and_result(table)),
            **{name: values for name, (values, _) in shots.items()},
            **_transposed(PRE_MATCH_ODDS, odds),
            "odds_source": [odds_source if prices[0] else None for prices in odds],
            **_transposed(MAX_ODDS, max_odds),
            **_transposed(CLOSING_ODDS, closing_odds),
            "closing_source": [closing_source if prices[0] else None for prices in closing_odds],
        }
    )
    validate(matches, file)
    lost = {"odds": odds_lost, "max_odds": max_lost, "closing_odds": closing_lost}
    matches.attrs["discarded"] = {**lost, "shots": sum(cells for _, cells in shots.values())}
    return matches


@dataclass(frozen=True)
class _Table:
    """The rows of a file that are not blank, with the line each stands on and where each column is."""

    file: str
    column: dict[str, int]
    lines: list[int]
    rows: list[list[str]]

    def cells(self, name: str) -> list[str]:
        """One column, stripped; empty strings where the file does not have it."""
        if name not in self.column:
            return [""] * len(self.rows)
        place = self.column[name]
        return [row[place].strip() for row in self.rows]

    def error(self, row: int, problem: str) -> FeedError:
        return FeedError(f"{self.file}, line {self.lines[row]}: {problem}; {_FETCH_AGAIN}")


def _text(content: bytes, file: str) -> str:
    """Decode: UTF-8 with or without a mark, else Windows-1252, whose no-break spaces become spaces."""
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
            problem = f"byte 0x{byte:02X} is neither UTF-8 nor Windows-1252 text"
            raise FeedError(f"{file}, line {line}: {problem}; {_FETCH_AGAIN}") from error
    if text.lstrip().startswith("<"):
        raise FeedError(f"{file} is a web page, not CSV: the site answered with an error page; fetch it again later")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FeedError(f"{file}, line {line}: NUL character, so the file is damaged; {_FETCH_AGAIN}")
    return text.replace("\xa0", " ")


def _table(content: bytes, file: str) -> _Table:
    """Split into rows and columns, losing nothing: only what is blank may be dropped."""
    text = _text(content, file)
    *lines, rest = text.split("\n")
    if rest or not lines:
        problem = f"the file ends within the line, at {rest[-30:]!r}" if rest else "the file is empty"
        raise FeedError(f"{file}, line {len(lines) + 1}: {problem}, so it is truncated; {_FETCH_AGAIN}")
    reader = csv.reader(lines, strict=True)
    rows = []
    try:
        for number, row in enumerate(reader, start=1):
            if reader.line_num != number:
                raise csv.Error("a quoted cell runs over the end of the line")
            rows.append(row)
    except csv.Error as error:
        raise FeedError(f"{file}, line {len(rows) + 1}: {error}; {_FETCH_AGAIN}") from error
    header = [name.strip() for name in rows[0]]
    table = _Table(file, _columns(header, file), [], [])
    for number, row in enumerate(rows[1:], start=2):
        if any(map(str.strip, row)):
            _check_width(row, header, f"{file}, line {number}")
            table.lines.append(number)
            table.rows.append(row)
    return table


def _columns(header: list[str], file: str) -> dict[str, int]:
    """Where each column this module reads stands; refuses a header that is not the layout's."""
    if header[:1] != ["Div"]:
        found = ",".join(header)[:40]
        raise FeedError(f"{file}, line 1: the header starts with {found!r}, not with 'Div'; {_FETCH_AGAIN}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise FeedError(f"{file}, line 1: columns {twice} appear twice; {_FETCH_AGAIN}")
    missing = [name for name in _REQUIRED if name not in header]
    for triplet in (triplet for table in (CONSENSUS, BEST, CLOSING) for triplet in table.values()):
        lacking = [name for name in triplet if name not in header]
        missing += lacking if len(lacking) < len(triplet) else []
    if missing:
        raise FeedError(f"{file}, line 1: columns {missing} are missing; {_FETCH_AGAIN}")
    return {name: place for place, name in enumerate(header) if name in _READ}


def _check_width(row: list[str], header: list[str], where: str) -> None:
    """Rows may be longer or shorter than the header, if nothing stands outside it and nothing that is read lacks."""
    outside = [cell for cell in row[len(header) :] if cell.strip()]
    outside += [cell for cell, name in zip(row, header, strict=False) if not name and cell.strip()]
    if outside:
        raise FeedError(f"{where}: cell {outside[0]!r} stands under no column name; {_FETCH_AGAIN}")
    cut = [name for name in header[len(row) :] if name in _READ]
    if cut:
        raise FeedError(f"{where}: the row ends before column {cut[0]}; {_FETCH_AGAIN}")


def _full_year(two_digits: int) -> int:
    return _FIRST_SEASON + (two_digits - _FIRST_SEASON) % 100


def _kickoff(table: _Table, season: int) -> tuple[pd.Series, list[bool]]:
    """Kick-offs in UTC, and whether each one's time is known. The files give days and times of the UK."""
    local = []
    for row, (day, time) in enumerate(zip(table.cells("Date"), table.cells("Time"), strict=True)):
        date = _DATE.fullmatch(day)
        clock = _TIME.fullmatch(time or "00:00")
        if not date:
            raise table.error(row, f"date {day!r} is neither dd/mm/yy nor dd/mm/yyyy")
        if not clock:
            raise table.error(row, f"time {time!r} is not hh:mm")
        year = _full_year(int(date[3])) if len(date[3]) == 2 else int(date[3])
        if year not in {season, season + 1}:
            raise table.error(row, f"date {day!r} is not in season {season_name(season)}")
        try:
            local.append(datetime(year, int(date[2]), int(date[1]), int(clock[1]), int(clock[2])))  # noqa: DTZ001
        except ValueError as error:
            raise table.error(row, f"{day} {time}".strip() + f" does not exist ({error})") from error
    naive = pd.Series(local, dtype="datetime64[ns]")
    # In the hour the clocks change a local time means two moments or none: no match starts then.
    kickoff = naive.dt.tz_localize(UK, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
    for row in kickoff.index[kickoff.isna()]:
        raise table.error(int(row), f"{naive[row]:%d/%m/%Y %H:%M} is in the hour the UK clocks change")
    return kickoff, [bool(time) for time in table.cells("Time")]


def _goals_and_result(table: _Table) -> Iterable[tuple[int | None, int | None, str | None]]:
    """Home goals, away goals and result of each row: all three, or none where the match is to come."""
    cells = zip(table.cells("FTHG"), table.cells("FTAG"), table.cells("FTR"), strict=True)
    for row, (home, away, result) in enumerate(cells):
        if not (home or away or result):
            yield None, None, None
            continue
        if not (_COUNT.fullmatch(home) and _COUNT.fullmatch(away)) or result not in OUTCOMES:
            raise table.error(row, f"FTHG, FTAG, FTR are {home!r}, {away!r}, {result!r}, not two numbers and H, D or A")
        margin = int(home) - int(away)
        if result != ("H" if margin > 0 else "A" if margin < 0 else "D"):
            raise table.error(row, f"FTR is {result!r}, but the score is {home}-{away}")
        yield int(home), int(away), result


def _statistic(table: _Table, column: str) -> tuple[list[int | None], int]:
    """A column of counts, and how many cells held something that is no number (the site has "-", "x" and "#REF!")."""
    values: list[int | None] = []
    lost = 0
    for row, cell in enumerate(table.cells(column)):
        if not _COUNT.fullmatch(cell) and _NUMBER.fullmatch(cell):
            raise table.error(row, f"{column} is {cell!r}, not a count")
        values.append(int(cell) if _COUNT.fullmatch(cell) else None)
        lost += bool(cell) and values[-1] is None
    return values, lost


def _triplets(
    table: _Table, sources: dict[str, Triplet], bounds: tuple[float, float]
) -> tuple[str | None, list[tuple[float | None, ...]], int]:
    """The source a file has, the prices of each row (three or none), and how many triplets cannot be prices.

    Sources are never mixed within a file: a row that lacks this source's prices stays without.
    """
    for source, triplet in sources.items():
        if triplet[0] in table.column:
            cells = list(zip(*(table.cells(name) for name in triplet), strict=True))
            prices = [_prices(row, bounds) for row in cells]
            lost = sum(any(row) and not price[0] for row, price in zip(cells, prices, strict=True))
            return source, prices, lost
    return None, [(None, None, None)] * len(table.rows), 0


def _prices(cells: tuple[str, ...], bounds: tuple[float, float]) -> tuple[float | None, ...]:
    if all(map(_NUMBER.fullmatch, cells)):
        prices = tuple(map(float, cells))
        if min(prices) > 1 and bounds[0] <= sum(1 / price for price in prices) <= bounds[1]:
            return prices
    return (None, None, None)


def _transposed(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows of values to named columns; an empty column each where there are no rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(values) for name, values in zip(names, columns, strict=True)}
