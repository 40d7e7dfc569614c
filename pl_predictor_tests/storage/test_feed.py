"""What was downloaded, what became of it, every price, and what was known when."""

from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from pl_predictor.core.freshness import FixtureState, State
from pl_predictor.core.matches import odds_frame
from pl_predictor.sources.download import Download
from pl_predictor.sources.interface import Record
from pl_predictor.sources.layout import parse
from pl_predictor.storage.feed import FeedStorage, FileState
from pl_predictor.storage.matches import Changes, MatchStorage
from pl_predictor_tests.frames import fixture, matches, played
from pl_predictor_tests.sources.made_up import content, season_lines

PATH = "mmz4281/2324/E0.csv"
KICKOFF = "2024-01-13 15:00"
ODDS: dict[str, Any] = {"home_odds": 1.9, "draw_odds": 3.4, "away_odds": 4.2, "odds_source": "Avg"}


def clock(engine: Engine) -> datetime:
    with engine.connect() as connection:
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


@pytest.fixture
def feed(engine: Engine) -> FeedStorage:
    return FeedStorage(engine, "today")


# --- what was known when ---------------------------------------------------------------------------------------------


def test_what_was_known_at_a_moment_is_what_the_table_said_then(engine: Engine) -> None:
    storage = MatchStorage(engine)
    history = [
        matches(fixture("Chelsea", "Fulham", KICKOFF)),
        matches(fixture("Chelsea", "Fulham", KICKOFF, **ODDS)),
        matches(fixture("Chelsea", "Fulham", "2024-03-02 15:00", **ODDS)),
        matches(played("Chelsea", "Fulham", "2024-03-02 15:00", 2, 1, **ODDS)),
    ]
    moments = []
    for known in history:
        storage.store_matches(known, "test")
        moments.append(clock(engine))
    for moment, known in zip(moments, history, strict=True):
        pd.testing.assert_frame_equal(storage.matches(moment), known)


def test_of_a_season_that_the_log_has_only_the_log_tells_what_was_known(engine: Engine) -> None:
    storage = MatchStorage(engine)
    first = matches(played("Chelsea", "Fulham", KICKOFF, 1, 0))
    storage.store_matches(first, "test")
    moment = clock(engine)
    storage.store_matches(matches(played("Leeds", "Hull", KICKOFF, 1, 0)), "test")
    storage.store_matches(matches(played("Leeds", "Hull", "2022-01-13 15:00", 1, 0, season=2021)), "test")
    assert storage.matches(moment)[["season", "home_team"]].to_numpy().tolist() == [[2021, "Leeds"], [2023, "Chelsea"]]


def test_results_that_were_withdrawn_are_forgotten_and_remembered_in_the_log(engine: Engine) -> None:
    storage = MatchStorage(engine)
    both = matches(played("Chelsea", "Fulham", KICKOFF, 1, 0), played("Leeds", "Hull", KICKOFF, 1, 0))
    storage.store_matches(both, "test")
    before = clock(engine)
    assert storage.withdraw_results(both[1:], 2023, "E0") == 1
    assert storage.season(2023, "E0")["result"].tolist() == [None, "H"]
    assert storage.matches(before)["result"].tolist() == ["H", "H"]


def test_who_says_it_again_is_nothing_new(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "football-data")
    assert storage.store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "snapshot") == Changes(0, 0, 1)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT source FROM matches")) == "football-data"


def test_before_the_first_writing_dates_tell_what_was_known(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(played("Chelsea", "Fulham", KICKOFF, 2, 1, **ODDS)), "test")
    before = storage.matches(datetime(2024, 1, 13, 14, tzinfo=timezone.utc)).iloc[0]
    assert (before["result"], before["home_odds"]) == (None, 1.9)
    long_before = storage.matches(datetime(2024, 1, 10, tzinfo=timezone.utc)).iloc[0]
    assert pd.isna(long_before["home_odds"])


def test_a_write_that_says_nothing_new_is_no_revision(engine: Engine) -> None:
    storage = MatchStorage(engine)
    for _ in range(2):
        storage.store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "test")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM match_revisions")) == 1


def test_live_a_match_of_today_waits_with_its_result_for_the_end_of_the_day(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(played("Chelsea", "Fulham", KICKOFF, 2, 1, **ODDS)), "test")
    evening, midnight = (datetime(2024, 1, day, hour, tzinfo=timezone.utc) for day, hour in ((13, 22), (14, 0)))
    assert storage.matches(evening, replay=False)["result"].tolist() == [None]
    assert storage.matches(midnight, replay=False)["result"].tolist() == ["H"]


def test_live_odds_are_known_as_soon_as_they_were_seen(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF, **ODDS)), "test")
    friday_noon = datetime(2024, 1, 12, 12, tzinfo=timezone.utc)
    assert storage.matches(friday_noon, replay=False)["home_odds"].tolist() == [1.9]


def test_the_second_division_is_apart(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "test")
    storage.store_matches(matches(fixture("Hull", "Leeds", KICKOFF)), "test", "E1")
    now = clock(engine)
    assert storage.matches(now)["home_team"].tolist() == ["Chelsea"]
    assert storage.matches(now, division="E1")["home_team"].tolist() == ["Hull"]
    assert storage.season(2023, "E1")["home_team"].tolist() == ["Hull"]


# --- prices ----------------------------------------------------------------------------------------------------------


def prices(home: float, bookmaker: str = "B365", moment: str = "closing") -> pd.DataFrame:
    return odds_frame([(2023, "Chelsea", "Fulham", bookmaker, moment, home, 3.4, 4.2)])


def test_prices_that_change_are_kept_from_the_first_seen_to_the_latest(engine: Engine, feed: FeedStorage) -> None:
    MatchStorage(engine).store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "test")
    # 12 February 2026: a closing price was first published wrong, and corrected a day later
    stored = [feed.store_odds(prices(home)) for home in (2.84, 2.84, 1.37, 1.37, 2.84)]
    assert stored == [1, 0, 1, 0, 1]
    assert feed.store_odds(prices(2.0, "PS", "pre_match")) == 1
    for first_seen, home in ((True, 2.84), (False, 2.84)):
        found = feed.odds(2023, first_seen=first_seen).set_index("bookmaker")
        assert found["home_odds"].to_dict() == {"B365": home, "PS": 2.0}


# --- files and lists -------------------------------------------------------------------------------------------------


def test_what_became_of_a_file_is_written_when_it_changes_and_what_was_accepted_is_kept(
    engine: Engine, feed: FeedStorage
) -> None:
    said: dict[str, Any] = {"rows": 150, "discarded": {"odds": 1}, "unknown_columns": ("xG",)}
    accepted = FileState(PATH, 2023, "E0", "site", "accepted", "a" * 64, **said)
    feed.note(accepted)
    first = feed.files("site").iloc[0]
    feed.note(accepted)
    assert feed.files("site").iloc[0]["since"] == first["since"]
    feed.note(FileState(PATH, 2023, "E0", "site", "refused", claim="teams_are_known", problem="line 2: who?"))
    now = feed.files("site").iloc[0]
    assert (now["state"], now["claim"], now["problem"]) == ("refused", "teams_are_known", "line 2: who?")
    assert (now["rows"], now["discarded"], now["unknown_columns"]) == (150, {"odds": 1}, ["xG"])
    assert feed.record(PATH) == Record("refused", "a" * 64, by_todays_code=True)
    assert FeedStorage(engine, "tomorrow").record(PATH) == Record("refused", "a" * 64, by_todays_code=False)
    assert feed.record("another.csv") is None
    assert feed.files("snapshot").empty, "of another source"


def test_the_latest_download_of_a_path_comes_back_as_it_came(feed: FeedStorage) -> None:
    assert feed.latest(PATH) is None
    for body in (b"Div\r\n", b"Div,\xa0\x00", b"Div\r\n"):
        feed.keep(Download(PATH, f"https://example.org/{PATH}", body, {"etag": '"1"'}))
        found = feed.latest(PATH)
        assert found is not None
        assert (found.content, found.headers) == (body, {"etag": '"1"'})


def test_the_state_of_the_list_is_the_last_one_of_that_moment(feed: FeedStorage) -> None:
    monday, friday = (datetime(2024, 1, day, tzinfo=timezone.utc) for day in (15, 19))
    assert feed.fixture_state(friday) is None
    states: tuple[State, State] = ("feed_broken", "ok")
    for state in states:
        feed.store_fixture_state(FixtureState(state, "because"), as_of=friday, fixtures=3)
    assert feed.fixture_state(friday) == FixtureState("ok", "because")
    assert feed.fixture_state(monday) is None


# --- parse, store, read ----------------------------------------------------------------------------------------------

LINES = season_lines(2023, played=2)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, len(LINES) - 1), unique=True),
    st.dictionaries(st.tuples(st.integers(1, len(LINES) - 1), st.integers(8, 20)), st.sampled_from(["", "-", "#REF!"])),
)
def test_what_is_parsed_and_stored_is_read_back_the_same(
    engine: Engine, left_out: list[int], spoilt: dict[tuple[int, int], str]
) -> None:
    table = [line.split(",") for line in LINES]
    for (row, column), cell in spoilt.items():
        table[row][column] = cell
    kept = [",".join(cells) for number, cells in enumerate(table) if number not in left_out]
    parsed = parse(content(kept), file="E0.csv", season=2023, complete=True)
    storage, feed = MatchStorage(engine), FeedStorage(engine, "today")
    with engine.begin() as connection:
        for name in ("match_odds", "match_revisions", "matches"):
            connection.execute(text(f"DELETE FROM {name}"))
    storage.store_matches(parsed.matches, "test")
    feed.store_odds(parsed.odds)
    pd.testing.assert_frame_equal(storage.season(2023, "E0"), parsed.matches)
    key = ["home_team", "away_team", "bookmaker", "moment"]
    back = feed.odds(2023)[parsed.odds.columns].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(back, parsed.odds.sort_values(key, ignore_index=True), check_dtype=False)
