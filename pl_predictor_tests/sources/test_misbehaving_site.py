"""A real web server that misbehaves with one file: the right rows, or a clear error and the old rows."""

import re

import pandas as pd
import pytest

from pl_predictor_tests.sources import site as misbehaving
from pl_predictor_tests.sources.live import BELOW, FILES, NEW, OLD, OTHER_SCORE, RUNNING, SCORE, Feed, changed, rows
from pl_predictor_tests.sources.made_up import HEADER, content, season_lines
from pl_predictor_tests.sources.site import Behaviour, Site, once, with_body

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
