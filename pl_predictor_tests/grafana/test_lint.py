"""What no schema says of a dashboard: that a person can read it, and that Grafana shows no mistake as health."""

import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from pl_predictor_tests.grafana.colours import GREY
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, FOLDER, boards, panels, questions

BOARDS = boards()
PANELS = [
    pytest.param(board, panel, id=f"{board['uid']}: {panel['title']}") for board in BOARDS for panel in panels(board)
]
TYPES = {"stat", "timeseries", "table", "state-timeline", "barchart", "trend", "alertlist"}
UNITS = {"percentunit", "none", "short", "s", "suffix: days", "string", "time:YYYY-MM-DD HH:mm"}
WITH_LEGEND = {"timeseries", "state-timeline", "barchart", "trend"}
COLUMN, ICONS, LETTER = 66, 84, 7.3
"""Pixels, as Grafana 12.3 draws them: a column of the board, what a panel's head has beside its title, a letter."""
each_panel = pytest.mark.parametrize(("board", "panel"), PANELS)


def test_every_board_has_a_uid_and_a_title_of_its_own() -> None:
    for name in ("uid", "title"):
        assert len({board[name] for board in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_board_is_read_only_and_says_what_it_is_for(board: dict[str, Any]) -> None:
    assert board["editable"] is False
    assert board["schemaVersion"] == 42
    assert board["uid"].startswith("mlops-")
    assert board["description"].endswith(".")
    assert board.get("id") is None


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_panels_have_numbers_and_titles_of_their_own_and_places_that_do_not_overlap(board: dict[str, Any]) -> None:
    everything = board["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    for one, other in combinations([panel["gridPos"] for panel in everything], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, f"{one} and {other} overlap"
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in everything) <= 24


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_every_row_of_panels_fills_the_width(board: dict[str, Any]) -> None:
    widths: dict[int, int] = {}
    for panel in board["panels"]:
        widths[panel["gridPos"]["y"]] = widths.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


@each_panel
def test_a_panel_asks_something_and_says_how_to_read_the_answer(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["title"].endswith("?"), board["uid"]
    assert panel["description"].rstrip().endswith(".")
    assert len(panel["description"]) >= 40
    assert not re.search(r"\{[A-Z_]+\}", str(panel)), "a name stands where its value was meant"


@each_panel
def test_a_title_can_be_read_whole_in_a_window_of_1600_pixels(board: dict[str, Any], panel: dict[str, Any]) -> None:
    room = panel["gridPos"]["w"] * COLUMN - ICONS
    assert len(panel["title"]) * LETTER <= room, board["uid"]


@each_panel
def test_a_panel_is_of_a_known_kind_and_its_units_are_grafanas(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["type"] in TYPES, board["uid"]
    config = panel["fieldConfig"]
    units = [config["defaults"].get("unit", "none")]
    units += [each["value"] for one in config["overrides"] for each in one["properties"] if each["id"] == "unit"]
    assert set(units) <= UNITS


@each_panel
def test_what_has_no_data_says_so_and_does_not_look_like_health(board: dict[str, Any], panel: dict[str, Any]) -> None:
    if panel["type"] == "alertlist":
        assert {"firing", "error", "noData"} <= {name for name, on in panel["options"]["stateFilter"].items() if on}
        return
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"], board["uid"]
    if panel["type"] == "table":
        assert defaults["noValue"] != "no data", "no row means something"
        assert defaults["thresholds"]["steps"] == [{"value": None, "color": "text"}], "else what has no word is green"
    if panel["type"] == "stat":
        base = defaults["thresholds"]["steps"][0]
        assert base == {"value": None, "color": GREY}
        (null,) = (each["options"] for each in defaults["mappings"] if each["type"] == "special")
        assert (null["match"], null["result"]["color"]) == ("null", GREY)


@each_panel
def test_thresholds_ascend(board: dict[str, Any], panel: dict[str, Any]) -> None:
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []})["steps"][1:]
    values = [step["value"] for step in steps]
    assert values == sorted(set(values)), board["uid"]


@each_panel
def test_series_are_named_in_a_legend(board: dict[str, Any], panel: dict[str, Any]) -> None:
    if panel["type"] in WITH_LEGEND:
        assert panel["options"]["legend"]["showLegend"] is True, board["uid"]


@each_panel
def test_a_stat_reduces_to_a_value_and_shows_text_where_it_is_text(
    board: dict[str, Any], panel: dict[str, Any]
) -> None:
    if panel["type"] == "stat":
        options = panel["options"]["reduceOptions"]
        assert options["calcs"] == ["lastNotNull"], board["uid"]
        assert (options["fields"] == "/.*/") == (panel["fieldConfig"]["defaults"]["unit"] == "string")


@each_panel
def test_links_lead_to_addresses_that_the_board_knows(board: dict[str, Any], panel: dict[str, Any]) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]}
    text = str(panel)
    assert set(re.findall(r"\$\{(\w+):raw\}", text)) <= known, board["uid"]


@pytest.mark.parametrize("question", questions(), ids=map(str, questions()))
def test_a_query_is_written_sql_in_an_order_that_it_states(question: Any) -> None:
    assert question.source in {DATA, DAGSTER}
    assert question.shape in {"time_series", "table"}
    if question.shape == "time_series":
        assert "ORDER BY 1" in question.sql
    assert not re.search(r"\$__\w+\([^)]*\(", question.sql), "an argument of a macro cannot hold a bracket"
    assert not re.search(r"'\$\{?\w+\}?'", question.sql), "${name:sqlstring} quotes by itself"
    assert not re.search(r"interval '\d+ (day|week|month|year)", question.sql), "a day has 23 to 25 hours in a session"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: str(board["uid"]))
def test_a_query_uses_only_variables_of_its_board(board: dict[str, Any]) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]}
    used = {
        name
        for question in questions()
        if question.board == board["uid"]
        for name in re.findall(r"\$\{(\w+)[:}]|\$(?!__)(\w+)", question.sql)
        for name in filter(None, name)
    }
    assert used <= known


def sources() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "provisioning/datasources/pl_predictor.yaml").read_text())
    found: list[dict[str, Any]] = document["datasources"]
    return found


def test_every_query_goes_to_a_data_source_that_is_provided() -> None:
    provided = {source["uid"] for source in sources()}
    assert {question.source for question in questions()} <= provided == {DATA, DAGSTER}


def test_a_data_source_names_its_database_where_grafana_reads_it_and_writes_down_no_password() -> None:
    for source in sources():
        assert "database" not in source
        assert source["jsonData"]["database"].startswith("$GRAFANA_")
        assert source["jsonData"]["sslmode"] == "$GRAFANA_DB_SSLMODE"
        assert source["secureJsonData"] == {"password": "$GRAFANA_READER_PASSWORD"}
        assert source["type"] == "grafana-postgresql-datasource"
        assert source["user"] == "grafana_reader"


def test_the_boards_are_provided_and_cannot_be_changed_by_hand() -> None:
    document = yaml.safe_load((FOLDER / "provisioning/dashboards/pl_predictor.yaml").read_text())
    (provider,) = document["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"] == "$GRAFANA_DASHBOARDS"
