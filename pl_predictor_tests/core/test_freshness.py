"""What is overdue and what is only summer, an international break, or a postponed match."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pandas as pd
import pytest

from pl_predictor.core.feed_contract import teams_in
from pl_predictor.core.freshness import LONGEST_BREAK, fixture_state, results_freshness
from pl_predictor.core.matches import last_odds_collection, match_day
from pl_predictor.sources.layout import parse
from pl_predictor_tests.football_data import mirror
from pl_predictor_tests.frames import fixture, matches, played
from pl_predictor_tests.sources.made_up import content, season_lines

WHOLE_SEASON = parse(content(season_lines(2023)), file="E0.csv", season=2023).matches
ONE = played("Chelsea", "Fulham", "2024-01-13 15:00", 1, 0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("known", "as_of", "fresh", "reason"),
    [
        (matches(fixture("Chelsea", "Fulham", "2024-01-13 15:00")), "2024-01-12", False, "no result is known yet"),
        (matches(ONE), "2024-01-14", True, "0 days old, and none is overdue"),
        (matches(ONE), "2024-02-03 15:00", True, "21 days old"),
        (matches(ONE), "2024-02-04 16:00", False, "22 days old, and no break lasts over 21"),
        (matches(ONE, fixture("Leeds", "Arsenal", "2024-01-20 15:00")), "2024-01-23 14:00", True, "9 days old"),
        (
            matches(ONE, fixture("Leeds", "Arsenal", "2024-01-20 15:00")),
            "2024-01-23 15:00",
            False,
            "Leeds v Arsenal of 20 January 2024 has no result after 3 days",
        ),
        (matches(fixture("Leeds", "Arsenal", "2024-01-06 15:00"), ONE), "2024-01-20", True, "6 days old"),
        (WHOLE_SEASON, "2024-08-31", True, "season 2023/24 is complete and the next begins in August"),
        (WHOLE_SEASON, "2024-09-01", False, "season 2023/24 is complete and no result of the next is known"),
    ],
    ids=["none", "new", "a break", "too long", "not due yet", "overdue", "postponed", "summer", "after summer"],
)
def test_results_are_stale_only_where_one_is_overdue(known: pd.DataFrame, as_of: str, fresh: bool, reason: str) -> None:
    found = results_freshness(known, at(as_of))
    assert found.fresh is fresh, found.reason
    assert reason in found.reason


TO_COME = matches(fixture("Leeds", "Arsenal", "2024-01-20 15:00"))
NONE = TO_COME.iloc[:0]


@pytest.mark.parametrize(
    ("coming", "newest", "as_of", "state"),
    [
        (TO_COME, "2024-01-22", "2024-01-19 20:00", "ok"),
        (NONE, None, "2024-01-19 20:00", "no_round_published"),
        (NONE, "2024-01-22", "2024-01-19 20:00", "no_round_published"),
        # renewed on Friday the 19th and on Tuesday the 23rd, and due a day later
        (NONE, "2024-01-22", "2024-01-22 23:00", "no_round_published"),
        (NONE, "2024-01-22", "2024-01-24 14:00", "no_round_published"),
        (NONE, "2024-01-22", "2024-01-24 16:00", "feed_stale"),
        (NONE, "2024-01-22", "2024-06-24", "no_round_published"),
        (NONE, "2024-01-22", "2024-08-24", "feed_stale"),
    ],
)
def test_a_list_is_stale_only_once_its_renewal_is_overdue(
    coming: pd.DataFrame, newest: str | None, as_of: str, state: str
) -> None:
    found = fixture_state(coming, None if newest is None else at(newest), at(as_of))
    assert found.state == state, found.reason


def test_the_last_collection_is_a_tuesday_or_a_friday_not_after_the_moment() -> None:
    assert last_odds_collection(at("2024-01-19 19:00")) == at("2024-01-19 19:00")
    assert last_odds_collection(at("2024-01-19 18:59")) == at("2024-01-16 15:00")


def test_only_a_pandemic_and_a_world_cup_made_a_longer_break_than_the_longest() -> None:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    longer = set()
    for season in range(1993, 2024):
        file = folder / "mmz4281" / f"{season % 100:02d}{(season + 1) % 100:02d}" / "E0.csv"
        days = match_day(parse(file.read_bytes(), file=str(file), season=season).matches["kickoff"]).unique()
        gaps = [(later - earlier) for earlier, later in pairwise(sorted(days))]
        longer |= {season} if max(gaps) > pd.Timedelta(LONGEST_BREAK) else set()
    assert longer == {2019, 2022}
    assert timedelta(days=14) < LONGEST_BREAK


def test_the_league_had_22_teams_until_1995() -> None:
    assert [teams_in(season, "E0") for season in (1994, 1995)] == [22, 20]
    assert teams_in(1994, "E1") == 24
