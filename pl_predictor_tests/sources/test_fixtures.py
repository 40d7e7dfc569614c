"""What is coming: from the list of fixtures, with a state and a reason."""

import re
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from pl_predictor.core.freshness import FixtureState
from pl_predictor_tests.sources.live import NEW, OLD, RUNNING, Feed, rows
from pl_predictor_tests.sources.made_up import FIXTURES_HEADER, content, fixture_row, next_round
from pl_predictor_tests.sources.site import Site

DAY, PAIRS = next_round(2023, 15)
A_WEEK_AGO = DAY - timedelta(days=8)
THE_DAY = datetime(DAY.year, DAY.month, DAY.day, tzinfo=timezone.utc)
FRIDAY = THE_DAY - timedelta(days=1)
LISTED = [FIXTURES_HEADER, *(fixture_row("E0", DAY, home, away) for home, away in PAIRS)]


def test_fixtures_are_what_is_to_come_with_the_odds_of_the_list(feed: Feed, site: Site) -> None:
    feed.take_in()
    played = NEW[1].split(",")
    lingering = fixture_row("E0", datetime.strptime(played[1], "%d/%m/%Y").date(), played[3], played[4])  # noqa: DTZ007
    site.files["fixtures.csv"] = content([*LISTED, lingering, "," * 22, fixture_row("E1", DAY, "Hull", "Leeds")])
    assert feed.intake.fixtures(FRIDAY) == FixtureState("ok", f"10 fixtures, the first on {DAY:%d %B %Y}")
    coming = feed.running()[feed.running()["result"].isna()]
    assert set(zip(coming["home_team"], coming["away_team"], strict=True)) == set(PAIRS)
    assert set(coming["odds_source"]) == {"Avg"}
    assert set(feed.shelf.odds(2023).merge(coming, on=["home_team", "away_team"])["bookmaker"]) == {"B365"}
    site.files[RUNNING] = content(NEW)
    assert feed.take_in()[RUNNING].changes.revised == 10, "what was a fixture has a result now, and is the same match"


def test_the_list_is_asked_for_by_condition(feed: Feed, site: Site) -> None:
    site.files["fixtures.csv"] = content(LISTED)
    for _ in range(2):
        assert feed.intake.fixtures(FRIDAY).state == "ok"
    assert [bool(known) for _, _, known in site.asked] == [False, True]


def test_a_fixture_that_is_no_longer_listed_is_named(feed: Feed, site: Site) -> None:
    site.files["fixtures.csv"] = content(LISTED)
    feed.intake.fixtures(FRIDAY)
    site.files["fixtures.csv"] = content([LISTED[0], *LISTED[2:]])
    home, away = PAIRS[0]
    assert feed.intake.fixtures(FRIDAY).reason.endswith(f"; known before and no longer listed: {home} v {away}")


def test_the_faults_of_other_leagues_are_not_ours(feed: Feed, site: Site) -> None:
    site.files["fixtures.csv"] = content([*LISTED, "SP1,31/02/2024,noon,Getafe", f"SP2,{',' * 40}x"])
    assert feed.intake.fixtures(FRIDAY).state == "ok"


def test_a_postponed_match_moves_and_stays_one_match(feed: Feed, site: Site) -> None:
    feed.take_in()
    site.files["fixtures.csv"] = content(LISTED)
    feed.intake.fixtures(FRIDAY)
    later = [line.replace(f"{DAY:%d/%m/%Y}", f"{DAY + timedelta(days=40):%d/%m/%Y}") for line in LISTED[:2]]
    site.files["fixtures.csv"] = content([*later, *LISTED[2:]])
    assert feed.intake.fixtures(FRIDAY).state == "ok"
    moved = feed.running().iloc[-1]
    assert (moved["home_team"], moved["away_team"]) == PAIRS[0]
    assert moved["kickoff"].date() == DAY + timedelta(days=40)
    assert len(feed.running()) == 160


@pytest.mark.parametrize(
    ("lines", "state", "reason"),
    [
        ([FIXTURES_HEADER], "no_round_published", "the list is empty"),
        ([FIXTURES_HEADER, "," * 22, "," * 22], "no_round_published", "the list is empty"),
        ([FIXTURES_HEADER, fixture_row("SP1", DAY, "Getafe", "Elche")], "no_round_published", "has no Premier League"),
        (
            [FIXTURES_HEADER, fixture_row("SP1", DAY - timedelta(days=9), "Getafe", "Elche")],
            "feed_stale",
            "not renewed",
        ),
        (["<html>", "503"], "feed_broken", "does not begin with 'Div'"),
        ([FIXTURES_HEADER.replace("AvgH", "MeanH"), *LISTED[1:]], "feed_broken", r"columns .*'AvgH'.* are missing"),
        ([FIXTURES_HEADER, LISTED[1][: -len(",,,")] + ",2.1,3.4,3.6"], "feed_broken", "closing price .* is '"),
        ([*LISTED, LISTED[1]], "feed_broken", "each pairing once"),
        ([line.replace("Arsenal", "Arsenel") for line in LISTED], "feed_broken", "nearest known are Arsenal"),
        ([line.replace(f"{DAY:%d/%m/%Y}", "31/02/2024") for line in LISTED], "feed_broken", "line 2: 31/02/2024"),
    ],
    ids=["empty", "blank", "others only", "stale", "a page", "renamed", "closing odds", "twice", "unknown", "a date"],
)
def test_a_list_without_a_round_says_why_and_changes_nothing(
    feed: Feed, site: Site, lines: list[str], state: str, reason: str
) -> None:
    feed.take_in()
    site.files["fixtures.csv"] = content(lines)
    found = feed.intake.fixtures(FRIDAY)
    assert found.state == state, found.reason
    assert re.search(reason, found.reason), found.reason
    pd.testing.assert_frame_equal(feed.running(), rows(OLD))


def test_a_list_that_is_not_there_is_broken(feed: Feed, site: Site) -> None:
    del site.files["fixtures.csv"]
    assert feed.intake.fixtures(FRIDAY) == FixtureState("feed_broken", "fixtures.csv is not there: try again later")
