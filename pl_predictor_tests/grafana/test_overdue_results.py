"""An alert says that results are overdue when the platform's own check does: by its calendar, and by its now."""

from datetime import datetime, timezone
from itertools import permutations
from typing import Any

import pytest

from pl_predictor.core.freshness import results_freshness
from pl_predictor_tests.frames import fixture, matches, played
from pl_predictor_tests.grafana.alerting import evaluate, firing, rule
from pl_predictor_tests.grafana.healthy import DAY, HOUR, NOW, Platform

TEAMS = [f"Team {number:02}" for number in range(20)]


def a_season(first: datetime, games: int = 380) -> list[dict[str, Any]]:
    """The first games of a season that take ten months."""
    return [
        played(home, away, f"{first + DAY * 280 * k / 379:%Y-%m-%d %H:%M}", 1, 0)
        for k, (home, away) in enumerate(permutations(TEAMS, 2))
        if k < games
    ]


AUGUST = datetime(2023, 8, 11, 19, tzinfo=timezone.utc)
LAST_GAME = AUGUST + 280 * DAY
WHOLE, HALF = a_season(AUGUST), a_season(AUGUST, 190)
MIDDLE = HALF[-1]["kickoff"].to_pydatetime()
WAITING = fixture("Team 19", "Team 18", f"{MIDDLE + DAY:%Y-%m-%d %H:%M}")
LATER_RESULT = played("Team 19", "Team 17", f"{MIDDLE + 2 * DAY:%Y-%m-%d %H:%M}", 1, 0)
CASES = {
    "within a season": (HALF, MIDDLE + 2 * DAY, True),
    "in a break for internationals": (HALF, MIDDLE + 20 * DAY, True),
    "after too long a break": (HALF, MIDDLE + 22 * DAY, False),
    "a result that may yet come": ([*HALF, WAITING], MIDDLE + 3.9 * DAY, True),
    "a result that is overdue": ([*HALF, WAITING], MIDDLE + 4.1 * DAY, False),
    "a match that was postponed": ([*HALF, WAITING, LATER_RESULT], MIDDLE + 9 * DAY, True),
    "in the close season": (WHOLE, LAST_GAME + 60 * DAY, True),
    "at the end of August": (WHOLE, datetime(2024, 8, 31, tzinfo=timezone.utc), True),
    "in September without a new season": (WHOLE, datetime(2024, 9, 2, tzinfo=timezone.utc), False),
    "a season that was broken off": (WHOLE[:379], LAST_GAME + 60 * DAY, False),
    "one match into a season": (WHOLE[:1], AUGUST + 5 * DAY, True),
}


@pytest.mark.parametrize(("rows", "as_of", "fresh"), CASES.values(), ids=CASES)
def test_results_are_overdue_when_the_check_of_the_platform_says_so(
    platform: Platform, rows: list[dict[str, Any]], as_of: datetime, fresh: bool
) -> None:
    known = matches(*sorted(rows, key=lambda row: row["kickoff"]))
    platform.matches.store_matches(known, "test")
    platform.next_match("Coming", "Unknown", as_of + 300 * DAY, as_of=as_of)
    platform.pass_to(as_of)
    assert results_freshness(known, as_of).fresh is fresh
    assert evaluate(platform.settings, rule("data-stale")).state == ("Normal" if fresh else "Alerting")


def test_a_result_of_the_division_below_is_none_of_ours(healthy: Platform) -> None:
    below = matches(fixture("Hull", "Stoke", f"{NOW + HOUR:%Y-%m-%d %H:%M}"))
    healthy.matches.store_matches(below, "test", "E1")
    healthy.live(NOW + 4 * DAY - 5 * HOUR)
    assert firing(healthy.settings) == set()


@pytest.mark.parametrize(
    ("results_days", "drift_hours", "fires"),
    [(5, 1, set()), (22, 1, {"data-stale"}), (5, 25, {"drift-check-stale"})],
    ids=["all is fresh", "no result for weeks", "no drift check for a day"],
)
def test_live_ages_go_by_the_clock(platform: Platform, results_days: int, drift_hours: int, fires: set[str]) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    known = matches(played("Arsenal", "Everton", f"{now - results_days * DAY:%Y-%m-%d %H:%M}", 1, 0))
    platform.matches.store_matches(known, "test")
    platform.next_match("Coming", "Unknown", now + 2 * DAY, as_of=now, replay=False)
    platform.pass_to(now - 300 * DAY)  # what was lived last does not matter
    platform.drift(0.1, now - drift_hours * HOUR)
    assert firing(platform.settings) - {"daemon-dead"} == fires


def test_before_a_first_fixture_is_listed_a_live_platform_knows_what_time_it_is(platform: Platform) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    known = matches(played("Arsenal", "Everton", f"{now - 2 * DAY:%Y-%m-%d %H:%M}", 1, 0))
    platform.matches.store_matches(known, "test")
    platform.serve(now, replay=False)
    platform.drift(0.1, now)
    assert firing(platform.settings) - {"daemon-dead"} == set()
