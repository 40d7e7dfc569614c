"""The live source against a real web server that misbehaves: the right rows, or a clear error and the old rows."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.freshness import FixtureState
from pl_predictor.core.teams import TEAMS
from pl_predictor.intake import Intake, SeasonIntake
from pl_predictor.sources import download
from pl_predictor.sources.download import USER_AGENT, HttpSite, Patience
from pl_predictor.sources.football_data import FootballData, is_settled, running_season
from pl_predictor.sources.layout import parse
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.sources import site as misbehaving
from pl_predictor_tests.sources.made_up import (
    FIXTURES_HEADER,
    HEADER,
    content,
    fixture_row,
    next_round,
    season_lines,
)
from pl_predictor_tests.sources.site import Behaviour, Site, once, serving, with_body

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


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(dict(FILES)) as site:
        yield site


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


@pytest.fixture
def feed(engine: Engine, site: Site) -> Feed:
    return Feed(engine, site.url)


def rows(lines: list[str]) -> pd.DataFrame:
    return parse(content(lines), file="E0.csv", season=2023).matches


def changed(lines: list[str], line: int, old: str, new: str) -> list[str]:
    assert old in lines[line]
    return [text.replace(old, new, 1) if number == line else text for number, text in enumerate(lines)]


SCORE = ",".join(OLD[1].split(",")[5:8])
OTHER_SCORE = "5,0,H"

# --- what may go wrong with one file, once another had been taken in -------------------------------------------------

RIGHT_ROWS = None
UNREACHABLE = "unreachable"
MISBEHAVIOUR: dict[str, tuple[list[str] | bytes, Behaviour | None, str | None, str | None]] = {
    # name: the new file, how it is sent, what is said (None: the right rows), the claim it breaks or why there is none
    "503 with HTML, once": (NEW, once(misbehaving.error_page), RIGHT_ROWS, None),
    "503 with HTML": (NEW, misbehaving.error_page, "answered with status 503; try again later", UNREACHABLE),
    "403": (NEW, misbehaving.forbidden, "answered with status 403; look at the address", "files_arrive_whole"),
    "404 where there was a file": (NEW, misbehaving.not_there, "was there before and is gone", "files_arrive_whole"),
    "a login page": (NEW, misbehaving.to_a_login_page, "/login answered with something that", "files_arrive_whole"),
    "a circle": (NEW, misbehaving.round_in_circles, "redirected to again and again", "files_arrive_whole"),
    "no answer": (NEW, misbehaving.no_answer, "ReadTimeout", UNREACHABLE),
    "no answer, once": (NEW, once(misbehaving.no_answer), RIGHT_ROWS, None),
    "dripping bytes": (NEW, misbehaving.dripping, "took over 1 s", UNREACHABLE),
    "a truncated body": (NEW, misbehaving.cut_off, "did not answer in full", UNREACHABLE),
    "a truncated body, once": (NEW, once(misbehaving.cut_off), RIGHT_ROWS, None),
    "too short a length": (NEW, misbehaving.too_short_a_length, "ends within the line", "files_arrive_whole"),
    "too long a length": (NEW, misbehaving.too_long_a_length, "did not answer in full", UNREACHABLE),
    "another encoding": (
        content(NEW).decode().encode("utf-16"),
        None,
        "does not begin with 'Div'",
        "files_arrive_whole",
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + content(NEW), None, RIGHT_ROWS, None),
    "blank rows": ([*NEW, "," * 29, "", ","], None, RIGHT_ROWS, None),
    "a column renamed": (
        changed(NEW, 0, "AvgH", "MeanH"),
        None,
        r"columns \['AvgH'\] are missing",
        "columns_are_known",
    ),
    "a column new": ([f"{NEW[0]},xG", *(f"{line},1.5" for line in NEW[1:])], None, RIGHT_ROWS, None),
    "a result changed": (
        changed(NEW, 1, SCORE, OTHER_SCORE),
        None,
        r"E0.csv, line 2: 1 known results changed: 2023/24 .* is 5-0; .*accept_changed_results",
        "results_are_kept",
    ),
    "a match gone": ([HEADER, *NEW[2:]], None, "1 known results vanished: 2023/24", "results_are_kept"),
    "a match twice": ([*NEW, NEW[1]], None, "a season has each pairing once", "pairings_are_unique"),
    "a team unknown": (
        [NEW[0], *(line.replace("Arsenal", "Arsenel") for line in NEW[1:])],
        None,
        r"E0.csv, line \d+: team 'Arsenel' is unknown .*nearest known are Arsenal",
        "teams_are_known",
    ),
    "an impossible score": (
        changed(NEW, 1, SCORE, "23,0,H"),
        None,
        "line 2: .*goals are 0",
        "scores_are_plausible",
    ),
    "a date of another season": (changed(NEW, 1, "/2023", "/2021"), None, "line 2: date", "dates_lie_in_the_season"),
    "a score that is none": (changed(NEW, 1, SCORE, "x,0,H"), None, "line 2: FTHG", "scores_are_plausible"),
    "another division": (FILES[BELOW], None, "line 2: division is 'E1', not 'E0'", "files_arrive_whole"),
    "changed half-way": (NEW, with_body(lambda new: content(OLD)[:4000] + new[4100:]), "E0.csv", "rows_are_readable"),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_a_site_that_misbehaves_gives_the_right_rows_or_a_clear_error_and_the_old_rows_intact(
    feed: Feed, site: Site, name: str
) -> None:
    sent, behaviour, refusal, claim = MISBEHAVIOUR[name]
    feed.take_in()
    pd.testing.assert_frame_equal(feed.running(), rows(OLD))
    site.files[RUNNING] = sent if isinstance(sent, bytes) else content(sent)
    site.files[BELOW] = content(season_lines(2023, "E1", played=19))
    if behaviour is not None:
        site.misbehaviour[RUNNING] = behaviour
    taken = feed.take_in()
    if refusal is None:
        assert taken[RUNNING].file.problem is None
        pd.testing.assert_frame_equal(feed.running(), rows(NEW))
        return
    said = taken[RUNNING].file
    assert (said.state, said.claim) == (
        ("unreachable", "files_arrive_whole") if claim == UNREACHABLE else ("refused", claim)
    )
    assert re.search(refusal, str(taken[RUNNING].file.problem)), taken[RUNNING].file.problem
    pd.testing.assert_frame_equal(feed.running(), rows(OLD))
    assert feed.count("matches") == 380 + 150 + 552 + 19 * 12, "the others land"

    site.misbehaviour.clear()
    site.files[RUNNING] = content(NEW)
    assert {taken.file.state for taken in feed.take_in().values()} == {"accepted"}
    pd.testing.assert_frame_equal(feed.running(), rows(NEW))
    assert feed.count("matches") == 380 + 160 + 552 + 19 * 12


# --- what is asked, and how often ------------------------------------------------------------------------------------


def test_seasons_that_are_over_are_asked_for_once_and_the_others_by_condition(feed: Feed, site: Site) -> None:
    feed.take_in()
    assert [path for _, path, _ in site.asked] == [RUNNING, BELOW, LAST, "mmz4281/2223/E1.csv"]
    assert site.agents == {USER_AGENT}
    before = feed.count("match_revisions"), feed.count("match_odds"), feed.count("downloads")
    site.asked.clear()
    again = feed.take_in()
    assert [path for _, path, known in site.asked if known] == [RUNNING, BELOW]
    assert len(site.asked) == 2
    assert [taken.changes.new + taken.changes.revised + taken.changes.unchanged for taken in again.values()] == [0, 0]
    assert (feed.count("match_revisions"), feed.count("match_odds"), feed.count("downloads")) == before


def test_every_season_is_asked_for_again_on_demand(feed: Feed, site: Site) -> None:
    feed.take_in()
    site.asked.clear()
    feed.take_in(refetch=True)
    assert len(site.asked) == 4
    assert all(known for _, _, known in site.asked)


def test_other_code_reads_the_kept_bytes_again_and_asks_nobody(feed: Feed, site: Site, engine: Engine) -> None:
    feed.take_in()
    site.asked.clear()
    taken = Feed(engine, site.url, code_version="tomorrow").take_in()
    assert [path for _, path, _ in site.asked] == [RUNNING, BELOW]
    assert taken[LAST].changes.unchanged == 380


@pytest.mark.parametrize(
    ("moment", "season", "settled"),
    [
        ("2023-06-30", 2022, {2021}),
        ("2023-07-01", 2023, {2021}),
        ("2023-09-30", 2023, {2021}),
        ("2023-10-01", 2023, {2021, 2022}),
        ("2024-02-01", 2023, {2021, 2022}),
    ],
)
def test_the_running_season_and_the_last_one_for_some_weeks_may_change(
    moment: str, season: int, settled: set[int]
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
    assert running_season(now) == season
    assert {year for year in range(2021, 2025) if is_settled(year, now)} == settled


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def test_requests_are_a_second_apart_redirected_ones_and_those_of_the_next_call_included(
    engine: Engine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(download, "time", clock)
    site.misbehaviour[RUNNING] = misbehaving.elsewhere
    feed = Feed(engine, site.url, patience=Patience())
    feed.take_in()
    feed.take_in()
    feed.intake.fixtures(NOW)
    assert len(site.asked) == 5 + 3 + 1
    assert clock.slept == [0.0, *[1.0] * 8]


def test_a_server_that_asks_for_a_pause_gets_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("tenacity.nap.time", clock)
    site.misbehaviour[RUNNING] = once(misbehaving.ask_for_a_pause)
    assert HttpSite([site.url], QUICK).get(RUNNING, None)
    assert clock.slept == [7.0]


def test_the_other_address_is_tried_and_then_stays_the_first(engine: Engine, site: Site) -> None:
    with serving({}) as broken:
        for path in FILES:
            broken.misbehaviour[path] = misbehaving.error_page
        feed = Feed(engine, broken.url, site.url)
        assert {taken.file.state for taken in feed.take_in().values()} == {"accepted"}
        assert len(broken.asked) == 1


def test_a_dead_site_is_given_up_after_one_file_and_leaves_everything(feed: Feed, engine: Engine) -> None:
    feed.take_in()
    taken = Feed(engine, f"http://127.0.0.1:{free_port()}").take_in()
    assert "ConnectError" in str(taken[RUNNING].file.problem)
    assert "was not asked for: nobody answers" in str(taken[BELOW].file.problem)
    pd.testing.assert_frame_equal(feed.running(), rows(OLD))
    assert {taken.file.state for taken in feed.take_in().values()} == {"accepted"}


def test_one_file_that_cannot_be_had_keeps_no_other_away(feed: Feed, site: Site) -> None:
    site.misbehaviour[BELOW] = misbehaving.error_page
    states = {path: taken.file.state for path, taken in feed.take_in().items()}
    assert states.pop(BELOW) == "unreachable"
    assert set(states.values()) == {"accepted"}


def test_one_host_that_says_there_is_no_such_file_is_believed_while_the_other_is_ill(
    engine: Engine, site: Site
) -> None:
    new = "mmz4281/2425/E0.csv"
    with serving({}) as broken:
        for path in (*FILES, new, new.replace("E0", "E1")):
            broken.misbehaviour[path] = misbehaving.error_page
        taken = Feed(engine, broken.url, site.url).take_in(datetime(2024, 7, 20, tzinfo=timezone.utc))
    assert taken[new].file.state == "absent"


def test_a_damaged_copy_with_the_files_own_etag_does_not_stand_for_the_file(feed: Feed, site: Site) -> None:
    site.misbehaviour[RUNNING] = once(misbehaving.cut_by_a_proxy)
    assert feed.take_in()[RUNNING].file.state == "refused"
    assert feed.take_in()[RUNNING].file.state == "accepted"


def test_a_file_that_was_refused_and_is_gone_is_absent(feed: Feed, site: Site) -> None:
    july, new = datetime(2024, 7, 20, tzinfo=timezone.utc), "mmz4281/2425/E0.csv"
    site.files |= {RUNNING: content(season_lines(2023)), BELOW: content(season_lines(2023, "E1")), new: FILES[RUNNING]}
    assert feed.take_in(july)[new].file.state == "refused"
    del site.files[new]
    assert feed.take_in(july)[new].file.state == "absent"


def test_kept_bytes_that_newer_code_refuses_are_asked_for_again(feed: Feed, site: Site, engine: Engine) -> None:
    site.files["mmz4281/2223/E1.csv"] = content(season_lines(2022, "E1"))
    feed.take_in()
    stricter = Feed(engine, site.url, code_version="tomorrow")
    stricter.intake = replace(stricter.intake, known_teams=TEAMS - {"Arsenal"})
    assert stricter.take_in()[LAST].file.state == "refused"
    site.asked.clear()
    stricter.take_in()
    assert LAST in [path for _, path, _ in site.asked]


def test_what_is_not_there_of_seasons_that_are_over_is_asked_for_once(feed: Feed, site: Site) -> None:
    del site.files["mmz4281/2223/E1.csv"]
    assert feed.take_in()["mmz4281/2223/E1.csv"].file.state == "absent"
    site.asked.clear()
    feed.take_in()
    assert [path for _, path, _ in site.asked] == [RUNNING, BELOW]


def test_a_finished_season_without_rows_is_refused(feed: Feed, site: Site) -> None:
    site.files[LAST] = content([HEADER])
    assert feed.take_in()[LAST].file.claim == "finished_seasons_are_complete"


def test_a_year_goes_by_without_a_refusal(feed: Feed, site: Site) -> None:
    """Spring, the end, July without a new file, August with an empty one, the first round, autumn."""
    seasons = {path: season_lines(2024, division) for path, division in (("2425/E0", "E0"), ("2425/E1", "E1"))}
    over = {RUNNING: content(season_lines(2023)), BELOW: content(season_lines(2023, "E1"))}
    empty = {f"mmz4281/{path}.csv": content([HEADER]) for path in seasons}
    begun = {f"mmz4281/{path}.csv": content(lines[:11]) for path, lines in seasons.items()}
    year = [
        ("2024-02-01", {}, 530),
        ("2024-06-01", over, 760),
        ("2024-07-20", {}, 760),
        ("2024-08-10", empty, 760),
        ("2024-08-20", begun, 770),
        ("2024-10-01", {}, 770),
    ]
    for day, files, known in year:
        site.files |= files
        now = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
        problems = [taken.file.problem for taken in feed.take_in(now).values() if taken.file.problem]
        assert problems == [], day
        assert len(feed.matches.matches(now, replay=False)) == known, day


def test_a_season_that_does_not_exist_yet_is_absent_and_no_error(feed: Feed, site: Site) -> None:
    del site.files[RUNNING], site.files[BELOW]
    taken = feed.take_in(datetime(2023, 7, 20, tzinfo=timezone.utc))
    assert (taken[LAST].file.state, taken[RUNNING].file.state) == ("accepted", "absent")


def test_the_broken_file_of_a_season_that_is_over_is_asked_for_until_it_is_right(feed: Feed, site: Site) -> None:
    site.files[LAST] = content(season_lines(2022)[:-1])
    refused = feed.take_in()[LAST].file
    assert (refused.state, refused.claim) == ("refused", "finished_seasons_are_complete")
    assert "379 matches" in str(refused.problem)
    assert feed.matches.season(2022, "E0").empty
    assert len(feed.running()) == 150, "the others land"
    site.files[LAST] = FILES[LAST]
    assert feed.take_in()[LAST].changes.new == 380


def test_a_result_that_the_site_corrected_is_taken_over_on_demand_and_the_old_one_is_remembered(
    feed: Feed, site: Site, engine: Engine
) -> None:
    feed.take_in()
    with engine.connect() as connection:
        before = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    site.files[RUNNING] = content(changed(OLD, 1, SCORE, OTHER_SCORE))
    assert feed.take_in()[RUNNING].file.state == "refused"
    assert feed.take_in(accept_changed_results=True)[RUNNING].changes.revised == 1
    pd.testing.assert_frame_equal(feed.running(), rows(changed(OLD, 1, SCORE, OTHER_SCORE)))
    then = feed.matches.matches(before)
    pd.testing.assert_frame_equal(then[then["season"] == 2023].reset_index(drop=True), rows(OLD))


def test_a_result_that_the_site_withdrew_is_taken_over_on_demand_and_the_next_file_is_right(
    feed: Feed, site: Site
) -> None:
    feed.take_in()
    withdrawn = [OLD[0], *OLD[2:]]
    site.files[RUNNING] = content(withdrawn)
    assert feed.take_in()[RUNNING].file.claim == "results_are_kept"
    assert feed.take_in(accept_changed_results=True)[RUNNING].changes.revised == 1
    assert feed.running()["result"].isna().sum() == 1
    site.files[RUNNING] = content([NEW[0], *NEW[2:]])
    assert feed.take_in()[RUNNING].file.state == "accepted"


def test_every_distinct_download_is_kept_with_where_and_when_it_came_from(feed: Feed, site: Site) -> None:
    feed.take_in()
    site.files[RUNNING] = content(NEW)
    feed.take_in()
    kept = feed.shelf.latest(RUNNING)
    assert kept is not None
    assert (kept.content, kept.url) == (content(NEW), f"{site.url}/{RUNNING}")
    assert kept.headers["etag"]
    with feed.engine.connect() as connection:
        query = text("SELECT content FROM downloads WHERE path = :path ORDER BY id")
        assert [bytes(one) for one in connection.scalars(query, {"path": RUNNING})] == [content(OLD), content(NEW)]


# --- a folder instead of a site --------------------------------------------------------------------------------------


def test_a_folder_laid_out_as_the_site_does_as_well(engine: Engine, tmp_path: Path) -> None:
    for path, body in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(body)
    feed = Feed(engine, str(tmp_path))
    assert sum(taken.changes.new for taken in feed.take_in().values()) == 380 + 150 + 552 + 18 * 12
    (tmp_path / RUNNING).write_bytes(content(NEW))
    assert feed.take_in()[RUNNING].changes.new == 10


def test_a_folder_that_is_not_there_is_an_error_that_names_the_variable(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=r"PL_FOOTBALL_DATA_URL names the folder .*/nowhere, which is not there"):
        Feed(engine, str(tmp_path / "nowhere")).take_in()


# --- fixtures --------------------------------------------------------------------------------------------------------

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


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["http://[1", "http://no host/"])
def test_an_address_that_is_none_is_an_error(address: str) -> None:
    with pytest.raises((PredictorError, FeedError), match=r"PL_FOOTBALL_DATA_URL|could not be fetched"):
        HttpSite([address], QUICK).get(RUNNING, None)
