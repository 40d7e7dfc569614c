"""A year of a platform that nobody stops, in Dagster's own tables: one run that really took place, made many in SQL.

Run by the clock for a year it is hourly, six-hourly, daily and weekly runs, of which one in a hundred fails before its
checks have judged; each check's execution in them; ticks as far as Dagster keeps them (of schedules all, of sensors
those that skipped for a week); and a sign of life of each part of the daemon.
"""

import json
from datetime import datetime, timezone
from typing import Final

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import text

from pl_predictor.services.environment import exported
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine

EVERY: Final = {
    "monitoring": "1 hour",
    "drift_analysis": "6 hours",
    "daily_predictions": "24 hours",
    "weekly_retraining_evaluation": "168 hours",
}
"""The jobs of the schedules."""
DAEMONS: Final = ("SENSOR", "SCHEDULER", "BACKFILL", "ASSET", "QUEUED_RUN_COORDINATOR", "MONITORING")

FILL: Final = (
    """
    CREATE TEMP TABLE year AS SELECT job, moment, gen_random_uuid()::text AS run_id, random() < 0.01 AS failed
    FROM jsonb_each_text(CAST(:every AS jsonb)) AS of_job (job, every), generate_series(
        now() - interval '8760 hours', now() - interval '10 minutes', CAST(every AS interval)
    ) moment
    """,
    "CREATE TEMP TABLE lived AS SELECT * FROM runs",
    """
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp,
        start_time, end_time)
    SELECT y.run_id, l.snapshot_id, job, CASE WHEN failed THEN 'FAILURE' ELSE 'SUCCESS' END,
        replace(l.run_body, l.run_id, y.run_id), moment AT TIME ZONE 'UTC', moment AT TIME ZONE 'UTC',
        extract(epoch FROM moment) + 2, extract(epoch FROM moment) + 2 + 20 * random()
    FROM year y, lived l ORDER BY moment
    """,
    """
    INSERT INTO asset_check_executions (asset_key, check_name, run_id, execution_status, evaluation_event,
        evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id, create_timestamp)
    SELECT asset_key, check_name, y.run_id, CASE WHEN failed THEN 'PLANNED' ELSE execution_status END,
        replace(evaluation_event, l.run_id, y.run_id), (moment + interval '20 seconds') AT TIME ZONE 'UTC',
        extract(epoch FROM moment)::int, CASE WHEN NOT failed THEN extract(epoch FROM moment)::int END,
        moment AT TIME ZONE 'UTC'
    FROM year y, lived l JOIN asset_check_executions c ON c.run_id = l.run_id
    WHERE CAST(:checked AS jsonb) -> job ? (asset_key::jsonb->>-1) ORDER BY moment, c.id
    """,
    """
    UPDATE asset_keys a SET last_run_id = newest.run_id,
        last_materialization = replace(last_materialization, a.last_run_id, newest.run_id),
        last_materialization_timestamp = newest.moment AT TIME ZONE 'UTC'
    FROM (
        SELECT DISTINCT ON (name) name, y.run_id, moment
        FROM year y, jsonb_array_elements_text(CAST(:checked AS jsonb) -> job) name WHERE NOT failed
        ORDER BY name, moment DESC
    ) newest
    WHERE last_materialization IS NOT NULL AND a.asset_key::jsonb->>-1 = newest.name
    """,
    """
    INSERT INTO job_ticks (job_origin_id, selector_id, status, type, "timestamp", tick_body, create_timestamp,
        update_timestamp)
    SELECT job_origin_id, selector_id, CASE WHEN type = 'SENSOR' THEN 'SKIPPED' ELSE 'SUCCESS' END, type, moment,
        tick_body, moment, moment
    FROM (
        SELECT 'SCHEDULE' AS of_type, moment AT TIME ZONE 'UTC' AS moment FROM year UNION ALL
        SELECT 'SENSOR', moment AT TIME ZONE 'UTC'
        FROM generate_series(now() - interval '168 hours', now(), interval '30 seconds') moment, generate_series(1, 2)
    ) ticked JOIN job_ticks kept ON kept.type = of_type ORDER BY moment
    """,
)


def fill(settings: Settings) -> None:
    """Make a year of the one run in Dagster's tables, which Dagster's instance of `settings` writes to."""
    with exported(settings), dg.DagsterInstance.get() as instance:
        now = datetime.now(timezone.utc).timestamp()
        for kind in (InstigatorType.SENSOR, InstigatorType.SCHEDULE):
            skipped = "nothing of what would be a reason to train has changed since the last look, which was quiet too"
            instance.create_tick(TickData("origin", kind.value, kind, TickStatus.SKIPPED, now, skip_reason=skipped))
        for part in DAEMONS:
            instance.add_daemon_heartbeat(DaemonHeartbeat(now, part, "one"))
    values = {"every": json.dumps(EVERY), "checked": json.dumps(_assets())}
    engine = open_engine(settings.database_url(settings.dagster_db))
    with engine.begin() as connection:
        for statement in FILL:
            query = text(statement)
            connection.execute(query, {name: values[name] for name in query.compile().params})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _assets() -> dict[str, list[str]]:
    """The assets of each job."""
    from pl_predictor.definitions import build_defs

    definitions = build_defs()
    layers = {job: definitions.resolve_job_def(job).asset_layer for job in EVERY}
    return {job: sorted(key.path[-1] for key in layer.selected_asset_keys) for job, layer in layers.items()}
