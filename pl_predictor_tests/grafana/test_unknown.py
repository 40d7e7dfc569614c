"""Whatever may be unknown in the tables, the queries run, and nothing unknown gets a time or the name of a series."""

from collections.abc import Iterator
from typing import Any

import pytest

from pl_predictor.tables import metadata
from pl_predictor_tests.grafana.grafana import DATA, Question, answered, distinct, shape_faults, undone
from pl_predictor_tests.grafana.macros import expanded
from pl_predictor_tests.grafana.season import EVERYTHING

ASKED = [question for question in distinct() if question.source == DATA]
OF_EVENTS = ("alerts", "resolved_at")
"""Null only while an alert is open."""
OPTIONAL = {
    table.name: [each.name for each in table.columns if each.nullable and (table.name, each.name) != OF_EVENTS]
    for table in metadata.tables.values()
}


@pytest.fixture(scope="module", params=[1, 3], ids=["all", "a third"])
def unknown(request: pytest.FixtureRequest, owners: dict[str, Any]) -> Iterator[Any]:
    """A cursor in whose transaction all that can be unknown is: in every row, or in a third of them."""
    with undone(owners[DATA]) as cursor:
        for table, columns in OPTIONAL.items():
            if columns:
                nothing = ", ".join(f'"{column}" = NULL' for column in columns)
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                cursor.execute(f"UPDATE {table} SET {nothing} WHERE hashtext(ctid::text) % {request.param} = 0")
        yield cursor


@pytest.mark.parametrize("question", ASKED, ids=map(str, ASKED))
def test_a_query_runs_and_its_answer_fits_its_panel_whatever_is_unknown(unknown: Any, question: Question) -> None:
    unknown.execute("SAVEPOINT before")
    try:
        unknown.execute(expanded(question.sql, EVERYTHING))
        frame = answered(unknown)
    finally:
        unknown.execute("ROLLBACK TO before")
    assert shape_faults(question, frame) == []
