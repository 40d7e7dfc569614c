"""The board of the machinery: do Dagster's runs, checks and daemon work? Asked of Dagster's own tables.

Those are no public contract: the queries are tested on a real instance, and read what Dagster 1.13 keeps. Times of runs
are epoch seconds; `create_timestamp` and the like have no zone and are in UTC.
"""

from grafana.house import (
    AMBER,
    ASSET,
    BLUE,
    DAGSTER,
    GREEN,
    GREY,
    RED,
    RUN,
    SECONDS,
    SHARE,
    Board,
    Row,
    bars,
    grid,
    lines,
    stat,
)

STUCK_MINUTES = 30
"""Dagster's own run monitoring ends a run after as long (dagster.yaml)."""
STATUS = {
    "SUCCESS": ("succeeded", GREEN),
    "FAILURE": ("failed", RED),
    "CANCELED": ("canceled", GREY),
    "QUEUED": ("queued", AMBER),
    "STARTED": ("running", BLUE),
    "STARTING": ("starting", BLUE),
    "CANCELING": ("canceling", GREY),
    "NOT_STARTED": ("not started", GREY),
}
JOB = "CASE pipeline_name WHEN '__ASSET_JOB' THEN 'materialized by hand' ELSE pipeline_name END"
ASSET_NAME = "asset_key::jsonb->>-1"
LATEST_CHECKS = f"""latest AS (
    SELECT DISTINCT ON (asset_key, check_name) {ASSET_NAME} AS asset, check_name, execution_status, run_id,
        evaluation_event::jsonb #> '{{dagster_event,event_specific_data}}' AS said,
        evaluation_event_timestamp AT TIME ZONE 'UTC' AS judged_at
    FROM asset_check_executions WHERE execution_status IN ('SUCCEEDED', 'FAILED')
    ORDER BY asset_key, check_name, id DESC
)"""
"""The newest verdict of each check; executions without one (planned, or crashed) tell nothing."""

SUCCESS = stat(
    "What share of the runs succeeded?",
    """Of the runs that ended in the time range by success or failure. Under 90 % look at the last runs below; a single
    failure is retried by the next run of its job.""",
    """
    SELECT avg((status = 'SUCCESS')::int)::float8 AS succeeded FROM runs
    WHERE status IN ('SUCCESS', 'FAILURE') AND $__unixEpochFilter(end_time) HAVING count(*) > 0
    """,
    unit=SHARE,
    steps=((0, RED), (0.9, AMBER), (0.99, GREEN)),
    none="no run ended",
    source=DAGSTER,
    decimals=1,
)
QUEUE = stat(
    "How long has the oldest queued run waited?",
    """One run goes after the other, so minutes are normal while a training is under way. Longer: the daemon has
    stopped, or a run is stuck.""",
    """
    SELECT extract(epoch FROM now() - min(create_timestamp AT TIME ZONE 'UTC'))::float8 AS waits
    FROM runs WHERE status = 'QUEUED' HAVING count(*) > 0
    """,
    unit=SECONDS,
    steps=((0, GREEN), (300, AMBER), (1800, RED)),
    none="the queue is empty",
    source=DAGSTER,
    decimals=0,
)
STUCK = stat(
    "How many runs are stuck?",
    f"""Runs that began over {STUCK_MINUTES} minutes ago and have not ended. Dagster's monitoring fails them, if the
    daemon runs; else terminate them in Dagster.""",
    f"""
    SELECT count(*) AS stuck FROM runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING')
        AND coalesce(to_timestamp(start_time), update_timestamp AT TIME ZONE 'UTC')
            < now() - interval '{STUCK_MINUTES} minutes'
    """,
    steps=((0, GREEN), (1, RED)),
    source=DAGSTER,
)
HEARTBEAT = stat(
    "When did the daemon last give a sign of life?",
    """Seconds since the newest heartbeat of any part of the daemon, which writes every 30 s. Over two minutes it has
    stopped: nothing is scheduled, sensed or alerted. `make up` starts it again.""",
    """
    SELECT extract(epoch FROM now() - max("timestamp" AT TIME ZONE 'UTC'))::float8 AS silence
    FROM daemon_heartbeats HAVING count(*) > 0
    """,
    unit=SECONDS,
    steps=((-60, GREEN), (60, AMBER), (120, RED)),
    none="no daemon ever ran",
    source=DAGSTER,
    decimals=0,
)
FAILED = stat(
    "How many checks fail?",
    """Checks whose newest verdict is a failure, warnings included: each is named below, with what it says.""",
    f"WITH {LATEST_CHECKS} SELECT count(*) FILTER (WHERE execution_status = 'FAILED') AS failing "
    "FROM latest HAVING count(*) > 0",
    steps=((0, GREEN), (1, AMBER), (3, RED)),
    none="no check yet",
    source=DAGSTER,
)
BY_STATUS = lines(
    "How do the runs end?",
    """Runs by the time they began and their state now. Red stacks at regular times are a job that always fails.""",
    """
    SELECT $__unixEpochGroup(start_time, $__interval) AS time, lower(status) AS metric, count(*) AS value
    FROM runs WHERE start_time IS NOT NULL AND $__unixEpochFilter(start_time) GROUP BY 1, 2 ORDER BY 1, 2
    """,
    unit="short",
    bars={"success": GREEN, "failure": RED, "cancel": GREY, "start|queued": BLUE},
    source=DAGSTER,
)
TICKS = lines(
    "Do sensors and schedules tick?",
    """Ticks of sensors and schedules by outcome. Skipped is the normal state of a sensor with nothing to do; failed
    ticks have a reason in Dagster, under Automation.""",
    """
    SELECT $__timeGroup(create_timestamp, $__interval) AS time, lower(type || ' ' || status) AS metric,
        count(*) AS value
    FROM job_ticks WHERE $__timeFilter(create_timestamp) GROUP BY 1, 2 ORDER BY 1, 2
    """,
    unit="short",
    bars={"success": GREEN, "failure": RED, "skipped": GREY},
    source=DAGSTER,
)
DURATIONS = bars(
    "How long do the jobs take?",
    """Median and 95th percentile of the successful runs in the time range, by job. A median that doubles is a slow
    machine or a grown table; a far 95th percentile is waiting for a source.""",
    f"""
    SELECT {JOB} AS job, percentile_cont(0.5) WITHIN GROUP (ORDER BY end_time - start_time) AS median,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY end_time - start_time) AS "95th percentile"
    FROM runs WHERE status = 'SUCCESS' AND $__unixEpochFilter(end_time) GROUP BY pipeline_name ORDER BY 2 DESC
    """,
    unit=SECONDS,
    x="job",
    source=DAGSTER,
)
LAST_RUNS = grid(
    "How did the last run of each job go?",
    """The newest run of each job, failures first. The run leads to its log in Dagster; a failed job is an open alert
    until a run of it succeeds.""",
    f"""
    SELECT job, status, began, lasted, run FROM (
        SELECT DISTINCT ON (pipeline_name) {JOB} AS job, status,
            coalesce(to_timestamp(start_time), create_timestamp AT TIME ZONE 'UTC') AS began,
            (coalesce(end_time, extract(epoch FROM now())) - start_time)::float8 AS lasted, run_id AS run
        FROM runs ORDER BY pipeline_name, id DESC
    ) newest
    ORDER BY status = 'FAILURE' DESC, began DESC
    """,
    units={"lasted": SECONDS},
    links={"run": RUN},
    colours={"status": STATUS},
    source=DAGSTER,
)
UNFINISHED = grid(
    "Which runs are waiting or at work?",
    """Runs that have not ended, the oldest first. One that is older than half an hour is stuck.""",
    f"""
    SELECT {JOB} AS job, status, create_timestamp AT TIME ZONE 'UTC' AS created,
        extract(epoch FROM now() - create_timestamp AT TIME ZONE 'UTC')::float8 AS age, run_id AS run
    FROM runs WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
    ORDER BY create_timestamp, id LIMIT 100
    """,
    units={"age": SECONDS},
    links={"run": RUN},
    colours={"status": STATUS},
    source=DAGSTER,
)
DAEMON = grid(
    "Which part of the daemon is silent?",
    """The newest heartbeat of each part. One that is silent while the others are not has crashed: see logs/daemon.log
    in the platform's home.""",
    """
    SELECT lower(daemon_type) AS part, "timestamp" AT TIME ZONE 'UTC' AS heartbeat,
        extract(epoch FROM now() - "timestamp" AT TIME ZONE 'UTC')::float8 AS silence
    FROM daemon_heartbeats ORDER BY 3 DESC
    """,
    units={"silence": SECONDS},
    source=DAGSTER,
)
CHECKS = grid(
    "Which checks fail, and what do they say?",
    """The newest verdict of each failing check, errors first. A warning may be bad luck; an error of quality or drift
    retrains, one of the feed stops what comes after it.""",
    f"""
    WITH {LATEST_CHECKS}
    SELECT asset, check_name AS "check", split_part(said #>> '{{severity,__enum__}}', '.', 2) AS severity,
        said->>'description' AS verdict, judged_at AS since, run_id AS run
    FROM latest WHERE execution_status = 'FAILED' ORDER BY severity, judged_at DESC, "check"
    """,
    links={"asset": ASSET, "run": RUN},
    colours={"severity": {"ERROR": ("error", RED), "WARN": ("warning", AMBER)}},
    source=DAGSTER,
)
ASSETS = grid(
    "How old is each asset?",
    """When each asset was last materialized, the oldest first. `season_backtest` is only made by hand; trained_model
    only when a training is due.""",
    f"""
    SELECT {ASSET_NAME} AS asset, last_materialization_timestamp AT TIME ZONE 'UTC' AS materialized,
        extract(epoch FROM now() - last_materialization_timestamp AT TIME ZONE 'UTC')::float8 AS age,
        last_materialization::jsonb #>> '{{event_log_entry,run_id}}' AS run
    FROM asset_keys WHERE last_materialization_timestamp IS NOT NULL ORDER BY 2, 1
    """,
    units={"age": SECONDS},
    links={"asset": ASSET, "run": RUN},
    source=DAGSTER,
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-system",
        "System",
        "Does the machinery work? Its time is the clock's, also where the platform lives a season again.",
        [
            Row("Now", [SUCCESS, QUEUE, STUCK, HEARTBEAT, FAILED], height=5, widths=(5, 5, 4, 5, 5)),
            Row("Jobs", [LAST_RUNS, UNFINISHED], height=9),
            Row("Over time", [BY_STATUS, DURATIONS, TICKS]),
            Row("Checks", [CHECKS], height=7),
            Row("Daemon and assets", [DAEMON, ASSETS]),
        ],
        since="now-7d",
        by_the_clock=True,
    )
