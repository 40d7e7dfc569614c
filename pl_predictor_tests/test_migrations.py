"""The migrations make exactly the tables that the code believes in, however often and however many at once they run."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from pl_predictor import migrations, tables
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.storage.connection import create_databases, open_engine


@pytest.fixture
def empty(postgres: PostgresAddress) -> Iterator[Engine]:
    """An engine on a database without tables."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    server = f"postgresql+psycopg2://{postgres.user}:{postgres.password}@{postgres.host}:{postgres.port}"
    create_databases(f"{server}/postgres", [name])
    engine = open_engine(f"{server}/{name}")
    yield engine
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []


def test_the_indexes_are_whole_as_the_code_has_them(engine: Engine) -> None:
    """What they include, and of which rows they are, is nothing that the comparison above looks at."""
    definition = text("SELECT pg_get_indexdef(to_regclass(:name))")
    with engine.connect() as connection:
        for index in (index for table in tables.metadata.tables.values() for index in table.indexes):
            made = connection.scalar(definition, {"name": index.name})
            index.drop(connection)
            index.create(connection)
            assert connection.scalar(definition, {"name": index.name}) == made
        connection.rollback()


def test_every_column_says_in_the_database_what_it_means(engine: Engine) -> None:
    silent = [
        f"{table}.{column['name']}"
        for table in tables.metadata.tables
        for column in inspect(engine).get_columns(table)
        if not column["comment"]
    ]
    assert silent == []


def test_a_second_upgrade_changes_nothing(empty: Engine) -> None:
    assert (migrations.upgrade(empty), migrations.upgrade(empty)) == (True, False)


def test_two_upgrades_at_once_end_as_one(empty: Engine) -> None:
    changed: list[bool] = []
    threads = [threading.Thread(target=lambda: changed.append(migrations.upgrade(empty))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changed) == [False, True]


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("model_metrics", "id", "integer"),
        ("model_metrics", "metric_type", "character varying(50)"),
        ("model_metrics", "value", "double precision"),
        ("model_metrics", "model_name", "character varying(255)"),
        ("model_metrics", "timestamp", "timestamp with time zone"),
        ("model_metrics", "metadata", "jsonb"),
        ("model_predictions", "id", "integer"),
        ("model_predictions", "home_team", "character varying(255)"),
        ("model_predictions", "away_team", "character varying(255)"),
        ("model_predictions", "prediction", "character varying(10)"),
        ("model_predictions", "confidence", "double precision"),
        ("model_predictions", "probabilities", "jsonb"),
        ("model_predictions", "home_odds", "double precision"),
        ("model_predictions", "away_odds", "double precision"),
        ("model_predictions", "draw_odds", "double precision"),
        ("model_predictions", "actual_result", "character varying(10)"),
        ("model_predictions", "timestamp", "timestamp with time zone"),
        ("backtest_forecasts", "season", "smallint"),
        ("backtest_forecasts", "p_home", "double precision"),
        ("backtest_forecasts", "closing_home", "double precision"),
        ("backtest_scores", "season", "smallint"),
        ("backtest_scores", "slice", "character varying(50)"),
        ("backtest_scores", "metric", "character varying(50)"),
        ("backtest_scores", "value", "double precision"),
        ("bets", "season", "smallint"),
        ("bets", "odds", "double precision"),
        ("bets", "stake", "numeric(12,2)"),
        ("bets", "profit", "numeric(12,2)"),
        ("bets", "settled_at", "timestamp with time zone"),
        ("betting_scores", "metric", "character varying(50)"),
        ("betting_scores", "value", "double precision"),
        ("market_edges", "edge", "double precision"),
        ("market_edges", "verdict", "text"),
    ],
)
def test_the_columns_that_dashboards_rely_on_have_their_types(
    engine: Engine, table: str, column: str, kind: str
) -> None:
    query = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(:table) AND attname = :name"
    )
    with engine.connect() as connection:
        assert connection.scalar(text(query), {"table": table, "name": column}) == kind
