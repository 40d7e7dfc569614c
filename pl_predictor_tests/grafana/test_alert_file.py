"""The files of the alerting have what Grafana asks of them, and lead a person to what is wrong."""

import re
import sys
from dataclasses import replace
from typing import Any

import pytest

from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.alerting import asks, frame_faults, leads_to, read, rules
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, ask, connected

each_rule = pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["uid"]))


@each_rule
def test_a_rule_is_one_query_and_a_threshold_on_it(rule: dict[str, Any]) -> None:
    query, threshold = rule["data"]
    assert (query["refId"], threshold["refId"], rule["condition"]) == ("A", "B", "B")
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"]
    assert query["datasourceUid"] in {DATA, DAGSTER}
    assert (query["model"]["format"], query["model"]["rawQuery"], query["model"]["refId"]) == ("table", True, "A")
    assert "$" not in query["model"]["rawSql"], "no dashboard, no variables; and ages go by the platform's now"
    assert query["relativeTimeRange"]["from"] > query["relativeTimeRange"]["to"]
    assert (threshold["datasourceUid"], threshold["model"]["type"]) == ("__expr__", "threshold")
    assert (threshold["model"]["expression"], threshold["model"]["refId"]) == ("A", "B")


@each_rule
def test_a_rule_has_what_grafana_asks_of_it_and_a_person(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule["uid"])
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["noDataState"] in {"OK", "Alerting"}
    assert rule["execErrState"] in {"Error", "Alerting"}
    assert rule["labels"]["severity"] in {"warning", "error", "critical"}
    for said in (rule["annotations"]["summary"], rule["annotations"]["description"]):
        assert said.endswith(".")
        assert "${" not in said, "Grafana looks for a variable of the environment"
    assert len(rule["annotations"]["description"]) >= 100
    for said in (rule["title"], *rule["labels"].values()):
        assert said.replace("$$", "").count("$") == 0


@each_rule
def test_a_rule_leads_to_a_panel_of_its_data(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert (said["__dashboardUid__"], said["__panelId__"]) == (rule["dashboardUid"], str(rule["panelId"]))
    panel, _ = leads_to(rule)
    assert panel["datasource"]["uid"] == asks(rule)


FRAMES = {
    "a number and texts": ("'a' AS job, 'b' AS run, 1.5::float8 AS minutes", []),
    "two numbers": ("1 AS n, 2 AS m", ["one column of numbers, not ['n', 'm']"]),
    "no number": ("'a' AS job", ["one column of numbers, not []"]),
    "a boolean": ("1 AS n, true AS dead", ["dead is neither number nor text"]),
    "a time": ("1 AS n, now() AS since", ["since is neither number nor text"]),
    "a number called time": ("1 AS time", ["a column called time makes it a series"]),
    "rows of the same labels": ("'a' AS job, n FROM generate_series(1, 2) n", ["two rows have the same labels"]),
}


@pytest.mark.parametrize(("selected", "faults"), FRAMES.values(), ids=FRAMES)
def test_what_grafana_cannot_take_for_numbers_with_labels_is_a_fault(
    empty: Settings, selected: str, faults: list[str]
) -> None:
    with connected(empty, DATA) as connection:
        assert frame_faults(ask(connection, f"SELECT {selected}")) == faults


def test_the_file_has_the_shape_of_file_provisioning() -> None:
    document = read("rules.yaml")
    assert set(document) == {"apiVersion", "groups", "deleteRules"}
    (group,) = document["groups"]
    assert set(group) == {"orgId", "name", "folder", "interval", "rules"}
    assert int(group["interval"].removesuffix("s")) % 10 == 0
    assert not {"folderUID", "orgID", "ruleGroup"} & {key for each in group["rules"] for key in each}
    for name in ("uid", "title"):
        assert len({each[name] for each in group["rules"]}) == len(group["rules"])


def test_what_is_told_goes_to_a_contact_point_that_is_there() -> None:
    (point,) = read("contact-points.yaml")["contactPoints"]
    (receiver,) = point["receivers"]
    assert (receiver["type"], receiver["settings"]["url"]) == ("webhook", "$GRAFANA_ALERT_URL")
    (policy,) = read("policies.yaml")["policies"]
    assert {policy["receiver"], *(route["receiver"] for route in policy["routes"])} == {point["name"]}
    severities = {each["labels"]["severity"] for each in rules()}
    for route in policy["routes"]:
        ((label, compared, value),) = route["object_matchers"]
        assert (label, compared) == ("severity", "=")
        assert value in severities


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the SDK of Grafana needs Python 3.11")
def test_a_rule_cannot_lead_to_a_panel_that_is_not_there_or_be_removed_and_there() -> None:
    from grafana.alert_file import document
    from grafana.alerts import RULES

    boards: dict[str, dict[str, Any]] = {uid: {"panels": []} for uid in {rule.board for rule in RULES}}
    with pytest.raises(ValueError, match="accuracy-below-market leads to the panel 'Is it right more often"):
        document(RULES, boards, [])
    with pytest.raises(ValueError, match="daemon-dead: a rule that is there cannot be among the removed"):
        document(RULES, boards, ["daemon-dead", "of-old"])
    assert document([], boards, ["of-old"])["deleteRules"] == [{"orgId": 1, "uid": "of-old"}]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the SDK of Grafana needs Python 3.11")
def test_a_dollar_in_a_title_is_meant() -> None:
    from grafana.alert_file import document
    from grafana.alerts import RULES

    costly = replace(RULES[0], title="It costs $HOME")
    boards = {costly.board: {"panels": [{"title": costly.question, "type": "stat", "id": 1}]}}
    (group,) = document([costly], boards, [])["groups"]
    assert group["rules"][0]["title"] == "It costs $$HOME"
