"""What a match is: the columns of a match frame, what was known about a match when, and what makes a frame wrong.

One row is one match, keyed by KEY: a postponed match keeps its key and changes its kick-off. Reading files into this
shape belongs to `pl_predictor.sources`; anything estimated from matches belongs to the other modules of `core`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import pandas_dtype

from pl_predictor.core.errors import FeedError

UK: Final = "Europe/London"
KEY: Final = ("season", "home_team", "away_team")
OUTCOMES: Final = ("H", "D", "A")
PRE_MATCH_ODDS: Final = ("home_odds", "draw_odds", "away_odds")
MAX_ODDS: Final = ("max_home_odds", "max_draw_odds", "max_away_odds")
CLOSING_ODDS: Final = ("closing_home_odds", "closing_draw_odds", "closing_away_odds")
SHOTS: Final = ("home_shots", "away_shots", "home_shots_on_target", "away_shots_on_target")
OTHER_STATISTICS: Final = (
    *("home_half_time_goals", "away_half_time_goals", "home_corners", "away_corners", "home_fouls", "away_fouls"),
    *("home_yellow_cards", "away_yellow_cards", "home_red_cards", "away_red_cards"),
)
STATISTICS: Final = (*SHOTS, *OTHER_STATISTICS)

# The sum of the inverse odds of one bookmaker, or of an average of bookmakers.
OVERROUND: Final = (1.00, 1.15)
# Interwetten took up to 18 % until 2008.
BOOKMAKER_OVERROUND: Final = (1.00, 1.20)
# The best price of some 40 bookmakers may beat them all together, by a few per cent: below 0.90 a price is mistyped.
MAX_ODDS_OVERROUND: Final = (0.90, 1.15)

# Fixture lists come out in the middle of June for an August start; 30 days errs on the late side.
FIXTURES_PUBLISHED_BEFORE: Final = timedelta(days=30)
# Pre-match odds are collected on Friday afternoon for the weekend and on Tuesday afternoon for midweek. The epoch was
# a Thursday, and flooring to seven days counts from it.
_TUESDAY_COLLECTION: Final = timedelta(days=5, hours=15)
_FRIDAY_COLLECTION: Final = timedelta(days=1, hours=19)


@dataclass(frozen=True)
class Column:
    """One column of a frame: its pandas dtype, what it means in one line, and its unit where it has one."""

    dtype: str
    description: str
    unit: str = ""


_GOALS, _SHOT, _PRICE = "goals", "shots", "decimal odds"

MATCH_COLUMNS: Final[dict[str, Column]] = {
    "season": Column("int64", "The season's first year: 2023 is 2023/24", "year"),
    "home_team": Column("object", "Home team, as football-data.co.uk writes it"),
    "away_team": Column("object", "Away team, as football-data.co.uk writes it"),
    "kickoff": Column(
        "datetime64[ns, UTC]", "Kick-off; where only the day is known, that day's first moment in the UK"
    ),
    "kickoff_time_known": Column("bool", "False where kickoff is only the first moment of the match's UK day"),
    "home_goals": Column("Int64", "Full-time goals of the home team; null until the result is known", _GOALS),
    "away_goals": Column("Int64", "Full-time goals of the away team; null until the result is known", _GOALS),
    "result": Column("object", "H, D or A: home win, draw, away win; null until the result is known"),
    "home_shots": Column("Int64", "Shots of the home team; null where the source has none", _SHOT),
    "away_shots": Column("Int64", "Shots of the away team; null where the source has none", _SHOT),
    "home_shots_on_target": Column("Int64", "Shots on target of the home team; null where the source has none", _SHOT),
    "away_shots_on_target": Column("Int64", "Shots on target of the away team; null where the source has none", _SHOT),
    **{
        name: Column("Int64", f"{name.replace('_', ' ').capitalize()}; null where the source has none", "count")
        for name in OTHER_STATISTICS
    },
    "home_odds": Column("float64", "Consensus pre-match price of a home win; all three prices or none", _PRICE),
    "draw_odds": Column("float64", "Consensus pre-match price of a draw; all three prices or none", _PRICE),
    "away_odds": Column("float64", "Consensus pre-match price of an away win; all three prices or none", _PRICE),
    "odds_source": Column("object", "Whose consensus: Avg (since 2019/20), BbAv (2005/06 to 2018/19) or B365; or null"),
    "max_home_odds": Column("float64", "Best pre-match price of a home win at any bookmaker", _PRICE),
    "max_draw_odds": Column("float64", "Best pre-match price of a draw at any bookmaker", _PRICE),
    "max_away_odds": Column("float64", "Best pre-match price of an away win at any bookmaker", _PRICE),
    "closing_home_odds": Column("float64", "Last price of a home win before kick-off: never a feature", _PRICE),
    "closing_draw_odds": Column("float64", "Last price of a draw before kick-off: never a feature", _PRICE),
    "closing_away_odds": Column("float64", "Last price of an away win before kick-off: never a feature", _PRICE),
    "closing_source": Column("object", "Whose closing odds: PSC (up to 2018/19) or AvgC (since); or null"),
}
_REQUIRED: Final = (*KEY, "kickoff", "kickoff_time_known")
_NULL: Final[dict[str, Any]] = {"object": None, "Int64": pd.NA, "float64": np.nan}


def match_frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Build a match frame: MATCH_COLUMNS with their dtypes, sorted by kick-off and home team, on a RangeIndex.

    `columns` maps column names to equally long sequences. Those of a match that may be unknown may be left out and are
    null then. Raises ValueError for an unknown or missing column. The values are not judged: see `validate`.
    """
    unknown, missing = set(columns) - set(MATCH_COLUMNS), set(_REQUIRED) - set(columns)
    if unknown or missing:
        raise ValueError(f"a match frame has no column {sorted(unknown)} and needs {sorted(missing)}")
    size = len(columns["season"])
    typed = {}
    for name, column in MATCH_COLUMNS.items():
        values = columns[name] if name in columns else [_NULL[column.dtype]] * size
        series = pd.Series(list(values), dtype=object if column.dtype == "object" else None)
        # One kind of null in an object column: None, as databases and JSON have it.
        typed[name] = (
            series.where(series.notna(), None)
            if column.dtype == "object"
            else series.astype(pandas_dtype(column.dtype))
        )
    return join([pd.DataFrame(typed)])


ODDS_COLUMNS: Final[dict[str, Column]] = {
    **{name: MATCH_COLUMNS[name] for name in KEY},
    "bookmaker": Column("object", "Code of the bookmaker, as football-data.co.uk has it: B365, PS, WH, ..."),
    "moment": Column(
        "object", "pre_match: collected on the Friday or Tuesday before; closing: the last before kick-off"
    ),
    "home_odds": Column("float64", "Price of a home win", _PRICE),
    "draw_odds": Column("float64", "Price of a draw", _PRICE),
    "away_odds": Column("float64", "Price of an away win", _PRICE),
}


def odds_frame(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """An odds frame of rows in the order of ODDS_COLUMNS: one bookmaker's prices of one match at one moment each."""
    frame = pd.DataFrame(rows, columns=list(ODDS_COLUMNS), dtype=object)
    return frame.astype({name: column.dtype for name, column in ODDS_COLUMNS.items()})


def join(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One match frame of several, such as one of each season, in order. Raises ValueError where there are none."""
    return pd.concat(list(frames)).sort_values(["kickoff", "home_team"], kind="stable", ignore_index=True)


def season_name(season: int) -> str:
    """2023 -> "2023/24", as people write it."""
    return f"{season}/{(season + 1) % 100:02d}"


def match_day(kickoff: pd.Series) -> pd.Series:
    """The calendar date in the UK, as naive midnight (datetime64[ns]), of kick-offs in UTC."""
    day: pd.Series = kickoff.dt.tz_convert(UK).dt.tz_localize(None).dt.normalize()
    return day


def result_known_from(kickoff: pd.Series) -> pd.Series:
    """When a result counts as known, in UTC: the UK midnight that ends the match's day.

    Results are published from five hours after the final whistle, and before 2019/20 the order of the matches of one
    day is unknown; so nothing may use a result of the same day.
    """
    return (match_day(kickoff) + timedelta(days=1)).dt.tz_localize(UK).dt.tz_convert("UTC")


def odds_known_from(kickoff: pd.Series) -> pd.Series:
    """When a match's pre-match odds count as known, in UTC: the last collection not after kick-off.

    Collections are on Tuesdays at 15:00 UTC and Fridays at 19:00 UTC, the late end of the hours in which they appear.
    """
    tuesday, friday = (
        (kickoff - collection).dt.floor("7D") + collection for collection in (_TUESDAY_COLLECTION, _FRIDAY_COLLECTION)
    )
    return tuesday.where(tuesday > friday, friday)


def last_odds_collection(moment: datetime) -> datetime:
    """The last collection of odds, which is also when the list of fixtures is renewed, not after `moment`."""
    collected: pd.Timestamp = odds_known_from(pd.Series([pd.Timestamp(moment)])).iloc[0]
    return collected.to_pydatetime()


def upcoming(matches: pd.DataFrame, after: datetime, until: datetime) -> pd.DataFrame:
    """The matches without a result that kick off later than `after` and not later than `until`."""
    kickoff = matches["kickoff"]
    return matches[matches["result"].isna() & (kickoff > after) & (kickoff <= until)]


def known_at(matches: pd.DataFrame, as_of: datetime, *, recorded: bool = False) -> pd.DataFrame:
    """What was knowable about `matches` at `as_of`: a new match frame; the input stays as it is.

    `recorded`: the frame is what somebody had written down by `as_of`, so that fixtures and odds in it were known, and
    only results wait for their day to end.

    Goals, results, statistics and closing odds are null until `result_known_from`, pre-match odds until
    `odds_known_from`. Matches of a season whose fixture list was not out are absent: it is taken to come out 30 days
    before the season's first kick-off in the frame. Looking at an earlier moment of the outcome equals looking at that
    moment directly. Kick-offs are those that were played: when a match was moved is not recorded. Raises ValueError for
    a naive `as_of`.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"as_of needs a time zone, got {as_of.isoformat()}")
    first_kickoff = matches.groupby("season")["kickoff"].transform("min")
    known = matches[recorded | (first_kickoff - FIXTURES_PUBLISHED_BEFORE <= as_of)].reset_index(drop=True)
    unplayed = result_known_from(known["kickoff"]) > as_of
    unpriced = odds_known_from(known["kickoff"]) > as_of
    after_match = ("home_goals", "away_goals", "result", *STATISTICS, *CLOSING_ODDS, "closing_source")
    before_match = (*PRE_MATCH_ODDS, "odds_source", *MAX_ODDS)
    for hidden, names in ((unplayed, after_match), (unpriced & (not recorded), before_match)):
        for name in names:
            known[name] = known[name].mask(hidden, _NULL[MATCH_COLUMNS[name].dtype])
    return known


def overround(odds: pd.DataFrame) -> pd.Series:
    """The sum of the inverse decimal odds of each row; null where a price is."""
    return (1.0 / odds).sum(axis=1, skipna=False)


class Rule(NamedTuple):
    """One thing that is true of every match: in words, the rows that break it, the columns to show then, and which of
    the feed's claims (core/feed_contract.py) it belongs to."""

    words: str
    broken: Callable[[pd.DataFrame], "pd.Series[bool]"]
    shown: tuple[str, ...]
    claim: str


def _nameless(matches: pd.DataFrame) -> "pd.Series[bool]":
    names = matches[["home_team", "away_team"]]
    return (names.isna() | (names == "")).any(axis=1)


def _out_of_season(matches: pd.DataFrame) -> "pd.Series[bool]":
    june = pd.to_datetime(matches["season"].astype(str) + "-06-01")
    day = match_day(matches["kickoff"])
    # 15 months: 2019/20 ended on 26 July 2020
    return matches["kickoff"].isna() | (day < june) | (day >= june + pd.DateOffset(months=15))


def _timed_though_unknown(matches: pd.DataFrame) -> "pd.Series[bool]":
    first_moment = match_day(matches["kickoff"]).dt.tz_localize(UK).dt.tz_convert("UTC")
    broken: pd.Series[bool] = ~matches["kickoff_time_known"] & (matches["kickoff"] != first_moment)
    return broken


def _twice_a_day(matches: pd.DataFrame) -> "pd.Series[bool]":
    day = match_day(matches["kickoff"])
    teams = pd.concat([matches["home_team"], matches["away_team"]])
    again = pd.DataFrame({"day": pd.concat([day, day]), "team": teams}).duplicated(keep=False)
    return again.groupby(level=0).any()


def _partly_null(names: tuple[str, ...]) -> Callable[[pd.DataFrame], "pd.Series[bool]"]:
    def broken(matches: pd.DataFrame) -> "pd.Series[bool]":
        nulls = matches[list(names)].isna()
        return nulls.any(axis=1) & ~nulls.all(axis=1)

    return broken


def _outside(names: tuple[str, ...], low: int, high: int) -> Callable[[pd.DataFrame], "pd.Series[bool]"]:
    return lambda matches: ((matches[list(names)] < low) | (matches[list(names)] > high)).fillna(False).any(axis=1)


def _disagrees(matches: pd.DataFrame) -> "pd.Series[bool]":
    home, away = (matches[name].fillna(0).astype("int64") for name in ("home_goals", "away_goals"))
    expected = np.select([home > away, home < away], ["H", "A"], default="D")
    return matches["result"].notna() & (matches["result"] != expected)


def _impossible(names: tuple[str, ...], bounds: tuple[float, float]) -> Callable[[pd.DataFrame], "pd.Series[bool]"]:
    def broken(matches: pd.DataFrame) -> "pd.Series[bool]":
        odds = matches[list(names)]
        total = overround(odds)
        return odds.notna().all(axis=1) & ((odds <= 1).any(axis=1) | ~total.between(*bounds))

    return broken


_GOALS_AND_RESULT: Final = ("home_goals", "away_goals", "result")
_PRICE_AND_SOURCE: Final = (*PRE_MATCH_ODDS, "odds_source")
_CLOSING_AND_SOURCE: Final = (*CLOSING_ODDS, "closing_source")
_OWN: Final = "odds are over 1 and their inverses sum to 1.00 to 1.15"
_BEST: Final = "best odds are over 1 and their inverses sum to 0.90 to 1.15"

RULES: Final = (
    Rule("a match has two named teams", _nameless, ("home_team", "away_team"), "teams_are_known"),
    Rule(
        "a team does not play itself",
        lambda m: m["home_team"] == m["away_team"],
        ("home_team", "away_team"),
        "teams_are_known",
    ),
    Rule(
        "a season has each pairing once",
        lambda m: m.duplicated(list(KEY), keep=False),
        ("kickoff",),
        "pairings_are_unique",
    ),
    Rule(
        "a season lies within 15 months from 1 June of its first year",
        _out_of_season,
        ("kickoff",),
        "dates_lie_in_the_season",
    ),
    Rule(
        "a kick-off without a time is the first moment of its UK day",
        _timed_though_unknown,
        ("kickoff",),
        "rows_are_readable",
    ),
    Rule("a team plays at most once a day", _twice_a_day, ("kickoff",), "dates_lie_in_the_season"),
    Rule(
        "goals and result are known together",
        _partly_null(_GOALS_AND_RESULT),
        _GOALS_AND_RESULT,
        "scores_are_plausible",
    ),
    Rule("goals are 0 to 20", _outside(_GOALS_AND_RESULT[:2], 0, 20), _GOALS_AND_RESULT, "scores_are_plausible"),
    Rule("the result follows from the goals", _disagrees, _GOALS_AND_RESULT, "scores_are_plausible"),
    # Shots on target may exceed shots: in four matches of 2000/01 and one of 2021/22 they do.
    Rule("shots are 0 to 99", _outside(SHOTS, 0, 99), SHOTS, "scores_are_plausible"),
    Rule(
        "the other statistics are 0 to 99",
        _outside(OTHER_STATISTICS, 0, 99),
        OTHER_STATISTICS,
        "scores_are_plausible",
    ),
    Rule(
        "the three prices and their source are known together",
        _partly_null(_PRICE_AND_SOURCE),
        _PRICE_AND_SOURCE,
        "odds_are_plausible",
    ),
    Rule(_OWN, _impossible(PRE_MATCH_ODDS, OVERROUND), _PRICE_AND_SOURCE, "odds_are_plausible"),
    Rule("the three best prices are known together", _partly_null(MAX_ODDS), MAX_ODDS, "odds_are_plausible"),
    Rule(_BEST, _impossible(MAX_ODDS, MAX_ODDS_OVERROUND), MAX_ODDS, "odds_are_plausible"),
    Rule(
        "closing prices and source are known together",
        _partly_null(_CLOSING_AND_SOURCE),
        _CLOSING_AND_SOURCE,
        "odds_are_plausible",
    ),
    Rule(f"closing {_OWN}", _impossible(CLOSING_ODDS, OVERROUND), _CLOSING_AND_SOURCE, "odds_are_plausible"),
)


@dataclass(frozen=True)
class Where:
    """Where the rows of a frame come from, for messages: the file, and the line of each match, as far as it has one."""

    file: str
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def row(self, match: Any) -> str:
        """The file and the line of a match (a row with home_team and away_team)."""
        line = self.lines.get((match["home_team"], match["away_team"]))
        return self.file if line is None else f"{self.file}, line {line}"


def validate(matches: pd.DataFrame, where: Where) -> None:
    """Refuse a match frame that cannot be true. `where` names its origin in the message.

    Raises FeedError naming the first match that breaks a rule, the rule and the values; ValueError where the frame is
    not a match frame at all (columns, dtypes, order), which is a mistake in the code that built it.
    """
    dtypes = {name: str(dtype) for name, dtype in matches.dtypes.items()}
    if dtypes != {name: column.dtype for name, column in MATCH_COLUMNS.items()}:
        raise ValueError(f"{where.file}: not the columns and dtypes of a match frame; build it with match_frame")
    rows = pd.RangeIndex(len(matches))
    in_order = matches.sort_values(["kickoff", "home_team"], kind="stable").index
    if not (matches.index.equals(rows) and in_order.equals(rows)):
        raise ValueError(f"{where.file}: rows out of order; build the frame with match_frame")
    for words, broken, names, claim in RULES:
        bad = broken(matches)
        if bad.any():
            match = matches[bad].iloc[0]
            values = ", ".join(f"{name} {match[name]}" for name in names)
            teams = f"{season_name(match['season'])} {match['home_team']} v {match['away_team']}"
            raise FeedError(
                f"{where.row(match)}: {teams}: {words}, but found {values} ({int(bad.sum())} such rows); correct the "
                "row, or fetch the file again",
                claim,
            )


def check_full_season(matches: pd.DataFrame, where: str, teams: int) -> None:
    """Refuse a season that is not a full double round robin of `teams` teams with every result known.

    For one finished season only, on a frame that `validate` has passed. Raises FeedError naming what is missing.
    """
    names = sorted(set(matches["home_team"]) | set(matches["away_team"]))
    played = set(zip(matches["home_team"], matches["away_team"], strict=True))
    missing = [f"{home} v {away}" for home in names for away in names if home != away and (home, away) not in played]
    unplayed = int(matches["result"].isna().sum())
    if len(names) != teams or missing or unplayed:
        first = f" (first missing: {missing[0]})" if missing else ""
        raise FeedError(
            f"{where}: a finished season of {teams} teams has {teams * (teams - 1)} matches with a result, but found"
            f" {len(names)} teams, {len(matches)} matches, {unplayed} without a result{first}; fetch the file again",
            "finished_seasons_are_complete",
        )
