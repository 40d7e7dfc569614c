"""The first board that one sees: is everything all right, and where to look if not."""

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    COUNT,
    DAYS,
    GREEN,
    GREY,
    NUMBER,
    PROSE,
    RED,
    RUN,
    SHARE,
    TEXT,
    VERSION,
    Column,
    aside,
    firing,
    grid,
    judged,
    lines,
    score,
    stat,
)
from grafana.queries import (
    AGAINST_MARKET,
    CHAMPION,
    MODEL,
    NOW,
    OVERDUE,
    REPLAY,
    RPS_AGAINST_MARKET,
    newest_score,
)
from grafana.shared import DRIFT_ONSETS, OUTAGES, RETRAINING, drift_stat, heartbeat, made_last_day, returned, succeeded
from grafana.thresholds import MAX_DRIFT_SHARE, MIN_F1, PERFORMANCE_WINDOW, REFRESH_RESULTS, STANDARD_ERRORS

AHEAD = judged(
    stat(
        "Is it right more often than the market?",
        f"""The champion's accuracy and that of the bookmakers' favourite, on the same matches: the latest
        {PERFORMANCE_WINDOW} of its official forecasts that had odds. Ahead at most is their difference and
        {STANDARD_ERRORS} standard errors: under 0, in red, the market is better beyond luck, which is an alert. Else
        nobody can tell yet.""",
        f"""
        WITH {AGAINST_MARKET}
        SELECT model AS "the model", market AS "the market", at_most AS "ahead, at most", n AS matches FROM ahead
        """,
        unit=SHARE,
        none="no result yet",
        decimals=1,
    ),
    "ahead, at most",
    ((-1, RED), (0, GREY)),
    "too few",
)
AHEAD = aside(AHEAD, "matches", COUNT, decimals=0)
F1 = score(
    "How good is its F1?",
    f"""Weighted, of the champion's official forecasts; its check fails under {MIN_F1} by default. Details are on the
    board Performance.""",
    newest_score("f1_weighted"),
    unit=NUMBER,
    steps=((0, RED), (MIN_F1 - 0.05, AMBER), (MIN_F1, GREEN)),
    decimals=3,
)
RPS = score(
    "How good is its RPS?",
    """Ranked probability score of the champion's official forecasts: 0 is best, the market has 0.19 to 0.20, and always
    giving each result its usual share has 0.23. It has no colour, because no check judges it: some dozen matches say
    more about the results than about the forecasts.""",
    newest_score("rps"),
    unit=NUMBER,
    steps=(),
    decimals=4,
)
DRIFT = drift_stat(
    "Has the world drifted?",
    f"""Share of drifted columns at the champion's newest check; over {MAX_DRIFT_SHARE:.0%} by default the platform
    trains again. Details are on the board Drift.""",
)
NEXT = judged(
    stat(
        "Is all of the next 7 days forecast?",
        """Fixtures of the next seven days that are known, and those that the champion has not forecast yet: a new one
        is forecast at six in the morning, or launch `daily_predictions` in Dagster. No fixture is a break, or a list
        that is not published yet.""",
        f"""
        SELECT CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE NOT EXISTS (
                SELECT FROM model_predictions p
                WHERE (p.season, p.home_team, p.away_team) = (m.season, m.home_team, m.away_team)
                    AND p.model_version = {CHAMPION} AND p.replay = {REPLAY}
            )) END AS "not forecast", count(*) AS fixtures
        FROM matches m WHERE m.division = 'E0' AND m.kickoff > {NOW} AND m.kickoff <= {NOW} + interval '168 hours'
        HAVING {NOW} IS NOT NULL
        """,
        none="no forecast yet",
    ),
    "not forecast",
    ((0, GREEN), (1, AMBER)),
    "no fixture",
)
ROI = returned(
    "What do the bets on paper return?",
    """Profit of the settled bets as a share of the bankroll that the ledger began with, with its 95 % interval. More
    than luck only where `at least` is green, too. Details are on the board Betting.""",
)
PIPELINE = succeeded(
    """Share of the runs that ended in the last seven days and succeeded. Under 90 % see the board System: which job,
    and why, is in Dagster.""",
    "end_time > extract(epoch FROM now() - interval '168 hours')",
    "no run in 7 days",
)
DATA_AGE = judged(
    stat(
        "How old is the newest result?",
        """Days between the newest known result and the platform's now, and for how many of them a next one is overdue
        by the calendar, which is an alert: see `results_are_fresh` in Dagster. A week between rounds, two in an
        international break, and June and July are normal.""",
        f"""
        WITH {OVERDUE} SELECT age, greatest(overdue, 0)::float8 AS overdue FROM results
        """,
        unit=DAYS,
        none="no result yet",
        decimals=1,
    ),
    "overdue",
    ((0, GREEN), (0.001, RED)),
)
CHAMPION_NOW = stat(
    "Which version serves?",
    """The champion by the record of decisions. Why it serves stands in the retraining history on the board
    Performance.""",
    f"SELECT 'version ' || {CHAMPION} AS champion WHERE {CHAMPION} IS NOT NULL",
    unit=TEXT,
    none="nobody serves",
)
CHAMPION_AGE = stat(
    "How long has it served?",
    f"""Days since the decision that let it serve. A version is trained again for a failed check, or when
    {REFRESH_RESULTS} results are new to it: over four months within a season is too old.""",
    f"""
    SELECT (extract(epoch FROM {NOW} - as_of) / 86400)::float8 AS days FROM retraining_events
    WHERE event IN ('promoted', 'rolled_back') AND model_name = {MODEL} ORDER BY id DESC LIMIT 1
    """,
    unit=DAYS,
    steps=((0, GREEN), (120, AMBER)),
    none="nobody serves",
    decimals=1,
)
ALERTS = judged(
    judged(
        stat(
            "How many of its alerts are open?",
            """Causes that the platform itself has found and that are not gone yet; the list below names them. Where it
            is dead it finds nothing: Grafana's own rules, below the list, see that.""",
            f"""
            SELECT count(*) FILTER (WHERE level <> 'warning') AS errors,
                count(*) FILTER (WHERE level = 'warning') AS warnings
            FROM alerts WHERE resolved_at IS NULL HAVING count(*) > 0 OR {NOW} IS NOT NULL
            """,
            none="nothing to watch yet",
        ),
        "errors",
        ((0, GREEN), (1, RED)),
    ),
    "warnings",
    ((0, GREEN), (1, AMBER)),
)
MOMENT = stat(
    "Which moment is it?",
    """Live it is now; in a replay it is a moment of the past, and all ages on this board but those of the daemon and
    the runs are counted from it. In UTC; tables show times in the browser's zone.""",
    f"SELECT to_char({NOW} AT TIME ZONE 'UTC', 'FMDD Mon YYYY HH24:MI') || ' UTC' || CASE WHEN "
    f"{REPLAY} THEN ', replayed' ELSE '' END AS moment "
    f"WHERE {NOW} IS NOT NULL",
    unit=TEXT,
    none="no forecast yet",
)
OPEN = grid(
    "What is wrong now?",
    """Open alerts of the platform, the worst first. The run leads to Dagster; what to do stands in the message, or in
    the README under Alerts.""",
    """
    SELECT level, title, message, as_of AS "speaks of", opened_at AS since,
        last_seen_at AS "last seen", last_error AS "could not be sent",
        dagster_run_id AS run
    FROM alerts WHERE resolved_at IS NULL
    ORDER BY array_position(ARRAY['critical', 'error', 'warning'], level), opened_at
    """,
    {
        "level": Column(
            words={level: (level, RED) for level in ("critical", "error")} | {"warning": ("warning", AMBER)}, width=76
        ),
        **{"title": PROSE, "message": PROSE, "could not be sent": PROSE, "run": RUN},
    },
    none="no open alert is recorded",
)
FIRING = firing(
    "What do Grafana's rules tell of?",
    """Alerts of Grafana's own rules, which look from outside: also at a platform that is dead. Each leads to the panel
    that shows what is wrong. Empty is health, if Grafana's page Alerting shows the rules as evaluated.""",
)
TREND = lines(
    "How have the forecasts done?",
    """RPS of whichever version served and of the pre-match odds, on the same matches: 0 is best. Only the distance
    between the two is skill; how both go up and down is how surprising the results were. Marks are retrainings, drift
    and outages.""",
    RPS_AGAINST_MARKET,
    decimals=4,
)
SERVED = grid(
    "Who has served?",
    """Decisions about who serves, the newest first.""",
    f"""
    SELECT as_of AS "moment", challenger_version AS version, event, cause, verdict, dagster_run_id AS run
    FROM retraining_events WHERE event IN ('promoted', 'rolled_back') AND model_name = {MODEL}
    ORDER BY id DESC LIMIT 20
    """,
    {"version": VERSION, "verdict": PROSE, "run": RUN},
    none="nobody has served yet",
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-overview",
        "Overview",
        "Is everything all right? Green needs nothing, amber a look, red an action; grey is neither, or unknown. Each "
        "question is answered in full on a board of its own: see Boards.",
        [
            Row("The platform", [ALERTS, heartbeat(), PIPELINE, DATA_AGE, CHAMPION_NOW], 4, (5, 6, 4, 5, 4)),
            Row("The forecasts", [NEXT, made_last_day(), DRIFT, CHAMPION_AGE, MOMENT], 4, (6, 6, 4, 4, 4)),
            Row("How good they are", [AHEAD, F1, RPS, ROI], 5, (9, 4, 4, 7)),
            Row("What is wrong", [OPEN], 7),
            Row("Seen from outside", [FIRING], 6),
            Row("The record", [TREND, SERVED]),
        ],
        annotations=[*RETRAINING, DRIFT_ONSETS, OUTAGES],
    )
