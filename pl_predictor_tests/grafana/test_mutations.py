"""What a query rests on is noticed when it goes: each column that it reads, each order that it states."""

from dataclasses import replace

import psycopg2
import pytest

from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.grafana import DAGSTER, Question, answer, distinct, shape_faults, undone
from pl_predictor_tests.grafana.macros import expanded
from pl_predictor_tests.grafana.season import EVERYTHING
from pl_predictor_tests.grafana.sql import order_faults, without_an_order

Connection = psycopg2.extensions.connection
ALL = distinct()
SERIES = [question for question in ALL if question.shape == "time_series"]
READS = """
    SELECT DISTINCT c.relname, a.attname FROM pg_depend d
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class = 'pg_temp.asked'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND c.oid <> r.ev_class
    JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.refobjid, d.refobjsubid)
    WHERE d.refobjsubid > 0 ORDER BY 1, 2
"""
"""Which columns of which tables a view reads, as PostgreSQL itself keeps it."""


@pytest.mark.parametrize("question", ALL, ids=map(str, ALL))
def test_a_query_fails_without_any_one_of_the_columns_that_it_reads(
    owners: dict[str, Connection], question: Question
) -> None:
    """In a query within a query, a column that is gone would be taken from the one around it, without a word."""
    sql, connection = expanded(question.sql, EVERYTHING), owners[question.source]
    with undone(connection) as cursor:
        cursor.execute(f"CREATE TEMP VIEW asked AS {sql}")
        cursor.execute(READS)
        reads = cursor.fetchall()
    assert reads
    for table, column in reads:
        with undone(connection) as cursor:
            cursor.execute(f'ALTER TABLE {table} RENAME COLUMN "{column}" TO renamed')
            with pytest.raises(psycopg2.errors.UndefinedColumn):
                cursor.execute(f"EXPLAIN {sql}")


@pytest.mark.parametrize("question", ALL, ids=map(str, ALL))
def test_a_query_states_every_order_that_it_rests_on(question: Question) -> None:
    assert order_faults(question.sql, question.kind, question.shape) == []


@pytest.mark.parametrize("question", ALL, ids=map(str, ALL))
def test_a_query_that_loses_an_order_is_found(owners: dict[str, Connection], question: Question) -> None:
    for changed in without_an_order(question.sql):
        if not order_faults(changed, question.kind, question.shape):
            with undone(owners[question.source]) as cursor, pytest.raises(psycopg2.errors.SyntaxError):
                cursor.execute(f"EXPLAIN {expanded(changed, EVERYTHING)}")


@pytest.mark.parametrize("question", SERIES, ids=map(str, SERIES))
def test_series_whose_times_do_not_ascend_are_found(season: Settings, question: Question) -> None:
    frame = answer(season, question, EVERYTHING)
    if len(set(frame.column("time"))) > 1:
        backwards = replace(frame, rows=frame.rows[::-1])
        assert "the times do not ascend" in shape_faults(question, backwards)
    else:
        assert question.source == DAGSTER or len(frame.rows) <= 4
