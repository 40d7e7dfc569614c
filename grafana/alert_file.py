"""The file that Grafana reads the alert rules from: grafana/alerts.py in the shape of its file provisioning.

That is not the shape of its HTTP API, which the SDK's classes have. Not here: what the rules are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from grafana.alerts import REMOVED, Rule
from grafana.board import TAG
from grafana.house import query
from grafana.queries import of_the_one_model

PATH: Final = Path("provisioning/alerting/rules.yaml")
FOLDER: Final = "pl_predictor alerts"
"""Not that of the dashboards, which Grafana makes after the rules, with a uid of its own."""
INTERVAL: Final = "60s"

Boards = Mapping[str, Mapping[str, Any]]
"""The dashboards by uid, as Grafana reads them."""


def document(rules: Sequence[Rule], boards: Boards, removed: Sequence[str]) -> dict[str, Any]:
    """The rules as Grafana reads them from a file.

    ValueError where a rule leads to a panel that is not there, or is removed and there.
    """
    if both := {rule.uid for rule in rules} & set(removed):
        raise ValueError(f"{', '.join(sorted(both))}: a rule that is there cannot be among the removed")
    group = {
        "orgId": 1,
        "name": TAG,
        "folder": FOLDER,
        "interval": INTERVAL,
        "rules": [_rule(rule, boards) for rule in rules],
    }
    return {"apiVersion": 1, "groups": [group], "deleteRules": [{"orgId": 1, "uid": uid} for uid in removed]}


def written(rules: Sequence[Rule], boards: Boards) -> str:
    """The content of the file at PATH."""
    said = yaml.dump(document(rules, boards, REMOVED), Dumper=_Readable, sort_keys=False, width=120, allow_unicode=True)
    return f"# Written by `make dashboards` from grafana/alerts.py: change it there.\n{said}"


def _rule(rule: Rule, boards: Boards) -> dict[str, Any]:
    panel = _panel(rule, boards)
    span = {"from": 600, "to": 0}
    threshold = {
        "conditions": [{"evaluator": {"type": "gt", "params": [rule.above]}}],
        "datasource": {"type": "__expr__", "uid": "__expr__"},
        "expression": "A",
        "refId": "B",
        "type": "threshold",
    }
    return {
        "uid": rule.uid,
        "title": _literal(rule.title),
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": span,
                "datasourceUid": rule.source,
                "model": query(rule.source, of_the_one_model(rule.sql), "table", "A"),
            },
            {"refId": "B", "relativeTimeRange": span, "datasourceUid": "__expr__", "model": threshold},
        ],
        "dashboardUid": rule.board,
        "panelId": panel,
        "noDataState": rule.absent,
        "execErrState": rule.failed,
        "for": rule.lasting,
        "annotations": {
            "summary": rule.summary,
            "description": " ".join(rule.description.split()),
            "__dashboardUid__": rule.board,
            "__panelId__": str(panel),
        },
        "labels": {"severity": _literal(rule.severity)},
        "isPaused": False,
    }


def _panel(rule: Rule, boards: Boards) -> int:
    """The number of the panel that the rule leads to."""
    for panel in boards.get(rule.board, {}).get("panels", []):
        if panel["title"] == rule.question and panel["type"] != "row":
            number: int = panel["id"]
            return number
    raise ValueError(
        f"{rule.uid} leads to the panel {rule.question!r} of {rule.board}, which is not there: name one that is"
    )


def _literal(said: str) -> str:
    """A text in which Grafana would put variables of the environment, as it is meant."""
    return said.replace("$", "$$")


class _Readable(yaml.SafeDumper):
    """Texts of several lines as such, so that a change of the SQL can be read in the file; no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, said: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", said, style="|" if "\n" in said else None)


_Readable.add_representer(str, _text)
