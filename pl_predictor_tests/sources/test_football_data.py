"""The live source: what it asks for and how often, what it keeps, and that no state lasts for ever."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.teams import TEAMS
from pl_predictor.sources import download
from pl_predictor.sources.download import USER_AGENT, HttpSite, Patience
from pl_predictor.sources.football_data import is_settled, running_season
from pl_predictor_tests.conftest import free_port
from pl_predictor_tests.sources import site as misbehaving
from pl_predictor_tests.sources.live import (
    BELOW,
    FILES,
    LAST,
    NEW,
    NOW,
    OLD,
    OTHER_SCORE,
    QUICK,
    RUNNING,
    SCORE,
    Feed,
    changed,
    rows,
)
from pl_predictor_tests.sources.made_up import HEADER, content, season_lines
from pl_predictor_tests.sources.site import Site, once, serving

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


@pytest.mark.parametrize("address", ["http://[1", "http://no host/"])
def test_an_address_that_is_none_is_an_error(address: str) -> None:
    with pytest.raises((PredictorError, FeedError), match=r"PL_FOOTBALL_DATA_URL|could not be fetched"):
        HttpSite([address], QUICK).get(RUNNING, None)
