"""Where the database, the session or the viewer is makes no difference: times are moments, and days have 24 hours."""

from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from pl_predictor.core.matches import UK
from pl_predictor_tests.grafana.grafana import DATA, Question, answer, distinct
from pl_predictor_tests.grafana.written import World

ASKED = [question for question in distinct() if question.source == DATA]

ZONES = ("Europe/London", "Pacific/Auckland", "UTC")


@pytest.mark.parametrize("question", ASKED, ids=map(str, ASKED))
def test_a_session_in_another_time_zone_gets_the_same_answer(world: World, question: Question) -> None:
    london, auckland, utc = (answer(world.settings, question, world.season.view("1h"), zone) for zone in ZONES)
    assert london == auckland == utc


def test_the_weeks_that_the_sessions_look_at_hold_a_day_of_25_hours(world: World) -> None:
    local = world.season.end.astimezone(ZoneInfo(UK))
    assert (local + timedelta(days=7)).astimezone(timezone.utc) - world.season.end == timedelta(days=7, hours=1)
