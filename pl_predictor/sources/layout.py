"""football-data.co.uk's file layout: the bytes of one season file in, a match frame out.

No input or output happens here, and nothing is guessed: what the site is known to write is handled, anything else is a
FeedError that names file, line, value and remedy. Where files come from belongs to the sources beside this module.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pandas as pd

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.matches import (
    BOOKMAKER_OVERROUND,
    CLOSING_ODDS,
    KEY,
    MAX_ODDS,
    MAX_ODDS_OVERROUND,
    OUTCOMES,
    OVERROUND,
    PRE_MATCH_ODDS,
    STATISTICS,
    UK,
    Where,
    match_frame,
    odds_frame,
    season_name,
    validate,
)
from pl_predictor.sources.bookmakers import (
    BEST,
    CLOSING,
    CLOSING_CONSENSUS,
    CONSENSUS,
    NUMBER,
    PRE_MATCH,
    TRIPLETS,
    Bounds,
    Triplet,
    is_other_market,
    possible_prices,
)

_STATISTICS: Final = dict(
    zip(
        STATISTICS,
        ("HS", "AS", "HST", "AST", "HTHG", "HTAG", "HC", "AC", "HF", "AF", "HY", "AY", "HR", "AR"),
        strict=True,
    )
)
_RESULT: Final = ("FTHG", "FTAG", "FTR")
_REQUIRED: Final = ("Div", "Date", "HomeTeam", "AwayTeam")
_READ: Final = {*_REQUIRED, *_RESULT, "Time", *_STATISTICS.values()}.union(*TRIPLETS)
_NOT_READ: Final = frozenset(
    {
        *("Attendance", "Referee", "HTR", "HHW", "AHW", "HFKC", "AFKC", "HO", "AO", "HBP", "ABP"),
    }
)
_SINCE: Final = {1995: ("HTHG", "HTAG"), 2000: tuple(_STATISTICS.values()), 2002: PRE_MATCH["B365"], 2019: ("Time",)}
"""Columns that every file of the site has from a season on, besides those of the consensus (see `_expected`)."""

_FETCH_AGAIN: Final = "fetch the file again, or correct it"
_FIRST_SEASON: Final = 1993  # the site's first; two digits of a year are read as 1993 to 2092
_DATE: Final = re.compile(r"(\d\d)/(\d\d)/(\d\d|\d{4})", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d)", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,3}", re.ASCII)


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


@dataclass(frozen=True)
class Parsed:
    """What one file says.

    matches: match frame. odds: odds frame, every bookmaker's prices of those matches. discarded: how many cells held no
    possible value and are null, by kind: "odds", "max_odds", "closing_odds", "bookmaker_odds" (triplets), "statistics".
    unknown_columns: names in the header that nobody has explained yet; they are not read.
    where: the file, and the line of each match.
    """

    matches: pd.DataFrame
    odds: pd.DataFrame
    discarded: dict[str, int]
    unknown_columns: tuple[str, ...]
    where: Where


def parse(content: bytes, *, file: str, season: int, division: str = "E0", complete: bool = False) -> Parsed:
    """Read one season file of one division: a match for every row that is not blank.

    `file` names it in messages. `complete`: insist on every column that the site's files of that season have. Cells of
    odds and statistics that hold no possible value become null, all three of a triplet together. Rows without goals and
    result are matches to come. Raises FeedError for anything else that is odd.
    """
    table = table_of(content, file, (*_REQUIRED, *_RESULT, *(_expected(season) if complete else ())))
    for row, cell in enumerate(table.cells("Div")):
        if cell != division:
            raise table.error(row, f"division is {cell!r}, not {division!r}", "files_arrive_whole")
    return read_rows(table, [season] * len(table.rows))


def read_rows(table: "Table", seasons: Sequence[int]) -> Parsed:
    """The matches of a table's rows, each of the season given for it. Raises FeedError, as `parse` does."""
    odds_source, odds, odds_lost = _triplets(table, CONSENSUS, OVERROUND)
    _, max_odds, max_lost = _triplets(table, BEST, MAX_ODDS_OVERROUND)
    closing_source, closing_odds, closing_lost = _triplets(table, CLOSING_CONSENSUS, OVERROUND)
    statistics = {name: _statistic(table, column) for name, column in _STATISTICS.items()}
    kickoff, time_known = _kickoff(table, seasons)
    key: dict[str, list[Any]] = dict(
        zip(KEY, (list(seasons), table.cells("HomeTeam"), table.cells("AwayTeam")), strict=True)
    )
    matches = match_frame(
        {
            **key,
            "kickoff": kickoff,
            "kickoff_time_known": time_known,
            **_transposed(("home_goals", "away_goals", "result"), _goals_and_result(table)),
            **{name: values for name, (values, _) in statistics.items()},
            **_transposed(PRE_MATCH_ODDS, odds),
            "odds_source": [odds_source if prices[0] else None for prices in odds],
            **_transposed(MAX_ODDS, max_odds),
            **_transposed(CLOSING_ODDS, closing_odds),
            "closing_source": [closing_source if prices[0] else None for prices in closing_odds],
        }
    )
    where = Where(table.file, dict(zip(zip(key["home_team"], key["away_team"], strict=True), table.lines, strict=True)))
    validate(matches, where)
    bookmakers, bookmakers_lost = _bookmakers(table, key)
    lost = {"odds": odds_lost, "max_odds": max_lost, "closing_odds": closing_lost, "bookmaker_odds": bookmakers_lost}
    discarded = {**lost, "statistics": sum(cells for _, cells in statistics.values())}
    return Parsed(matches, bookmakers, discarded, table.unknown_columns, where)


@dataclass(frozen=True)
class Table:
    """The rows of a file that are not blank, with the line each stands on and where each column is."""

    file: str
    column: dict[str, int]
    unknown_columns: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]

    def cells(self, name: str) -> list[str]:
        """One column, stripped; empty strings where the file does not have it."""
        if name not in self.column:
            return [""] * len(self.rows)
        place = self.column[name]
        # Only rows of another division than the one asked for may end early.
        return [row[place].strip() if place < len(row) else "" for row in self.rows]

    def where(self, keep: Sequence[bool]) -> "Table":
        """The table of those rows alone."""
        kept = [place for place, wanted in enumerate(keep) if wanted]
        return replace(self, lines=[self.lines[i] for i in kept], rows=[self.rows[i] for i in kept])

    def error(self, row: int, problem: str, claim: str = "rows_are_readable") -> FeedError:
        return FeedError(f"{self.file}, line {self.lines[row]}: {problem}; {_FETCH_AGAIN}", claim)


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
            raise FeedError(f"{file}, line {line}: {problem}; {_FETCH_AGAIN}", "files_arrive_whole") from error
    if text.lstrip().startswith("<"):
        problem = "is a web page, not CSV: the site answered with an error page; fetch it again later"
        raise FeedError(f"{file} {problem}", "files_arrive_whole")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        problem = "NUL character, so the file is damaged"
        raise FeedError(f"{file}, line {line}: {problem}; {_FETCH_AGAIN}", "files_arrive_whole")
    return text.replace("\xa0", " ")


def table_of(content: bytes, file: str, required: Sequence[str], *, division: str | None = None) -> Table:
    """Split into rows and columns, losing nothing: only what is blank is dropped.

    `required`: columns to insist on. `division`: whose rows must fit the columns; None for all.
    """
    text = _text(content, file)
    *lines, rest = text.split("\n")
    if rest or not lines:
        problem = f"the file ends within the line, at {rest[-30:]!r}" if rest else "the file is empty"
        problem = f"{file}, line {len(lines) + 1}: {problem}, so it is truncated; {_FETCH_AGAIN}"
        raise FeedError(problem, "files_arrive_whole")
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
    unknown = {name for name in header if name and name not in _READ | _NOT_READ and not is_other_market(name)}
    table = Table(file, _columns(header, file, required), tuple(sorted(unknown)), [], [])
    for number, row in enumerate(rows[1:], start=2):
        if any(map(str.strip, row)):
            if division is None or row[0].strip() == division:
                _check_width(row, header, f"{file}, line {number}")
            table.lines.append(number)
            table.rows.append(row)
    return table


def _expected(season: int) -> tuple[str, ...]:
    """The columns that every file of a season has, besides those that all files have."""
    consensus: tuple[str, ...] = ()
    if season >= 2019:
        consensus = (*CONSENSUS["Avg"], *BEST["Max"], *CLOSING_CONSENSUS["AvgC"])
    elif season >= 2005:
        consensus = (*CONSENSUS["BbAv"], *BEST["BbMx"], *(CLOSING_CONSENSUS["PSC"] if season >= 2012 else ()))
    return (*(name for since, names in _SINCE.items() if season >= since for name in names), *consensus)


def _columns(header: list[str], file: str, required: Sequence[str]) -> dict[str, int]:
    """Where each column this module reads stands; refuses a header that is not the layout's."""
    if header[:1] != ["Div"]:
        found = ",".join(header)[:40]
        problem = f"{file}, line 1: the header starts with {found!r}, not with 'Div'; {_FETCH_AGAIN}"
        raise FeedError(problem, "files_arrive_whole")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise FeedError(f"{file}, line 1: columns {twice} appear twice; {_FETCH_AGAIN}", "columns_are_known")
    missing = [name for name in required if name not in header]
    for triplet in TRIPLETS:
        lacking = [name for name in triplet if name not in header]
        missing += lacking if 0 < len(lacking) < len(triplet) else []
    if missing:
        columns = f"columns {list(dict.fromkeys(missing))} are missing"
        raise FeedError(f"{file}, line 1: {columns}; {_FETCH_AGAIN}", "columns_are_known")
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


def _kickoff(table: Table, seasons: Sequence[int]) -> tuple[pd.Series, list[bool]]:
    """Kick-offs in UTC, and whether each one's time is known. The files give days and times of the UK."""
    local = []
    for row, (day, time, season) in enumerate(zip(table.cells("Date"), table.cells("Time"), seasons, strict=True)):
        date = _DATE.fullmatch(day)
        clock = _TIME.fullmatch(time or "00:00")
        if not date:
            raise table.error(row, f"date {day!r} is neither dd/mm/yy nor dd/mm/yyyy")
        if not clock:
            raise table.error(row, f"time {time!r} is not hh:mm")
        year = _full_year(int(date[3])) if len(date[3]) == 2 else int(date[3])
        if year not in {season, season + 1}:
            raise table.error(row, f"date {day!r} is not in season {season_name(season)}", "dates_lie_in_the_season")
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


def _goals_and_result(table: Table) -> Iterable[tuple[int | None, int | None, str | None]]:
    """Home goals, away goals and result of each row: all three, or none where the match is to come."""
    cells = zip(table.cells("FTHG"), table.cells("FTAG"), table.cells("FTR"), strict=True)
    for row, (home, away, result) in enumerate(cells):
        if not (home or away or result):
            yield None, None, None
            continue
        if not (_COUNT.fullmatch(home) and _COUNT.fullmatch(away)) or result not in OUTCOMES:
            found = f"FTHG, FTAG, FTR are {home!r}, {away!r}, {result!r}, not two numbers and H, D or A"
            raise table.error(row, found, "scores_are_plausible")
        margin = int(home) - int(away)
        if result != ("H" if margin > 0 else "A" if margin < 0 else "D"):
            raise table.error(row, f"FTR is {result!r}, but the score is {home}-{away}", "scores_are_plausible")
        yield int(home), int(away), result


def _statistic(table: Table, column: str) -> tuple[list[int | None], int]:
    """A column of counts, and how many cells held something that is no number (the site has "-", "x" and "#REF!")."""
    values: list[int | None] = []
    lost = 0
    for row, cell in enumerate(table.cells(column)):
        if not _COUNT.fullmatch(cell) and NUMBER.fullmatch(cell):
            raise table.error(row, f"{column} is {cell!r}, not a count", "scores_are_plausible")
        values.append(int(cell) if _COUNT.fullmatch(cell) else None)
        lost += bool(cell) and values[-1] is None
    return values, lost


def _triplets(
    table: Table, sources: dict[str, Triplet], bounds: Bounds
) -> tuple[str | None, list[tuple[float | None, ...]], int]:
    """The source a file has, the prices of each row (three or none), and how many triplets cannot be prices.

    Sources are never mixed within a file: a row that lacks this source's prices stays without.
    """
    for source, triplet in sources.items():
        if triplet[0] in table.column:
            cells = list(zip(*(table.cells(name) for name in triplet), strict=True))
            prices = [possible_prices(row, bounds) for row in cells]
            lost = sum(any(row) and price is None for row, price in zip(cells, prices, strict=True))
            return source, [price or (None, None, None) for price in prices], lost
    return None, [(None, None, None)] * len(table.rows), 0


def _bookmakers(table: Table, key: dict[str, list[Any]]) -> tuple[pd.DataFrame, int]:
    """Every bookmaker's prices, before the match and at the close (odds frame), and how many triplets are none."""
    rows: list[tuple[Any, ...]] = []
    lost = 0
    keys = list(zip(*key.values(), strict=True))
    for moment, triplets in (("pre_match", PRE_MATCH), ("closing", CLOSING)):
        for code, triplet in triplets.items():
            if triplet[0] not in table.column:
                continue
            for match, cells in zip(keys, zip(*(table.cells(name) for name in triplet), strict=True), strict=True):
                prices = possible_prices(cells, BOOKMAKER_OVERROUND) if any(cells) else None
                lost += any(cells) and prices is None
                if prices is not None:
                    rows.append((*match, code, moment, *prices))
    return odds_frame(rows), lost


def _transposed(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows of values to named columns; an empty column each where there are no rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(values) for name, values in zip(names, columns, strict=True)}
