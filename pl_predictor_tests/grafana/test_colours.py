"""A number is red where something is wrong, amber where it deserves a look, and grey where nothing is known."""

from collections.abc import Callable
from typing import Any

import pytest

from pl_predictor.core.alerts import Changes, Condition, Level
from pl_predictor.settings import Settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor_tests.grafana.colours import GREY, colours
from pl_predictor_tests.grafana.grafana import answer, asked, boards, panels
from pl_predictor_tests.grafana.healthy import DAY, NOW, Platform
from pl_predictor_tests.grafana.season import EVERYTHING

STATS = {
    (board["uid"], panel["title"]): panel for board in boards() for panel in panels(board) if panel["type"] == "stat"
}
AHEAD, DRIFT = "Is it right more often than the market?", "Has the world drifted?"
ALERTS, NEXT = "How many of its alerts are open?", "Is all of the next 7 days forecast?"


def shown(settings: Settings, board: str, title: str) -> set[str]:
    return colours(STATS[board, title], answer(settings, asked(title, board), EVERYTHING))


def told(level: Level) -> Callable[[Platform], None]:
    def tell(at: Platform) -> None:
        AlertStorage(at.engine).apply(
            Changes(opened=(Condition("source", level, "made up", "made up"),)), NOW, replay=True
        )

    return tell


CASES: dict[str, tuple[str, Callable[[Platform], Any], set[str]]] = {
    "no alert": (ALERTS, lambda _: None, {"green"}),
    "a warning": (ALERTS, told(Level.WARNING), {"green", "orange"}),
    "an error": (ALERTS, told(Level.ERROR), {"red", "green"}),
    "something critical": (ALERTS, told(Level.CRITICAL), {"red", "green"}),
    "as good as the market": (AHEAD, lambda _: None, {GREY}),
    "little drift": (DRIFT, lambda at: at.drift(0.1), {"green"}),
    "half of what is too much": (DRIFT, lambda at: at.drift(0.3), {"orange"}),
    "too much drift": (DRIFT, lambda at: at.drift(0.6), {"red"}),
    "drift of few matches": (DRIFT, lambda at: at.drift(0.6, n=49), {GREY}),
    "all is forecast": (NEXT, lambda _: None, {"green", GREY}),
    "a fixture is not forecast": (NEXT, lambda at: at.listed("Hull", "Stoke", NOW + 3 * DAY), {"orange", GREY}),
    "no fixture is known": (NEXT, lambda at: at.pass_to(NOW + 9 * DAY), {GREY}),
}


@pytest.mark.parametrize(("title", "change", "expected"), CASES.values(), ids=CASES)
def test_the_overview_colours_what_matters(
    healthy: Platform, title: str, change: Callable[[Platform], Any], expected: set[str]
) -> None:
    change(healthy)
    assert shown(healthy.settings, "mlops-overview", title) == expected


@pytest.mark.parametrize(("board", "title"), STATS, ids=[f"{board}: {title}" for board, title in STATS])
def test_where_nothing_was_ever_written_everything_is_grey(empty: Settings, board: str, title: str) -> None:
    assert shown(empty, board, title) == {GREY}
