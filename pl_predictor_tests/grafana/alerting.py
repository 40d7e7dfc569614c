"""Grafana's alerting as far as the tests need it: the committed rules, evaluated on PostgreSQL as Grafana's own role.

A query gives a number a row; the row's texts are its labels. No row, or a query that fails, is what the rule says. How
long a rule must hold before somebody is told is not evaluated.
"""

import operator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.grafana import (
    FOLDER,
    NUMERIC,
    TEXTS,
    Frame,
    Question,
    ask,
    asked,
    boards,
    connected,
    panels,
)

ALERTING = FOLDER / "provisioning/alerting"
COMPARED = {"gt": operator.gt}

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation of a rule came to. fires: the labels of each row that is beyond the threshold."""

    state: str
    fires: tuple[Labels, ...] = ()
    values: tuple[float, ...] = ()


def read(name: str, folder: Path = ALERTING) -> dict[str, Any]:
    """A file of the provisioning."""
    document: dict[str, Any] = yaml.safe_load((folder / name).read_text())
    return document


@cache
def rules() -> list[dict[str, Any]]:
    """The committed rules."""
    return [rule for group in read("rules.yaml")["groups"] for rule in group["rules"]]


def rule(uid: str) -> dict[str, Any]:
    """The committed rule of that uid."""
    (found,) = (each for each in rules() if each["uid"] == uid)
    return found


def node(rule: dict[str, Any], ref: str) -> dict[str, Any]:
    """A query or an expression of a rule."""
    found: dict[str, Any]
    (found,) = (each for each in rule["data"] if each["refId"] == ref)
    return found


def asks(rule: dict[str, Any]) -> str:
    """The data source of a rule."""
    found: str = node(rule, "A")["datasourceUid"]
    return found


def leads_to(rule: dict[str, Any]) -> tuple[dict[str, Any], Question]:
    """The panel that a rule leads to, and what it asks."""
    (board,) = (each for each in boards() if each["uid"] == rule["dashboardUid"])
    (panel,) = (each for each in panels(board) if each["id"] == rule["panelId"])
    return panel, asked(panel["title"], board["uid"])


def frame_faults(frame: Frame) -> list[str]:
    """Why Grafana could not take the frame for numbers with labels; empty where it can."""
    of = dict(zip(frame.names, frame.types, strict=True))
    numbers = [name for name, kind in of.items() if kind in NUMERIC]
    faults = [] if len(numbers) == 1 else [f"one column of numbers, not {numbers}"]
    faults += [f"{name} is neither number nor text" for name, kind in of.items() if kind not in NUMERIC | TEXTS]
    if "time" in of:
        faults.append("a column called time makes it a series")
    labels = [labelled(frame, row) for row in frame.rows]
    return faults + ["two rows have the same labels"] * (len(labels) != len(set(labels)))


def labelled(frame: Frame, row: tuple[Any, ...]) -> Labels:
    """The row's texts by the names of their columns; a text that is null is no label."""
    cells = zip(frame.names, frame.types, row, strict=True)
    return tuple((name, cell) for name, kind, cell in cells if kind in TEXTS and cell is not None)


def answer(settings: Settings, rule: dict[str, Any]) -> Frame:
    """What PostgreSQL answers to the query of a rule."""
    query = node(rule, "A")
    with connected(settings, query["datasourceUid"]) as connection:
        return ask(connection, query["model"]["rawSql"])


def evaluate(settings: Settings, rule: dict[str, Any]) -> Evaluation:
    """One evaluation: the query, then the threshold on each of its rows."""
    try:
        frame = answer(settings, rule)
    except psycopg2.Error:
        return Evaluation(rule["execErrState"])
    assert frame_faults(frame) == [], rule["uid"]
    if not frame.rows:
        return Evaluation(rule["noDataState"])
    (condition,) = node(rule, rule["condition"])["model"]["conditions"]
    beyond, (limit,) = COMPARED[condition["evaluator"]["type"]], condition["evaluator"]["params"]
    (at,) = (number for number, kind in enumerate(frame.types) if kind in NUMERIC)
    fires = tuple(labelled(frame, row) for row in frame.rows if row[at] is not None and beyond(row[at], limit))
    return Evaluation("Alerting" if fires else "Normal", fires, tuple(row[at] for row in frame.rows))


def firing(settings: Settings) -> set[str]:
    """The uids of the rules that fire."""
    return {each["uid"] for each in rules() if evaluate(settings, each).state == "Alerting"}
