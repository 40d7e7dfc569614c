"""How long all that Grafana asks takes, boards and alert rules, as its role: run as a process of its own, with a home
that is not there yet, which prints JSON.

The platform's tables are filled as ten seasons of forecasts and a year by the hour would fill them: of 31 seasons of
matches those of the last ten are forecast on the ten days before them by the version that serves then, and by version
1, which shadows all the time; scores of two versions and of the bets every hour of the last year, drift every six
hours. Rows are made in the database: whether what is in them is true does not matter here. Dagster's are those of
`dagster_year`.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
from sqlalchemy import Engine, text

from pl_predictor import migrations
from pl_predictor.core.betting_scores import BANDS, BLIND, BLIND_PRICES, OUTCOME_SLICES
from pl_predictor.core.betting_scores import METRICS as BET_METRICS
from pl_predictor.core.evidence import RECENT
from pl_predictor.core.features import FEATURES
from pl_predictor.core.matches import MAX_ODDS, PRE_MATCH_ODDS
from pl_predictor.core.scoring import METRICS
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.connection import create_databases, opened
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.bench import dagster_year
from pl_predictor_tests.bench.many_matches import many_matches
from pl_predictor_tests.bench.terminal import NotMeasured, progress
from pl_predictor_tests.conftest import free_port, fresh_settings
from pl_predictor_tests.grafana.alerting import asks, node, rules
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, ask, connected, database, distinct
from pl_predictor_tests.grafana.macros import View, expanded
from pl_predictor_tests.grafana.season import readable
from pl_predictor_tests.integration.platform import run_from_nothing, using

SEASONS, FIRST, SHADOW = 10, 2014, "1"
END = datetime(2024, 6, 1, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
CHOSEN = {"model": MODEL_NAME, "version": SHADOW, "metric": "log_loss"}
VIEWS = {
    "ten seasons": View(END - SEASONS * YEAR, END, "2d", CHOSEN),
    "a year": View(END - YEAR, END, "6h", CHOSEN),
    "a version of old": View(END - YEAR, END, "6h", {**CHOSEN, "version": "2"}),
}
RUNS = 5
SLICES = [
    "all",
    *OUTCOME_SLICES.values(),
    *(f"odds {low:g} to {high:g}" for low, high in BANDS),
    *(f"blind {which}, {prices}" for which in BLIND for prices in BLIND_PRICES),
]

VERSION = "(m.season - :first + 2)::text"
FACTS = """jsonb_build_object('n', 380, 'low', 0.1, 'high', 0.3, 'alpha', 0.0125, 'standard_error', 0.01,
    'anytime_low', 0, 'anytime_high', 0.4, 'first_kickoff', '2023-08-11T19:00:00+00:00',
    'last_kickoff', '2024-05-19T15:00:00+00:00')"""
FILL = (
    """
    INSERT INTO match_features (season, home_team, away_team, kickoff, result, features, as_of, code_version)
    SELECT m.season, m.home_team, m.away_team, m.kickoff, m.result,
        (SELECT jsonb_object_agg(name, 1.5) FROM unnest(CAST(:features AS text[])) name), :end, 'bench' FROM matches m
    """,
    f"""
    INSERT INTO retraining_events (event, cause, reason, evidence, verdict, challenger_version, as_of, replay,
        code_version)
    SELECT CASE WHEN first THEN 'refused' ELSE 'promoted' END, 'first', 'made up', '[]', 'made up',
        CASE WHEN first THEN :shadow ELSE {VERSION} END, min(m.kickoff) - interval '240 hours', true, 'bench'
    FROM matches m, (VALUES (true), (false)) which (first)
    WHERE m.season >= :first AND (NOT first OR m.season = :first) GROUP BY m.season, first ORDER BY m.season
    """,
    f"""
    INSERT INTO model_predictions (season, home_team, away_team, kickoff, prediction, confidence, probabilities,
        home_odds, draw_odds, away_odds, information, as_of, replay, model_version, code_version, dagster_run_id)
    SELECT m.season, m.home_team, m.away_team, m.kickoff, CASE greatest(h, d, a) WHEN h THEN 'H' WHEN a THEN 'A' ELSE
        'D' END, greatest(h, d, a), jsonb_build_object('H', h, 'D', d, 'A', a), m.home_odds, m.draw_odds, m.away_odds,
        'odds', m.kickoff - make_interval(hours => 24 * ahead), true, version, 'bench', gen_random_uuid()::text
    FROM matches m, generate_series(1, 10) ahead, unnest(ARRAY[:shadow, {VERSION}]) version,
        LATERAL (SELECT 1 / m.home_odds + 1 / m.draw_odds + 1 / m.away_odds AS total) o,
        LATERAL (SELECT 1 / m.home_odds / total AS h, 1 / m.draw_odds / total AS d, 1 / m.away_odds / total AS a) p
    WHERE m.season >= :first
    ORDER BY m.kickoff - make_interval(hours => 24 * ahead)
    """,
    """
    UPDATE model_predictions p SET actual_result = m.result FROM matches m
    WHERE (m.season, m.home_team, m.away_team) = (p.season, p.home_team, p.away_team)
    """,
    f"""
    INSERT INTO model_metrics (metric_type, value, model_version, metadata, as_of)
    SELECT metric, random(), version, {FACTS}, moment
    FROM generate_series(CAST(:begin AS timestamptz), :end, interval '1 hour') moment,
        unnest(CAST(:metrics AS text[])) metric, unnest(ARRAY[:shadow, :champion]) version
    """,
    """
    INSERT INTO drift_scores (model_version, as_of, column_name, score, effect_size, method, threshold, drifted,
        reference_n, current_n)
    SELECT :champion, moment, name, random(), random(), 'ks', 0.001, random() < 0.1, 3000, 100
    FROM generate_series(CAST(:begin AS timestamptz), :end, interval '6 hours') moment,
        unnest(CAST(:features AS text[])) name
    """,
    """
    INSERT INTO betting_scores (as_of, replay, slice, metric, value, n, low, high, code_version)
    SELECT moment, true, slice, metric, random(), 500, 0.1, 0.9, 'bench'
    FROM generate_series(CAST(:begin AS timestamptz), :end, interval '1 hour') moment,
        unnest(CAST(:slices AS text[])) slice, unnest(CAST(:bet_metrics AS text[])) metric
    WHERE metric = 'yield' OR slice NOT LIKE 'blind %'
    """,
    "ALTER TABLE bets DISABLE TRIGGER seal",
    """
    INSERT INTO bets (season, home_team, away_team, kickoff, outcome, forecast_id, probability, odds, prices, edge,
        stake, bankroll, starting_bankroll, as_of, replay, model_version, code_version, dagster_run_id, settlement,
        profit, bankroll_after, settled_at)
    SELECT season, home_team, away_team, kickoff, prediction, id, confidence, odds, 'best', confidence * odds - 1, 1,
        1000, 1000, as_of, true, model_version, 'bench', dagster_run_id,
        CASE WHEN prediction = actual_result THEN 'won' ELSE 'lost' END, profit,
        5000 + sum(profit) OVER (ORDER BY kickoff, home_team), kickoff + interval '3 hours'
    FROM (
        SELECT *, 1.05 / confidence AS odds,
            round((CASE WHEN prediction = actual_result THEN 1.05 / confidence - 1 ELSE -1 END)::numeric, 2) AS profit
        FROM model_predictions p
        WHERE model_version <> :shadow AND as_of = kickoff - interval '24 hours' AND confidence < 0.95
    ) chosen
    """,
    """
    INSERT INTO alerts (key, level, title, message, as_of, replay, opened_at, resolved_at)
    SELECT 'source', 'error', 'made up', 'made up', moment, true, moment, moment + interval '1 hour'
    FROM generate_series(CAST(:begin AS timestamptz), :end, interval '6 hours') moment
    """,
)


def fill(engine: Engine) -> None:
    """Ten seasons, and a year by the hour."""
    matches = many_matches(FIRST + SEASONS - 1993)
    matches[list(MAX_ODDS)] = matches[list(PRE_MATCH_ODDS)].to_numpy() * 1.05
    MatchStorage(engine).store_matches(matches, "bench")
    champion = str(SEASONS + 1)
    values = {
        **{"first": FIRST, "begin": END - YEAR, "end": END, "shadow": SHADOW, "champion": champion},
        **{"features": list(FEATURES), "metrics": [*METRICS, *RECENT.values(), "drift_share"]},
        **{"slices": SLICES, "bet_metrics": list(BET_METRICS)},
    }
    for statement in FILL:
        query = text(statement)
        with engine.begin() as connection:
            connection.execute(query, {name: values[name] for name in query.compile().params})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def milliseconds(settings: Settings, source: str, sql: str) -> float:
    """The median time of one query as Grafana's role, its rows read."""
    took = []
    with connected(settings, source) as connection:
        for _ in range(RUNS):
            began = time.perf_counter()
            ask(connection, sql)
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def asked() -> Iterator[tuple[str, str, str]]:
    """The name, the source and the SQL of all that Grafana asks: the boards' queries in each view, and the rules'."""
    for question in distinct():
        for name, view in (VIEWS if question.source == DATA else by_the_clock()).items():
            yield f"{question}, {name}", question.source, expanded(question.sql, view)
    for rule in rules():
        yield f"rule {rule['uid']}", asks(rule), node(rule, "A")["model"]["rawSql"]


def by_the_clock() -> dict[str, View]:
    """How the board of the machinery is looked at, whose time is the clock's."""
    now = datetime.now(timezone.utc)
    return {"a year": View(now - YEAR, now, "6h", CHOSEN), "a week": View(now - timedelta(days=7), now, "10m", CHOSEN)}


def slowest(settings: Settings) -> dict[str, object]:
    """The slowest of all queries: its time, and which it is."""
    found = sorted(((milliseconds(settings, *query), name) for name, *query in asked()), reverse=True)
    for took, name in found[:10]:
        progress(f"{took:7.1f} ms  {name}")
    rows = {source: _rows(settings, database(settings, source)) for source in (DATA, DAGSTER)}
    return {"ms": found[0][0], "query": found[0][1], "queries": len(found), "rows": rows}


def _rows(settings: Settings, name: str) -> int:
    with opened(settings.database_url(name)) as engine, engine.connect() as connection:
        return int(connection.execute(text("SELECT sum(n_live_tup) FROM pg_stat_user_tables")).scalar_one())


@contextmanager
def filled(folder: Path) -> Iterator[Settings]:
    """Settings of a platform whose tables and whose Dagster's are full, and which Grafana may read."""
    with PostgresServer(folder, port=free_port()).lease() as address:
        lived = fresh_settings(folder, address)
        once = run_from_nothing("run", env=using(lived))
        if once.returncode:
            raise NotMeasured(once.stderr)
        dagster_year.fill(lived)
        full = lived.model_copy(update={"postgres_db": "bench"})
        create_databases(full.database_url("postgres"), [full.postgres_db])
        with opened(full.database_url(full.postgres_db)) as engine:
            migrations.upgrade(engine)
            fill(engine)
        yield readable(full)


if __name__ == "__main__":
    with filled(Path(sys.argv[1])) as platform:
        click.echo(json.dumps(slowest(platform)))
