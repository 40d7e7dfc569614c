"""What several boards show: panels of the same question, variables to choose by, and marks of what happened."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as sdk

from grafana.board import annotation, variable
from grafana.house import (
    AMBER,
    BLUE,
    DAGSTER,
    DAYS,
    GREEN,
    GREY,
    PURPLE,
    RED,
    SECONDS,
    SHARE,
    Panel,
    interval,
    judged,
    stat,
)
from grafana.queries import (
    BETTING_SCORES,
    CHAMPION,
    DRIFT_SHARE,
    LONGEST_WAIT,
    MADE_LAST_DAY,
    MODEL,
    SILENT_FOR,
    WAITING_FOR_RESULTS,
)
from grafana.thresholds import DAEMON_SILENCE_SECONDS, MAX_DRIFT_SHARE, MIN_SAMPLE
from pl_predictor.core.freshness import RESULT_DUE

SILENCE: Final = ((-60, GREEN), (DAEMON_SILENCE_SECONDS / 2, AMBER), (DAEMON_SILENCE_SECONDS, RED))
"""Seconds since a heartbeat of the daemon."""

NO_BET: Final = "no bet settled yet"

MODEL_CHOICE: Final = ("model", "Model", "SELECT DISTINCT model_name FROM retraining_events ORDER BY 1")
VERSION_CHOICE: Final = (
    "version",
    "Version",
    f"""
    SELECT version FROM (
        SELECT DISTINCT challenger_version AS version FROM retraining_events WHERE model_name = {MODEL}
    ) known
    ORDER BY version = {CHAMPION} DESC NULLS LAST, length(version) DESC, version DESC
    """,
)
METRIC_CHOICE: Final = (
    "metric",
    "Metric",
    """
    WITH RECURSIVE known AS (
        SELECT min(m.metric_type) AS metric FROM model_metrics m
        UNION ALL
        SELECT (SELECT min(m.metric_type) FROM model_metrics m WHERE m.metric_type > known.metric) FROM known
        WHERE known.metric IS NOT NULL
    )
    SELECT metric FROM known WHERE metric IS NOT NULL ORDER BY metric = 'log_loss' DESC, metric
    """,
)


def drift_stat(title: str, says: str) -> Panel:
    """The share of drifted columns at the champion's newest check; red is what the check fails for."""
    sql = f"WITH {DRIFT_SHARE} SELECT CASE WHEN judged THEN share END AS drifted FROM newest_check"
    steps = ((0, GREEN), (MAX_DRIFT_SHARE / 2, AMBER), (MAX_DRIFT_SHARE + 0.001, RED))
    panel = stat(title, says, sql, unit=SHARE, none="not checked yet", decimals=0)
    return judged(panel, "drifted", steps, f"under {MIN_SAMPLE} matches")


def longest_wait(title: str, says: str) -> Panel:
    """For how many days the oldest forecast of the chosen version waits for its result."""
    panel = stat(title, says, LONGEST_WAIT, unit=DAYS, none="no forecast yet", decimals=1)
    return judged(panel, "days", ((0, GREEN), (RESULT_DUE.days, AMBER)), "nothing waits", GREEN)


def waiting(title: str, says: str) -> Panel:
    """How many official forecasts of the chosen version wait for a result."""
    return stat(title, says, WAITING_FOR_RESULTS, steps=((0, GREEN), (12, AMBER), (30, RED)), none="no forecast yet")


def made_last_day() -> Panel:
    """How many forecasts the champion made within 24 hours of the platform's now."""
    return stat(
        "How many forecasts in the last 24 hours?",
        """Rows that the champion sealed within 24 hours of the platform's now, which in a replay is the moment that it
        lives. 0 between rounds is normal; before a round it is not: see `predictions` in Dagster, which gives the
        reason.""",
        MADE_LAST_DAY,
        steps=((0, GREY), (1, GREEN)),
        none="no forecast yet",
    )


def succeeded(says: str, ended: str, none: str) -> Panel:
    """The share of Dagster's runs that succeeded. ended: SQL of when they ended; none: what is said where none did."""
    return stat(
        "Do the runs succeed?",
        says,
        f"""
        SELECT avg((status = 'SUCCESS')::int)::float8 AS succeeded FROM runs
        WHERE status IN ('SUCCESS', 'FAILURE') AND {ended} HAVING count(*) > 0
        """,
        unit=SHARE,
        steps=((0, RED), (0.9, AMBER), (0.99, GREEN)),
        none=none,
        source=DAGSTER,
        decimals=1,
    )


def bet_score(title: str, says: str, metric: str, called: str, none: str) -> Panel:
    """A score of all bets, with its interval and how many bets it is of."""
    sql = f"""
    WITH {BETTING_SCORES}
    SELECT value AS "{called}", low AS "at least", high AS "at most", n AS bets FROM scores
    WHERE slice = 'all' AND metric = '{metric}'
    """
    steps = ((-99, AMBER), (0, GREEN))
    return interval(stat(title, says, sql, unit=SHARE, steps=steps, none=none, decimals=1), "bets")


def returned(title: str, says: str) -> Panel:
    """What the bets returned, as a share of the bankroll that the ledger began with."""
    return bet_score(title, says, "roi", "return", NO_BET)


def heartbeat() -> Panel:
    """For how long no part of Dagster's daemon has given a sign of life."""
    return stat(
        "For how long is the daemon silent?",
        """Since the newest heartbeat of any part of Dagster's daemon, which writes every 30 s. Over two minutes it has
        stopped: nothing is scheduled, sensed or told. `make up` starts it again.""",
        SILENT_FOR,
        unit=SECONDS,
        steps=SILENCE,
        none="no daemon ever ran",
        source=DAGSTER,
        decimals=1,
    )


def variables(*choices: tuple[str, str, str]) -> list[sdk.QueryVariable]:
    """Variables of the board; each may use those before it."""
    return [variable(*choice) for choice in choices]


def _decisions(event: str, name: str, colour: str) -> sdk.AnnotationQuery:
    """A region from the finding that asked for a training to the decision; a moment where nothing had failed."""
    return annotation(
        name,
        f"""
        SELECT coalesce(
                (SELECT min((found->>'as_of')::timestamptz) FROM jsonb_array_elements(evidence) found), as_of
            ) AS time,
            as_of AS timeend,
            'Version ' || challenger_version || ': ' || verdict || '. Cause: ' || cause || ', ' || reason AS text,
            event || ',' || cause AS tags
        FROM retraining_events WHERE event = '{event}' AND model_name = {MODEL} AND $__timeFilter(as_of)
        ORDER BY as_of
        """,
        colour,
    )


PROMOTIONS = _decisions("promoted", "Promotions", GREEN)
REFUSALS = _decisions("refused", "Refusals", GREY)
ROLLBACKS = _decisions("rolled_back", "Rollbacks", PURPLE)
RETRAINING: Final = (PROMOTIONS, REFUSALS, ROLLBACKS)

DRIFT_ONSETS: Final = annotation(
    "Drift onsets",
    f"""
    SELECT as_of AS time, as_of AS timeend, 'Drift begins: ' || string_agg(column_name, ', ' ORDER BY column_name)
        AS text, 'drift' AS tags
    FROM (
        SELECT as_of, column_name, drifted,
            lag(drifted) OVER (
                PARTITION BY model_name, column_name ORDER BY as_of, length(model_version), model_version
            ) AS before
        FROM drift_scores WHERE model_name = {MODEL}
    ) looks
    WHERE drifted AND before IS NOT TRUE AND $__timeFilter(as_of)
    GROUP BY as_of ORDER BY as_of
    """,
    RED,
)

# In a replay the clock that opens and resolves alerts is not the time that the boards show.
OUTAGES: Final = annotation(
    "Source outages",
    """
    SELECT began AS time, ended AS timeend, title || ': ' || message AS text, level AS tags
    FROM alerts, LATERAL (
        SELECT CASE WHEN replay THEN as_of ELSE opened_at END AS began,
            CASE WHEN replay THEN as_of ELSE coalesce(resolved_at, now()) END AS ended
    ) outage
    WHERE key = 'source' AND began <= $__timeTo() AND ended >= $__timeFrom()
    ORDER BY began
    """,
    BLUE,
)
