"""The board of the machinery: do Dagster's runs, checks and daemon work? Asked of Dagster's own tables.

Those are no public contract: the queries are tested on a real instance, and read what Dagster 1.13 keeps. Times of runs
are epoch seconds; `create_timestamp` and the like have no zone and are in UTC.
"""

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    ASSET,
    BLUE,
    DAGSTER,
    GREEN,
    GREY,
    PROSE,
    RED,
    RUN,
    SECONDS,
    Column,
    bars,
    counts,
    grid,
    judged,
    stat,
)
from grafana.shared import SILENCE, heartbeat, succeeded
from grafana.thresholds import STUCK_MINUTES

LASTS = Column(SECONDS, 1)
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
BY_HAND = "__ASSET_JOB"
"""What Dagster calls every run that somebody launched of assets that they chose: runs of all kinds, and no job."""
JOB = f"CASE pipeline_name WHEN '{BY_HAND}' THEN 'materialized by hand' ELSE pipeline_name END"
ASSET_NAME = "asset_key::jsonb->>-1"
ENDED_RUNS = f"""ended AS (
    SELECT pipeline_name AS job, status, run_id AS run, start_time, end_time,
        max(end_time) FILTER (WHERE status = 'SUCCESS') OVER of_job AS succeeded
    FROM runs WHERE status IN ('SUCCESS', 'FAILURE') AND pipeline_name <> '{BY_HAND}'
    WINDOW of_job AS (PARTITION BY pipeline_name)
), jobs AS (
    SELECT DISTINCT ON (job) *, count(*) FILTER (WHERE end_time > coalesce(succeeded, 0)) OVER of_job AS failures
    FROM ended WINDOW of_job AS (PARTITION BY job) ORDER BY job, end_time DESC, status DESC
)"""
"""The last run of each job that ended by itself, and how many of it have failed since one succeeded. One that a person
canceled proves nothing; of one that a person made by hand that person knows."""
UNFINISHED_RUNS = f"""begun AS (
    SELECT id, {JOB} AS job, run_id AS run, status, status IN ('STARTING', 'STARTED', 'CANCELING') AS at_work,
        coalesce(to_timestamp(start_time), update_timestamp AT TIME ZONE 'UTC') AS since
    FROM runs WHERE status IN ('NOT_STARTED', 'QUEUED', 'STARTING', 'STARTED', 'CANCELING')
), unfinished AS (
    SELECT *, since < now() - interval '{STUCK_MINUTES} minutes'
        AND (at_work OR NOT EXISTS (SELECT FROM begun WHERE at_work)) AS stuck
    FROM begun
)"""
"""The runs that have not ended, and since when they are what they are: one that starts has done nothing else before but
wait. One is stuck if it is at work for too long, or waits for so long while none is."""
SAID = "(evaluation_event::jsonb #> '{dagster_event,event_specific_data}')"
SEVERITY = f"split_part({SAID} #>> '{{severity,__enum__}}', '.', 2)"
LATEST_CHECKS = f"""RECURSIVE named AS (
    (SELECT asset_key, check_name FROM asset_check_executions ORDER BY asset_key, check_name LIMIT 1)
    UNION ALL
    SELECT following.* FROM named, LATERAL (
        SELECT asset_key, check_name FROM asset_check_executions e
        WHERE (e.asset_key, e.check_name) > (named.asset_key, named.check_name) ORDER BY asset_key, check_name LIMIT 1
    ) following
), planned AS (
    SELECT named.*, e.id, min(e.id) OVER of_asset AS with_others FROM named
    LEFT JOIN asset_keys a ON a.asset_key = named.asset_key
    LEFT JOIN asset_check_executions e ON e.asset_key = named.asset_key AND e.check_name = named.check_name
        AND e.run_id = a.last_materialization::jsonb #>> '{{event_log_entry,run_id}}'
    WINDOW of_asset AS (PARTITION BY named.asset_key)
), latest AS (
    SELECT {ASSET_NAME} AS asset, newest.* FROM planned, LATERAL (
        SELECT e.check_name, execution_status, run_id, evaluation_event, evaluation_event_timestamp
        FROM asset_check_executions e LEFT JOIN runs USING (run_id)
        WHERE e.asset_key = planned.asset_key AND e.check_name = planned.check_name
            AND e.id >= coalesce(CASE WHEN planned.id IS NULL THEN with_others END, 0)
            AND (execution_status <> 'PLANNED' OR status IN ('SUCCESS', 'FAILURE'))
        ORDER BY e.id DESC LIMIT 1
    ) newest
)"""
"""The newest execution of each check that has a verdict, or will never have one: PLANNED, and its run is over. While
the run is at work, or if somebody canceled it, the verdict before it stands.

Dagster keeps no list of the checks that there are. Every run that materializes an asset plans all checks of it: one
that the last such run did not plan, and that was not executed since, is not in the code any more.

A year has 150,000 executions, and the events in them are long. So the names are hopped through in the index, and each
check's executions read from the newest back, which is over soon.
"""

SUCCESS = succeeded(
    """Of the runs that ended in the time range by success or failure. Under 90 % look at the last runs below; a single
    failure is retried by the next run of its job.""",
    "$__unixEpochFilter(end_time)",
    "no run ended",
)
QUEUE = judged(
    stat(
        "How old is the oldest queued run?",
        """One run goes after the other, so minutes are normal while a training is under way. Longer: the daemon has
        stopped, or a run is stuck.""",
        """
        SELECT extract(epoch FROM now() - min(create_timestamp AT TIME ZONE 'UTC') FILTER (WHERE status = 'QUEUED')
            )::float8 AS waits
        FROM runs HAVING count(*) > 0
        """,
        unit=SECONDS,
        none="no run yet",
        source=DAGSTER,
        decimals=0,
    ),
    "waits",
    ((0, GREEN), (300, AMBER)),
    "nothing queues",
    GREEN,
)
STUCK = stat(
    "How many runs are stuck?",
    f"""At work, or waiting while none is at work, for over {STUCK_MINUTES} minutes. Dagster's monitoring fails them, if
    the daemon runs; else terminate them in Dagster: they are listed below.""",
    f"""
    WITH {UNFINISHED_RUNS}
    SELECT count(*) FILTER (WHERE stuck) AS stuck FROM unfinished HAVING EXISTS (SELECT FROM runs)
    """,
    steps=((0, GREEN), (1, RED)),
    none="no run yet",
    source=DAGSTER,
)
FAILED = stat(
    "How many checks fail?",
    """Checks whose newest verdict is a failure: an error of quality or drift retrains, one of the feed stops what comes
    after it, a warning may be bad luck. Without a verdict are those that were due in a run which ended before: nobody
    knows how what they check is. Each is named below.""",
    f"""
    WITH {LATEST_CHECKS}
    SELECT count(*) FILTER (WHERE execution_status = 'FAILED' AND {SEVERITY} = 'ERROR') AS errors,
        count(*) FILTER (WHERE execution_status = 'FAILED' AND {SEVERITY} <> 'ERROR') AS warnings,
        count(*) FILTER (WHERE execution_status = 'PLANNED') AS "no verdict"
    FROM latest HAVING count(*) > 0
    """,
    steps=((0, GREEN), (1, AMBER)),
    none="no check yet",
    source=DAGSTER,
)
FAILED = judged(FAILED, "errors", ((0, GREEN), (1, RED)))
BY_STATUS = counts(
    "How do the runs end?",
    """Runs by the time they began, or were asked for, and their state now. Red stacks at regular times are a job that
    always fails.""",
    """
    SELECT $__unixEpochGroup(began, $__interval) AS time, lower(status) AS metric, count(*) AS value
    FROM (
        SELECT status, coalesce(start_time, extract(epoch FROM create_timestamp AT TIME ZONE 'UTC')::float8) AS began
        FROM runs
    ) run
    WHERE $__unixEpochFilter(began) GROUP BY 1, 2 ORDER BY 1, 2
    """,
    {"success": GREEN, "failure": RED, "cancel|not_started": GREY, "^start|queued": BLUE},
    source=DAGSTER,
)
TICKS = counts(
    "Do sensors and schedules tick?",
    """Ticks of sensors and schedules by outcome. Skipped is the normal state of a sensor with nothing to do; failed
    ticks have a reason in Dagster, under Automation.""",
    """
    SELECT $__timeGroup(create_timestamp, $__interval) AS time, lower(type || ' ' || status) AS metric,
        count(*) AS value
    FROM job_ticks WHERE $__timeFilter(create_timestamp) GROUP BY 1, 2 ORDER BY 1, 2
    """,
    {"success": GREEN, "failure": RED, "skipped": GREY},
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
    """The last run of each job that ended by success or failure, failures first. A job is an open alert for as long as
    it has failed since it last succeeded. What waits, was canceled or was materialized by hand does not count. The run
    leads to its log in Dagster.""",
    f"""
    WITH {ENDED_RUNS}
    SELECT job, status, failures AS "failures since", to_timestamp(succeeded) AS "last success",
        to_timestamp(end_time) AS ended, (end_time - start_time)::float8 AS lasted, run
    FROM jobs ORDER BY failures > 0 DESC, end_time DESC, job
    """,
    {
        **{"status": Column(words=STATUS), "failures since": Column(steps=((1, RED),), width=110)},
        **{"lasted": LASTS, "run": RUN},
    },
    none="no run has ended yet",
    source=DAGSTER,
)
UNFINISHED = grid(
    "Which runs are waiting or at work?",
    f"""Runs that have not ended, stuck ones first, then the oldest. Stuck is what is at work, or waits while none is at
    work, for over {STUCK_MINUTES} minutes.""",
    f"""
    WITH {UNFINISHED_RUNS}
    SELECT job, CASE WHEN stuck THEN 'STUCK' ELSE status END AS state, since,
        extract(epoch FROM now() - since)::float8 AS age, run
    FROM unfinished ORDER BY stuck DESC, since, id LIMIT 100
    """,
    {"state": Column(words={"STUCK": ("stuck", RED), **STATUS}), "age": LASTS, "run": RUN},
    none="no run is under way",
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
    {"silence": Column(SECONDS, 1, steps=SILENCE)},
    none="no daemon ever ran",
    source=DAGSTER,
)
CHECKS = grid(
    "Which checks fail, and what do they say?",
    """The newest verdict of each failing check, errors first, then the checks without one. A warning may be bad luck;
    an error of quality or drift retrains, one of the feed stops what comes after it. Without a verdict see why the run
    failed. A check that is not in the code any more goes when its asset is materialized.""",
    f"""
    WITH {LATEST_CHECKS}
    SELECT asset, check_name AS "check", CASE execution_status WHEN 'PLANNED' THEN 'NONE'
            ELSE {SEVERITY} END AS severity,
        CASE execution_status WHEN 'PLANNED' THEN 'the run ended before it could judge'
            ELSE {SAID}->>'description' END AS verdict,
        evaluation_event_timestamp AT TIME ZONE 'UTC' AS "last look", run_id AS run
    FROM latest
    WHERE execution_status <> 'SUCCEEDED' ORDER BY execution_status, severity, "last look" DESC, "check"
    """,
    {
        "severity": Column(words={"ERROR": ("error", RED), "WARN": ("warning", AMBER), "NONE": ("no verdict", AMBER)}),
        **{"asset": ASSET, "verdict": PROSE, "run": RUN},
    },
    none="no failing check is recorded",
    source=DAGSTER,
)
ASSETS = grid(
    "How old is each asset?",
    """When each asset was last materialized, the oldest first. `season_backtest` is only made by hand; `trained_model`
    only when a training is due.""",
    f"""
    SELECT {ASSET_NAME} AS asset, last_materialization_timestamp AT TIME ZONE 'UTC' AS materialized,
        extract(epoch FROM now() - last_materialization_timestamp AT TIME ZONE 'UTC')::float8 AS age,
        last_materialization::jsonb #>> '{{event_log_entry,run_id}}' AS run
    FROM asset_keys WHERE last_materialization_timestamp IS NOT NULL ORDER BY 2, 1
    """,
    {"asset": ASSET, "age": LASTS, "run": RUN},
    none="nothing was materialized yet",
    source=DAGSTER,
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-system",
        "System",
        "Does the machinery work? Its time is the clock's, also where the platform lives a season again.",
        [
            Row("Now", [SUCCESS, QUEUE, STUCK, heartbeat(), FAILED], 4, (4, 5, 4, 6, 5)),
            Row("Jobs", [LAST_RUNS, UNFINISHED], height=9),
            Row("Over time", [BY_STATUS, DURATIONS, TICKS]),
            Row("Checks", [CHECKS], height=7),
            Row("Daemon and assets", [DAEMON, ASSETS]),
        ],
        since="now-7d",
        by_the_clock=True,
    )
