"""Every query of the dashboards runs as Grafana's role, on tables that the platform filled; its answer can be shown."""

import re
from datetime import timedelta
from typing import Any

import pytest

from pl_predictor.services.grafana_reader import DAGSTER_TABLES
from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.alerting import evaluate, node, rules
from pl_predictor_tests.grafana.colours import options
from pl_predictor_tests.grafana.grafana import (
    DAGSTER,
    Question,
    answer,
    asked,
    boards,
    distinct,
    panels,
    questions,
    shape_faults,
)
from pl_predictor_tests.grafana.macros import View
from pl_predictor_tests.grafana.season import CHOSEN, EVERYTHING, FIRST, LAST
from pl_predictor_tests.grafana.written import World

ALL = distinct()
QUOTED = {name: "it's" for name in CHOSEN}
RANGES = {
    "all that was lived": (EVERYTHING.start, EVERYTHING.end),
    "a week": (LAST - timedelta(days=7), LAST),
    "a time of nothing": (FIRST - timedelta(days=3650), FIRST - timedelta(days=3640)),
}
INTERVALS = ("1m", "6h", "30d")
CASES = [
    pytest.param(question, View(*span, step, CHOSEN), id=f"{question}, {name} by {step}")
    for question in ALL
    for name, span in RANGES.items()
    for step in (INTERVALS if "$__interval" in question.sql else INTERVALS[:1])
] + [pytest.param(question, View(FIRST, LAST, "1d", QUOTED), id=f"{question}, a name with a quote") for question in ALL]
PANELS = [
    pytest.param(board, panel, id=f"{board['uid']}: {panel['title']}")
    for board in boards()
    for panel in panels(board)
    if "targets" in panel
]
LEADS_TO = {
    **{"run": "/runs/${__value.raw}", "version": "/versions/${__value.raw}", "asset": "/assets/${__value.raw}"},
    "report": "${mlflow_url:raw}/${__value.raw:raw}",
}
"""Where the text of a column of that name leads."""
OF_NO_MODEL = {
    *("Source outages", "How many matches lack odds or statistics?", "metric", "record_from", "record_to"),
    # That it has not forecast a fixture is true.
    *("How many forecasts in the last 24 hours?", "How many due matches have no forecast?"),
    "What is coming, and what is forecast?",
}
CHOOSING = {board["uid"] for board in boards() if any(each["name"] == "model" for each in board["templating"]["list"])}
OF_A_MODEL = [each for each in questions() if each.board in CHOOSING and each.title not in {*OF_NO_MODEL, "model"}]
MAY_BE_EMPTY = {
    "Rollbacks",
    *(
        "How long has the oldest of them waited?",
        "How long has the oldest waited?",
        "Which forecasts wait for a result?",
    ),
    # The weeks have fewer matches than a check decides by, and the snapshot no closing odds: see test_numbers.
    "Is it right more often than the market?",
    *("Do the bets beat the closing line?", "How does the closing line value develop?"),
    # No daemon has a part in a season that is lived in one process: see test_system.
    *("How old is the oldest queued run?", "Which runs are waiting or at work?"),
    *("For how long is the daemon silent?", "Which part of the daemon is silent?"),
    "Do sensors and schedules tick?",
}
"""Where no row is a good sign, or what the lived weeks did not have."""


@pytest.mark.parametrize(("question", "view"), CASES)
def test_a_query_runs_and_its_answer_fits_its_panel(season: Settings, question: Question, view: View) -> None:
    assert shape_faults(question, answer(season, question, view)) == []


@pytest.mark.parametrize("question", ALL, ids=map(str, ALL))
def test_a_question_about_all_that_was_lived_has_an_answer(season: Settings, question: Question) -> None:
    frame = answer(season, question, EVERYTHING)
    assert frame.rows or question.title in MAY_BE_EMPTY
    if question.kind == "stat" and frame.rows:
        assert question.title in MAY_BE_EMPTY or None not in frame.rows[0]


@pytest.mark.parametrize("question", ALL, ids=map(str, ALL))
def test_without_any_row_a_query_runs_and_no_number_is_made_up(empty: Settings, question: Question) -> None:
    frame = answer(empty, question, EVERYTHING)
    assert shape_faults(question, frame) == []
    assert {value for row in frame.rows for value in row} <= {None}


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_sets_options_for_columns_that_its_answer_has(
    world: World, board: dict[str, Any], panel: dict[str, Any]
) -> None:
    names = answer(world.settings, asked(panel["title"], board["uid"]), world.season.view()).names
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] == "byName":
            assert override["matcher"]["options"] in names


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_what_can_be_opened_leads_there(world: World, board: dict[str, Any], panel: dict[str, Any]) -> None:
    for name in answer(world.settings, asked(panel["title"], board["uid"]), world.season.view()).names:
        if panel["type"] == "table" and name in LEADS_TO:
            (link,) = options(panel, name)["links"]
            assert LEADS_TO[name] in link["url"]


@pytest.mark.parametrize("question", OF_A_MODEL, ids=map(str, OF_A_MODEL))
def test_of_a_model_that_is_not_there_nothing_is_shown(season: Settings, question: Question) -> None:
    frame = answer(season, question, View(EVERYTHING.start, EVERYTHING.end, "1d", QUOTED))
    assert {value for row in frame.rows for value in row} <= {None}, question.sql


def test_of_weeks_that_the_platform_lived_no_alert_rule_fires_but_that_no_daemon_had_a_part(season: Settings) -> None:
    states = {rule["uid"]: evaluate(season, rule) for rule in rules()}
    assert {uid for uid, found in states.items() if found.state == "Alerting"} == {"daemon-dead"}
    asked_of_rows = {uid for uid, found in states.items() if found.values}
    assert asked_of_rows >= {"dataset-drift", "bet-drawdown", "drift-check-stale", "data-stale", "db-unreachable"}


def test_of_dagsters_tables_the_role_reads_those_that_are_asked_and_no_other() -> None:
    asked_of = [node(rule, "A") for rule in rules()]
    sql = [question.sql for question in ALL if question.source == DAGSTER]
    sql += [query["model"]["rawSql"] for query in asked_of if query["datasourceUid"] == DAGSTER]
    named = {name for each in sql for name in re.findall(r"\b(?:FROM|JOIN) (\w+)", each)}
    assert named >= set(DAGSTER_TABLES)
