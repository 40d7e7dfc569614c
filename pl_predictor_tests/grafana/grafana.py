"""Grafana as far as the tests need it: the files that it reads, and its queries sent to PostgreSQL as its own role."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from pl_predictor.services.grafana_reader import READER
from pl_predictor.settings import PROJECT, Settings
from pl_predictor_tests.grafana.macros import View, expanded

FOLDER = PROJECT / "grafana"
PASSWORD = "read-only"
DATA, DAGSTER = "mlops-pg", "dagster-pg"

NUMERIC, TIMES, TEXTS, BOOLEAN = {20, 21, 23, 700, 701, 1700}, {1082, 1114, 1184}, {25, 1042, 1043}, 16
"""PostgreSQL's type numbers: integers, floats, numeric; date and timestamps; text; boolean."""


@dataclass(frozen=True)
class Question:
    """A query of a dashboard. kind: the panel's type, or annotation or variable."""

    board: str
    title: str
    kind: str
    source: str
    shape: str
    sql: str

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


@dataclass(frozen=True)
class Frame:
    """What came back: column names, their types as PostgreSQL numbers them, and the rows."""

    names: list[str]
    types: list[int]
    rows: list[tuple[Any, ...]]

    def column(self, name: str) -> list[Any]:
        """The values of one column."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]


def boards(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The dashboards as they are committed."""
    return [json.loads(path.read_text()) for path in sorted((folder / "dashboards").glob("*.json"))]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def questions() -> list[Question]:
    """Every query of every dashboard: of panels, annotations, variables."""
    return [question for board in boards() for question in _of(board)]


def distinct() -> list[Question]:
    """Every query once, however many dashboards ask it."""
    return list({(question.sql, question.kind): question for question in reversed(questions())}.values())[::-1]


def _of(board: dict[str, Any]) -> Iterator[Question]:
    for panel in panels(board):
        for target in panel.get("targets", []):
            yield Question(board["uid"], panel["title"], panel["type"], *_query(target))
    for mark in board["annotations"]["list"]:
        yield Question(board["uid"], mark["name"], "annotation", *_query(mark["target"]))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            source = variable["datasource"]["uid"]
            yield Question(board["uid"], variable["name"], "variable", source, "table", variable["query"])


def _query(target: dict[str, Any]) -> tuple[str, str, str]:
    return target["datasource"]["uid"], target["format"], target["rawSql"]


def asked(title: str, board: str) -> Question:
    """The one query of that title."""
    (found,) = (each for each in questions() if (each.title, each.board) == (title, board))
    return found


def database(settings: Settings, source: str) -> str:
    """The database of a data source."""
    return {DATA: settings.postgres_db, DAGSTER: settings.dagster_db}[source]


@contextmanager
def undone(connection: "psycopg2.extensions.connection") -> Iterator["psycopg2.extensions.cursor"]:
    """A cursor, whose transaction is rolled back."""
    with connection.cursor() as cursor:
        try:
            yield cursor
        finally:
            connection.rollback()


@contextmanager
def connected(settings: Settings, source: str, zone: str | None = None) -> Iterator["psycopg2.extensions.connection"]:
    """A connection as Grafana's role. zone: the session's time zone, if it is not to be the database's."""
    connection = psycopg2.connect(
        host=settings.postgres_host,
        port=settings.postgres_port,
        user=READER,
        password=PASSWORD,
        dbname=database(settings, source),
        options=f"-c timezone={zone}" if zone else "",
    )
    connection.autocommit = True
    yield connection
    connection.close()


def answer(settings: Settings, question: Question, view: View, zone: str | None = None) -> Frame:
    """What PostgreSQL answers to a question as one looks at it. zone: as in `connected`."""
    with connected(settings, question.source, zone) as connection:
        return ask(connection, expanded(question.sql, view))


def ask(connection: "psycopg2.extensions.connection", sql: str) -> Frame:
    """What PostgreSQL answers to this SQL."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return answered(cursor)


def answered(cursor: "psycopg2.extensions.cursor") -> Frame:
    """What the query that a cursor has executed gave."""
    columns = cursor.description or ()
    return Frame([column.name for column in columns], [column.type_code for column in columns], cursor.fetchall())


def shape_faults(question: Question, frame: Frame) -> list[str]:
    """Why Grafana could not show the frame in its panel; empty where it can."""
    of = dict(zip(frame.names, frame.types, strict=True))
    numbers = [name for name, kind in of.items() if kind in NUMERIC and name != "time"]
    faults = [f"{name} is a boolean: cast it to int" for name, kind in of.items() if kind == BOOLEAN]
    faults += [f"{name} is twice there" for name in {n for n in frame.names if frame.names.count(n) > 1}]
    known = NUMERIC | TIMES | TEXTS | {BOOLEAN}
    faults += [
        f"{name} is of type {kind}, which Grafana shows as it likes" for name, kind in of.items() if kind not in known
    ]
    faults += [f"{name} is a timestamp without a zone" for name, kind in of.items() if kind in {1082, 1114}]
    if question.shape == "time_series":
        faults += _series_faults(of, frame, numbers)
    elif question.kind == "stat":
        faults += [f"a stat shows one row, not {len(frame.rows)}"] * (len(frame.rows) > 1)
    elif question.kind in {"barchart", "trend"}:
        faults += ["there is no number"] * (not numbers)
        first = [row[0] for row in frame.rows]
        faults += ["what it is drawn over does not ascend"] * (question.kind == "trend" and first != sorted(first))
    elif question.kind == "annotation":
        faults += [f"no column {name}" for name in ("time", "timeend", "text", "tags") if name not in of]
        faults += ["a mark without time"] * any(
            moment is None for moment in (frame.column("time") if "time" in of else ())
        )
    elif question.kind == "variable":
        faults += [f"one column of text is chosen from, not {of}"] * (len(of) != 1 or not set(of.values()) <= TEXTS)
    return faults


def _series_faults(of: dict[str, int], frame: Frame, numbers: list[str]) -> Iterator[str]:
    if "time" not in of:
        yield "no column time"
        return
    times = frame.column("time")
    if None in times:
        yield "a row without time"
    elif times != sorted(times):
        yield "the times do not ascend"
    if not numbers:
        yield "no number to draw"
    texts = [name for name, kind in of.items() if kind in TEXTS]
    if texts not in ([], ["metric"]):
        yield f"one column of text, called metric, names the series, not {texts}"
    points = [
        (time, *(row[frame.names.index(name)] for name in texts)) for time, row in zip(times, frame.rows, strict=True)
    ]
    if any(None in point for point in points):
        yield "a series without a name"
    if any(None in frame.column(name) for name in numbers):
        yield "a point without a value"
    if len(points) != len(set(points)):
        yield "two values of a series at one time"
