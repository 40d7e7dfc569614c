"""What a match is, what was known of it when, and what is refused."""

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import (
    CLOSING_ODDS,
    KEY,
    MATCH_COLUMNS,
    MAX_ODDS,
    OTHER_STATISTICS,
    PRE_MATCH_ODDS,
    RULES,
    STATISTICS,
    Where,
    check_full_season,
    join,
    known_at,
    match_day,
    match_frame,
    odds_known_from,
    result_known_from,
    season_name,
    validate,
)

AFTER_MATCH = ("home_goals", "away_goals", "result", *STATISTICS, *CLOSING_ODDS, "closing_source")
BEFORE_MATCH = (*PRE_MATCH_ODDS, "odds_source", *MAX_ODDS)
ALWAYS = (*KEY, "kickoff", "kickoff_time_known")

MATCH: dict[str, Any] = {
    "season": 2023,
    "home_team": "Alpha",
    "away_team": "Beta",
    "kickoff": pd.Timestamp("2023-08-12 14:00", tz="UTC"),  # a Saturday in summer time
    "kickoff_time_known": True,
    "home_goals": 2,
    "away_goals": 1,
    "result": "H",
    "home_shots": 12,
    "away_shots": 9,
    "home_shots_on_target": 5,
    "away_shots_on_target": 4,
    **dict.fromkeys(OTHER_STATISTICS, 3),
    "home_odds": 2.0,
    "draw_odds": 3.5,
    "away_odds": 4.0,
    "odds_source": "Avg",
    "max_home_odds": 2.1,
    "max_draw_odds": 3.6,
    "max_away_odds": 4.2,
    "closing_home_odds": 1.9,
    "closing_draw_odds": 3.6,
    "closing_away_odds": 4.3,
    "closing_source": "AvgC",
}


def frame(*changes: dict[str, Any]) -> pd.DataFrame:
    rows = [{**MATCH, **change} for change in changes or ({},)]
    return match_frame({name: [row[name] for row in rows] for name in MATCH_COLUMNS})


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_every_column_has_its_dtype_and_a_description() -> None:
    assert {name: str(dtype) for name, dtype in frame().dtypes.items()} == {
        name: column.dtype for name, column in MATCH_COLUMNS.items()
    }
    assert all(column.description for column in MATCH_COLUMNS.values())


def test_columns_left_out_are_null_and_object_nulls_are_none() -> None:
    bare = match_frame({name: [MATCH[name]] for name in ALWAYS})
    validate(bare, Where("bare"))
    assert bare[[name for name in MATCH_COLUMNS if name not in ALWAYS]].isna().all(axis=None)
    assert [bare[name][0] for name in ("result", "odds_source", "closing_source")] == [None, None, None]
    assert frame({"result": float("nan")})["result"][0] is None


def test_rows_are_ordered_by_kickoff_then_home_team() -> None:
    later = {"kickoff": utc("2023-08-13 14:00"), "home_team": "Aaa"}
    teams = frame(later, {"home_team": "Delta"}, {"home_team": "Beta"})["home_team"]
    assert list(teams.items()) == [(0, "Beta"), (1, "Delta"), (2, "Aaa")]
    assert_frame_equal(join([frame(later), frame()]), frame({}, later))


@pytest.mark.parametrize(
    "columns", [{"season": [2023]}, {**{name: [MATCH[name]] for name in ALWAYS}, "colour": ["red"]}]
)
def test_a_frame_of_other_columns_cannot_be_built(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="match frame"):
        match_frame(columns)


def test_a_frame_without_matches_is_a_valid_frame() -> None:
    empty = match_frame(dict.fromkeys(ALWAYS, ()))
    validate(empty, Where("empty"))
    assert_frame_equal(known_at(empty, utc("2023-08-12")), empty)


@pytest.mark.parametrize(("season", "name"), [(2023, "2023/24"), (1999, "1999/00"), (2008, "2008/09")])
def test_a_season_is_written_as_people_write_it(season: int, name: str) -> None:
    assert season_name(season) == name


@pytest.mark.parametrize(
    ("kickoff", "day", "known_from"),
    [
        ("2023-08-12 14:00", "2023-08-12", "2023-08-12 23:00"),  # summer: the UK is an hour ahead
        ("2023-12-30 15:00", "2023-12-30", "2023-12-31 00:00"),  # winter: it is not
        ("2023-08-11 23:00", "2023-08-12", "2023-08-12 23:00"),  # a date-only match of 12 August
        ("2023-10-28 14:00", "2023-10-28", "2023-10-28 23:00"),  # the eve of the clocks going back
        ("2023-10-29 14:00", "2023-10-29", "2023-10-30 00:00"),  # the day they do: 25 hours long
        ("2024-03-31 14:00", "2024-03-31", "2024-03-31 23:00"),  # the day they go forward: 23 hours
    ],
)
def test_a_result_counts_from_the_uk_midnight_after_the_match(kickoff: str, day: str, known_from: str) -> None:
    kickoffs = pd.Series([utc(kickoff)])
    assert match_day(kickoffs).tolist() == [pd.Timestamp(day)]
    assert str(match_day(kickoffs).dtype) == "datetime64[ns]"
    assert result_known_from(kickoffs).tolist() == [utc(known_from)]
    assert str(result_known_from(kickoffs).dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("kickoff", "known_from"),
    [
        ("2023-12-30 15:00", "2023-12-29 19:00"),  # Saturday: Friday's
        ("2024-01-01 20:00", "2023-12-29 19:00"),  # Monday: Friday's
        ("2024-01-02 14:59", "2023-12-29 19:00"),  # Tuesday before the collection: Friday's
        ("2024-01-02 15:00", "2024-01-02 15:00"),  # Tuesday at the collection: that one
        ("2024-01-04 19:30", "2024-01-02 15:00"),  # Thursday: Tuesday's
        ("2024-01-05 18:59", "2024-01-02 15:00"),  # Friday before the collection: Tuesday's
        ("2024-01-05 20:00", "2024-01-05 19:00"),  # Friday night: that one
    ],
)
def test_odds_count_from_the_last_collection_before_kickoff(kickoff: str, known_from: str) -> None:
    known = odds_known_from(pd.Series([utc(kickoff)]))
    assert known.tolist() == [utc(known_from)]
    assert str(known.dtype) == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("as_of", "odds", "result"),
    [
        ("2023-08-11 18:59", False, False),
        ("2023-08-11 19:00", True, False),
        ("2023-08-12 22:59", True, False),
        ("2023-08-12 23:00", True, True),
    ],
)
def test_what_is_known_of_a_match_grows_with_time(as_of: str, odds: bool, result: bool) -> None:
    matches = frame()
    known = known_at(matches, utc(as_of))
    assert known[list(BEFORE_MATCH)].notna().all(axis=None) == odds
    assert known[list(BEFORE_MATCH)].isna().all(axis=None) != odds
    assert known[list(AFTER_MATCH)].notna().all(axis=None) == result
    assert known[list(AFTER_MATCH)].isna().all(axis=None) != result
    assert_frame_equal(known[list(ALWAYS)], matches[list(ALWAYS)])
    assert known.dtypes.equals(matches.dtypes)
    validate(known, Where("known"))


def test_a_season_appears_whole_thirty_days_before_its_first_kickoff() -> None:
    matches = frame(
        {}, {"season": 2024, "kickoff": utc("2024-08-17 14:00")}, {"season": 2024, "kickoff": utc("2025-05-01")}
    )
    assert list(known_at(matches, utc("2024-07-18 13:59"))["season"]) == [2023]
    assert list(known_at(matches, utc("2024-07-18 14:00"))["season"]) == [2023, 2024, 2024]


def test_looking_back_leaves_the_frame_as_it_is() -> None:
    matches = frame()
    known_at(matches, utc("2023-08-01"))
    assert_frame_equal(matches, frame())


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        known_at(frame(), datetime(2023, 8, 12))  # noqa: DTZ001


moments = st.datetimes(
    pd.Timestamp("2022-06-01"), pd.Timestamp("2024-08-01"), timezones=st.just(timezone.utc), allow_imaginary=False
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    kickoffs = draw(st.lists(moments, min_size=1, max_size=8))
    full = draw(st.lists(st.booleans(), min_size=len(kickoffs), max_size=len(kickoffs)))
    changes = [
        {
            "season": 2022 if kickoff < datetime(2023, 6, 1, tzinfo=timezone.utc) else 2023,
            "home_team": f"Team {number}",
            "kickoff": kickoff,
            **({} if has_all else dict.fromkeys((*AFTER_MATCH, *BEFORE_MATCH))),
        }
        for number, (kickoff, has_all) in enumerate(zip(kickoffs, full, strict=True))
    ]
    return frame(*changes)


@settings(deadline=None, max_examples=50)
@given(frames(), moments, moments)
def test_an_earlier_look_at_a_look_is_that_earlier_look(matches: pd.DataFrame, one: datetime, other: datetime) -> None:
    early, late = sorted([one, other])
    assert_frame_equal(known_at(known_at(matches, late), early), known_at(matches, early))
    assert_frame_equal(known_at(known_at(matches, early), late), known_at(matches, early))


def next_uk_midnight(moment: datetime) -> datetime:
    tomorrow = moment.astimezone(ZoneInfo("Europe/London")).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=ZoneInfo("Europe/London"))


def last_collection(kickoff: datetime) -> datetime:
    hour = kickoff.replace(minute=0, second=0, microsecond=0)
    while (hour.isoweekday(), hour.hour) not in {(2, 15), (5, 19)}:
        hour -= timedelta(hours=1)
    return hour


@settings(deadline=None, max_examples=50)
@given(frames(), moments)
def test_a_look_shows_every_match_as_its_own_clock_says(matches: pd.DataFrame, as_of: datetime) -> None:
    known = known_at(matches, as_of).set_index("home_team")
    for season, played in matches.groupby("season"):
        assert played["home_team"].isin(known.index).all() == (played["kickoff"].min() - timedelta(days=30) <= as_of)
        assert (known["season"] == season).sum() in {0, len(played)}
    for match in matches[matches["home_team"].isin(known.index)].to_dict("records"):
        kickoff, seen = match["kickoff"], known.loc[match["home_team"]]
        assert seen["result"] == (match["result"] if next_uk_midnight(kickoff) <= as_of else None)
        priced = pd.notna(match["home_odds"]) and last_collection(kickoff) <= as_of
        assert pd.notna(seen["home_odds"]) == priced


SHORT_PRICES = dict(zip(PRE_MATCH_ODDS, (1.9, 3.0, 3.0), strict=True))  # 1.193
REFUSED: list[tuple[str, list[dict[str, Any]]]] = [
    ("two named teams", [{"home_team": ""}]),
    ("other statistics are 0 to 99", [{"home_corners": 100}]),
    ("two named teams", [{"away_team": None}]),
    ("does not play itself", [{"away_team": "Alpha"}]),
    ("each pairing once", [{}, {"kickoff": utc("2023-09-12 14:00")}]),
    ("15 months from 1 June", [{"kickoff": utc("2023-05-31 22:00")}]),
    ("15 months from 1 June", [{"kickoff": utc("2024-09-01 14:00")}]),
    ("15 months from 1 June", [{}, {"home_team": "Gamma", "away_team": "Delta", "kickoff": pd.NaT}]),
    ("first moment", [{"kickoff_time_known": False}]),
    ("at most once a day", [{}, {"home_team": "Beta", "away_team": "Gamma", "kickoff": utc("2023-08-12 19:00")}]),
    ("known together", [{"home_goals": None}]),
    ("known together", [{"result": None}]),
    ("0 to 20", [{"home_goals": 21}]),
    ("0 to 20", [{"away_goals": -1}]),
    ("follows from the goals", [{"result": "D"}]),
    ("follows from the goals", [{"home_goals": 1}]),
    ("follows from the goals", [{"result": "h"}]),
    ("0 to 99", [{"away_shots_on_target": -1}]),
    ("prices and their source are known together", [{"draw_odds": None}]),
    ("prices and their source are known together", [{"odds_source": None}]),
    ("over 1", [{"home_odds": 1.0, "draw_odds": 30.0, "away_odds": 30.0}]),
    ("1.00 to 1.15, but found home_odds 1.9", [SHORT_PRICES]),
    ("1.00 to 1.15", [{"home_odds": 2.5}]),
    ("best prices are known together", [{"max_away_odds": None}]),
    ("0.90 to 1.15", [{"max_home_odds": 9.0}]),
    ("closing prices and source are known together", [{"closing_draw_odds": None}]),
    ("closing odds are over 1", [{"closing_home_odds": 3.0}]),
]


@pytest.mark.parametrize(("claim", "rows"), REFUSED)
def test_a_frame_that_cannot_be_true_is_refused(claim: str, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(FeedError, match=claim) as refusal:
        validate(frame(*rows), Where("E0.csv"))
    assert str(refusal.value).startswith("E0.csv: 2023/24 ")
    assert " v " in str(refusal.value)
    assert str(refusal.value).endswith("correct the row, or fetch the file again")


def test_every_rule_has_a_case() -> None:
    unmet = {rule.words for rule in RULES}
    for _, rows in REFUSED:
        with pytest.raises(FeedError) as refusal:
            validate(frame(*rows), Where("E0.csv"))
        unmet -= {claim for claim in unmet if f": {claim}, but found" in str(refusal.value)}
    assert not unmet


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kickoff": utc("2024-07-26 15:00")},  # as late as 2019/20 ended
        {"kickoff": utc("2023-08-11 23:00"), "kickoff_time_known": False},
        {"home_shots": 3, "home_shots_on_target": 5},  # the site has a few such matches
        {"max_home_odds": 2.4, "max_draw_odds": 3.9},  # best prices may beat the bookmakers together
    ],
)
def test_what_is_odd_but_true_is_accepted(change: dict[str, Any]) -> None:
    validate(frame(change), Where("E0.csv"))


@pytest.mark.parametrize(
    "spoilt",
    [
        frame().drop(columns="home_shots"),
        frame().astype({"season": "int32"}),
        frame({}, {"home_team": "Aaa", "kickoff": utc("2023-08-19 14:00")}).iloc[::-1],
        frame({}, {"home_team": "Aaa", "kickoff": utc("2023-08-19 14:00")}).iloc[::-1].reset_index(drop=True),
        frame({}, {"home_team": "Gamma", "away_team": "Delta"}).iloc[1:],
    ],
)
def test_a_frame_of_another_shape_is_a_mistake_in_the_code(spoilt: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="match_frame"):
        validate(spoilt, Where("E0.csv"))


def season_of(*teams: str) -> list[dict[str, Any]]:
    pairs = [(home, away) for home in teams for away in teams if home != away]
    days = pd.date_range("2023-08-12 14:00", periods=len(pairs), tz="UTC")
    return [
        {"home_team": home, "away_team": away, "kickoff": day} for (home, away), day in zip(pairs, days, strict=True)
    ]


def test_a_full_season_is_every_pairing_with_a_result() -> None:
    check_full_season(frame(*season_of("A", "B", "C")), "E0.csv", teams=3)


@pytest.mark.parametrize(
    ("matches", "found"),
    [
        (frame(*season_of("A", "B", "C")[:-1]), r"5 matches, 0 without a result \(first missing: C v B\)"),
        (frame(*season_of("A", "B")), "2 teams, 2 matches"),
        (known_at(frame(*season_of("A", "B", "C")), utc("2023-08-14")), "6 matches, 4 without"),
    ],
)
def test_a_season_with_a_gap_is_refused(matches: pd.DataFrame, found: str) -> None:
    with pytest.raises(FeedError, match=found):
        check_full_season(matches, "E0.csv", teams=3)
