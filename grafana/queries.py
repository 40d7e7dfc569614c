"""SQL that several dashboards share: who serves, which forecasts count, what time it is for the platform.

Each is a piece that a dashboard's query is built of, and names the table of each column that it reads where another
query is around it: a name that it does not have would be taken from there, silently. The semantics are the platform's
own: `official` says in SQL what core.settlement.official_forecasts says in Python, and a test holds the two together.
"""

from collections.abc import Mapping
from typing import Final

from grafana.thresholds import MIN_SAMPLE, PERFORMANCE_WINDOW, STANDARD_ERRORS
from pl_predictor.core.feed_contract import teams_in
from pl_predictor.core.freshness import LONGEST_BREAK, RESULT_DUE
from pl_predictor.settings import MODEL_NAME

ONLY: Final = "only"
"""The first word of the name of a figure that is of too few matches."""

MODEL: Final = "${model:sqlstring}"
CHOSEN: Final = "${version:sqlstring}"
"""The variables of the boards that have them; see `of_the_one_model`."""

CHAMPION: Final = f"""(
    SELECT e.challenger_version FROM retraining_events e
    WHERE e.event IN ('promoted', 'rolled_back') AND e.model_name = {MODEL} ORDER BY e.id DESC LIMIT 1
)"""
"""The version that serves by the record."""

NEWEST_WORK: Final = """
    (SELECT f.replay, f.timestamp FROM model_predictions f ORDER BY f.id DESC LIMIT 1)
    UNION ALL (SELECT e.replay, e.timestamp FROM retraining_events e ORDER BY e.id DESC LIMIT 1)
"""
REPLAY: Final = f"(SELECT w.replay FROM ({NEWEST_WORK}) w ORDER BY w.timestamp DESC LIMIT 1)"
"""Whether the platform lives a moment of the past, by its newest forecast or decision; null before any."""

NOW: Final = (
    f"(SELECT CASE {REPLAY} WHEN true THEN (SELECT max(f.as_of) FROM match_features f) WHEN false THEN now() END)"
)
"""The platform's now: live the clock's, in a replay the newest moment that it has lived; null before any work."""

FAVOURITE: Final = """CASE least(home_odds, draw_odds, away_odds)
            WHEN home_odds THEN 'H' WHEN away_odds THEN 'A' ELSE 'D' END"""
"""The outcome that the odds think most likely."""

OUTCOME: Final = "CASE {} WHEN 'H' THEN 'home win' WHEN 'D' THEN 'draw' WHEN 'A' THEN 'away win' END"
"""A result, or a column that holds one, in words."""

BETTING_SCORES: Final = f"""scores AS (
    SELECT slice, metric, value, n, low, high FROM betting_scores
    WHERE replay = {REPLAY} AND as_of = (SELECT max(as_of) FROM betting_scores WHERE replay = {REPLAY})
)"""
"""How the bets did, by the newest scores."""

SILENT_FOR: Final = """
    SELECT extract(epoch FROM now() - max("timestamp" AT TIME ZONE 'UTC'))::float8 AS silence
    FROM daemon_heartbeats HAVING count(*) > 0
"""
"""For how many seconds no part of Dagster's daemon has given a sign of life."""

MADE_LAST_DAY: Final = f"""
    SELECT count(*) AS made FROM model_predictions
    WHERE model_version = {CHAMPION} AND as_of > {NOW} - interval '24 hours' AND as_of <= {NOW}
    HAVING {NOW} IS NOT NULL
    """
"""How many forecasts the champion made within 24 hours of the platform's now."""


def of_the_one_model(sql: str) -> str:
    """The SQL where no model can be chosen, as on boards without that variable and in rules: of the platform's own."""
    return sql.replace(MODEL, f"'{MODEL_NAME}'")


def official(version: str) -> str:
    """A common table expression `official`: of each match the last forecast of a version before its kick-off.

    One that is no replay counts only if the database's clock, too, says that it was written before kick-off. Of several
    for one moment the first written counts. kickoff is the match's, which may have been moved since.
    """
    return f"""official AS (
    SELECT p.season, p.home_team, p.away_team, final.kickoff, p.as_of, p.prediction, p.confidence, p.probabilities,
        p.home_odds, p.draw_odds, p.away_odds, p.information, p.actual_result, p.model_version, p.dagster_run_id
    FROM (
        SELECT DISTINCT ON (f.season, f.home_team, f.away_team) f.id, m.kickoff
        FROM model_predictions f
        JOIN matches m ON (m.season, m.home_team, m.away_team) = (f.season, f.home_team, f.away_team)
        WHERE f.model_version = {version} AND f.replay = {REPLAY}
            AND f.as_of < m.kickoff AND (f.replay OR f.timestamp < m.kickoff)
        ORDER BY f.season, f.home_team, f.away_team, f.as_of DESC, f.id
    ) final
    JOIN model_predictions p ON p.id = final.id
)"""


def newest_metric(metric: str, version: str) -> str:
    """The newest row of a metric of a version (both SQL): metric_type, model_version, as_of, value and metadata.

    It is the last of the unique index up to there, if it is of that metric and version at all. Asked for by its
    moment, the row of a version that is long retired is looked for among all that were written since.
    """
    return f"""
        SELECT last.metric_type, last.model_version, last.as_of, last.value, last.metadata FROM (
            SELECT m.metric_type, m.model_name, m.model_version, m.as_of, m.value, m.metadata FROM model_metrics m
            WHERE (m.metric_type, m.model_name, m.model_version, m.as_of)
                <= ({metric}, {MODEL}, {version}, 'infinity')
            ORDER BY m.metric_type DESC, m.model_name DESC, m.model_version DESC, m.as_of DESC LIMIT 1
        ) last
        WHERE (last.metric_type, last.model_name, last.model_version) = ({metric}, {MODEL}, {version})
    """


AGAINST_MARKET: Final = f"""
    {official(CHAMPION)}, compared AS (
        SELECT (prediction = actual_result)::int AS model, ({FAVOURITE} = actual_result)::int AS market
        FROM official
        WHERE actual_result IS NOT NULL AND home_odds IS NOT NULL AND draw_odds IS NOT NULL AND away_odds IS NOT NULL
        ORDER BY kickoff DESC, home_team LIMIT {PERFORMANCE_WINDOW}
    ), ahead AS (
        SELECT count(*) AS n, avg(model)::float8 AS model, avg(market)::float8 AS market,
            CASE WHEN count(*) >= {MIN_SAMPLE} THEN
                (avg(model - market) + {STANDARD_ERRORS} * stddev_samp(model - market) / sqrt(count(*)))::float8
            END AS at_most
        FROM compared HAVING count(*) > 0
    )"""
"""A common table expression `ahead`: how often the champion was right, and the bookmakers' favourite, in the latest
PERFORMANCE_WINDOW official forecasts that had odds; at_most: the share of matches by which it is ahead, plus
STANDARD_ERRORS."""

DRIFT_SHARE: Final = f"""newest_check AS (
    SELECT model_version AS version, value AS share, (metadata->>'n')::int AS n,
        least((metadata->>'n')::int, (metadata->>'reference_n')::int) >= {MIN_SAMPLE} AS judged
    FROM ({newest_metric("'drift_share'", CHAMPION)}) newest
)"""
"""A common table expression `newest_check`: the champion's newest drift check; judged: it is of enough matches."""

DRIFT_CHECK_AGE: Final = f"""
    SELECT (extract(epoch FROM {NOW} - max(as_of)) / 86400)::float8 AS days FROM model_metrics
    WHERE metric_type = 'drift_share' AND model_name = {MODEL} HAVING max(as_of) IS NOT NULL AND {NOW} IS NOT NULL
"""
"""How many days ago drift was checked last, of whichever version served then."""

OVERDUE: Final = f"""
    played AS (
        SELECT max(season) AS season, max(kickoff) AS newest FROM matches
        WHERE division = 'E0' AND result IS NOT NULL AND kickoff <= {NOW}
    ), results AS (
        SELECT (extract(epoch FROM {NOW} - newest) / 86400)::float8 AS age, (extract(epoch FROM greatest(
            {NOW} - interval '{RESULT_DUE.days * 24} hours' - (
                SELECT min(kickoff) FROM matches WHERE division = 'E0' AND result IS NULL AND kickoff > newest
            ),
            {NOW} - CASE WHEN (
                SELECT count(*) FROM matches m
                WHERE m.division = 'E0' AND m.result IS NOT NULL AND m.kickoff <= {NOW} AND m.season = played.season
            ) >= CASE WHEN season < 1995 THEN {teams_in(1994, "E0") * (teams_in(1994, "E0") - 1)}
                ELSE {teams_in(1995, "E0") * (teams_in(1995, "E0") - 1)} END
                THEN make_timestamptz(season + 1, 9, 1, 0, 0, 0, 'UTC')
                ELSE newest + interval '{LONGEST_BREAK.days * 24} hours' END
        )) / 86400)::float8 AS overdue
        FROM played WHERE newest IS NOT NULL
    )"""
"""A common table expression `results`: how many days old the newest is, and for how many a next one is overdue (less
than 0: not yet due), by the rules of core.freshness.results_freshness."""

WAITING_FOR_RESULTS: Final = f"""
    WITH {official(CHOSEN)}
    SELECT count(*) FILTER (WHERE actual_result IS NULL AND kickoff <= {NOW}) AS waiting
    FROM official HAVING count(*) > 0
    """
"""How many official forecasts of the chosen version wait for a result."""

LONGEST_WAIT: Final = f"""
    WITH {official(CHOSEN)}
    SELECT (extract(epoch FROM {NOW} - min(kickoff) FILTER (WHERE actual_result IS NULL AND kickoff <= {NOW})) / 86400
        )::float8 AS days
    FROM official HAVING count(*) > 0
    """
"""For how many days the oldest of these waits; null where none does."""


def newest_score(metric: str, version: str = CHAMPION) -> str:
    """The newest value of a metric of a version, as a series that is named by how many matches it is of; ONLY comes
    first where no check would judge by them."""
    wanted = f"'{metric}'"
    return f"""
        SELECT as_of AS time,
            CASE WHEN n >= {MIN_SAMPLE} THEN '' ELSE '{ONLY} ' END || coalesce(n::text, 'unknown') || ' matches'
                AS metric, value
        FROM (
            SELECT as_of, value, (metadata->>'n')::int AS n FROM ({newest_metric(wanted, version)}) newest
        ) known
        ORDER BY 1
    """


def record(names: Mapping[str, str]) -> str:
    """Series over time of whichever version served, the last value in each interval. names: metric to what its line is
    called."""
    called = ", ".join(f"('{metric}', '{name}')" for metric, name in names.items())
    return f"""
        SELECT DISTINCT ON (1, 2) $__timeGroup(m.as_of, $__interval) AS time, known.name AS metric, m.value
        FROM (VALUES {called}) known (metric, name)
        JOIN model_metrics m ON m.metric_type = known.metric
        JOIN (
            SELECT challenger_version, as_of AS since,
                coalesce(lead(as_of) OVER (ORDER BY id), 'infinity') AS until
            FROM retraining_events WHERE event IN ('promoted', 'rolled_back') AND model_name = {MODEL}
        ) serving ON serving.challenger_version = m.model_version AND m.as_of BETWEEN serving.since AND serving.until
        WHERE m.model_name = {MODEL} AND $__timeFilter(m.as_of)
        ORDER BY 1, 2, m.as_of DESC, m.id DESC
    """


RPS_AGAINST_MARKET: Final = f"""
    SELECT pair.time, each.metric, each.value FROM (
        SELECT time, max(value) FILTER (WHERE metric = 'market') AS market,
            max(value) FILTER (WHERE metric = 'skill') AS skill
        FROM ({record({"rps_market": "market", "rps_skill": "skill"})}) newest GROUP BY time
    ) pair, LATERAL (VALUES ('the model', market * (1 - skill)), ('the market', market)) AS each (metric, value)
    WHERE each.value IS NOT NULL ORDER BY 1, 2
"""
"""Series of the RPS of whichever version served and of the pre-match odds, on the same matches: the skill is what says
how far apart they are there, as the model's own RPS is of matches without odds, too."""
