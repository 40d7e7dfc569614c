"""The first board that one sees: is everything all right, and where to look if not."""

from grafana.house import (
    AMBER,
    DAGSTER,
    DAYS,
    GREEN,
    GREY,
    NUMBER,
    OF_VERSION,
    PURPLE,
    RED,
    RUN,
    SHARE,
    TEXT,
    Board,
    Row,
    grid,
    interval,
    lines,
    score,
    stat,
)
from grafana.queries import (
    BETTING_SCORES,
    CHAMPION,
    FAVOURITE,
    MADE_LAST_DAY,
    NOW,
    judged,
    latest,
    named_by,
    official,
    record,
)
from grafana.shared import DRIFT_ONSETS, MODEL_CHOICE, OUTAGES, RETRAINING, variables
from grafana.thresholds import MAX_DRIFT_SHARE, MIN_ACCURACY, MIN_F1

AGAINST_MARKET = score(
    "Is it right more often than the market?",
    """The champion's accuracy, and that of the bookmakers' favourite, on the same matches: the latest 380 of its
    official forecasts that had odds. Both are luck to some 2.5 points; the skill on the board
    Performance says more.""",
    f"""
    WITH {official(CHAMPION)}, counted AS (
        SELECT max(kickoff) AS kickoff, count(*) AS n, avg((prediction = actual_result)::int)::float8 AS model,
            avg((favourite = actual_result)::int)::float8 AS market
        FROM (
            SELECT kickoff, prediction, actual_result, {FAVOURITE} AS favourite
            FROM official WHERE actual_result IS NOT NULL
                AND home_odds IS NOT NULL AND draw_odds IS NOT NULL AND away_odds IS NOT NULL
            ORDER BY kickoff DESC, home_team LIMIT 380
        ) latest HAVING count(*) > 0
    )
    SELECT kickoff AS time, {named_by("n")} || ', ' || who AS metric, value
    FROM counted, LATERAL (VALUES ('the model', model), ('the market', market)) shares (who, value)
    ORDER BY 1, who DESC
    """,
    unit=SHARE,
    steps=((0, RED), (MIN_ACCURACY - 0.05, AMBER), (MIN_ACCURACY, GREEN)),
    decimals=1,
)
F1 = score(
    "How good is its weighted F1?",
    f"""Of the champion's official forecasts; its check fails under {MIN_F1}. Details are on the board Performance.""",
    judged("f1_weighted"),
    unit=NUMBER,
    steps=((0, RED), (MIN_F1 - 0.05, AMBER), (MIN_F1, GREEN)),
    decimals=3,
)
RPS = score(
    "How good is its RPS?",
    """Ranked probability score of the champion's official forecasts: 0 is best, the market has 0.19 to 0.20, and always
    giving each result its usual share has 0.23.""",
    judged("rps"),
    unit=NUMBER,
    steps=((0, GREEN), (0.21, AMBER), (0.23, RED)),
    decimals=4,
)
DRIFT = stat(
    "Has the world drifted?",
    f"""Share of drifted columns at the newest check; over {MAX_DRIFT_SHARE:.0%} the platform trains again. Details are
    on the board Drift.""",
    f"SELECT value FROM ({latest('drift_share')}) newest",
    unit=SHARE,
    steps=((0, GREEN), (MAX_DRIFT_SHARE / 2, AMBER), (MAX_DRIFT_SHARE + 0.001, RED)),
    none="not checked yet",
    decimals=0,
)
NEXT = stat(
    "How much of the next 7 days is forecast?",
    """Fixtures of the next seven days, and how many of them the champion has forecast: the two should be equal. 0 and 0
    is a break.""",
    f"""
    SELECT count(*) FILTER (WHERE EXISTS (
            SELECT FROM model_predictions p
            WHERE (p.season, p.home_team, p.away_team) = (m.season, m.home_team, m.away_team)
                AND p.model_version = {CHAMPION}
        )) AS forecast, count(*) AS fixtures
    FROM matches m WHERE m.division = 'E0' AND m.kickoff > {NOW} AND m.kickoff <= {NOW} + interval '168 hours'
    HAVING {NOW} IS NOT NULL
    """,
    none="no forecast yet",
)
LAST_DAY = stat(
    "How many forecasts were made in the last 24 hours?",
    """Rows that the champion sealed within 24 hours of the platform's now, which in a replay is the moment it
    lives.""",
    MADE_LAST_DAY,
    steps=((0, GREY), (1, GREEN)),
    none="no forecast yet",
)
ROI = interval(
    stat(
        "What do the bets on paper return?",
        """Profit of the settled bets as a share of the bankroll that the ledger began with, with its 95 % interval.
        More than luck only where `at least` is green, too. Details are on the board Betting.""",
        f"""
        WITH {BETTING_SCORES}
        SELECT value AS return, low AS "at least", high AS "at most", n AS bets FROM scores
        WHERE slice = 'all' AND metric = 'roi'
        """,
        unit=SHARE,
        steps=((-99, AMBER), (0, GREEN)),
        none="no bet settled yet",
        decimals=1,
    ),
    "bets",
)
PIPELINE = stat(
    "Do the runs succeed?",
    """Share of the runs that ended in the last seven days and succeeded. Under 90 % see the board System: which job,
    and why, is in Dagster.""",
    """
    SELECT avg((status = 'SUCCESS')::int)::float8 AS succeeded FROM runs
    WHERE status IN ('SUCCESS', 'FAILURE') AND end_time > extract(epoch FROM now() - interval '168 hours')
    HAVING count(*) > 0
    """,
    unit=SHARE,
    steps=((0, RED), (0.9, AMBER), (0.99, GREEN)),
    none="no run in 7 days",
    source=DAGSTER,
    decimals=1,
)
DATA_AGE = stat(
    "How old is the newest result?",
    """Days between the newest known result and the platform's now. A week between rounds and two in an international
    break are normal, all of June and July too; `results_are_fresh` in Dagster knows the calendar.""",
    f"""
    SELECT (extract(epoch FROM {NOW} - max(kickoff)) / 86400)::float8 AS days FROM matches
    WHERE division = 'E0' AND result IS NOT NULL AND kickoff <= {NOW} HAVING count(*) > 0
    """,
    unit=DAYS,
    steps=((0, GREEN), (8, AMBER), (21, RED)),
    none="no result yet",
    decimals=1,
)
CHAMPION_NOW = stat(
    "Which version serves?",
    """The champion by the record of decisions. Why it serves stands in the retraining history on the board
    Performance.""",
    "SELECT 'version ' || challenger_version AS champion FROM retraining_events "
    "WHERE event IN ('promoted', 'rolled_back') ORDER BY id DESC LIMIT 1",
    unit=TEXT,
    none="nobody serves",
)
CHAMPION_AGE = stat(
    "For how long has it served?",
    """Days since the decision that let it serve. A version is trained again for a failed check, or when 150 results are
    new to it: over four months within a season is too old.""",
    f"""
    SELECT (extract(epoch FROM {NOW} - as_of) / 86400)::float8 AS days FROM retraining_events
    WHERE event IN ('promoted', 'rolled_back') ORDER BY id DESC LIMIT 1
    """,
    unit=DAYS,
    steps=((0, GREEN), (120, AMBER), (200, RED)),
    none="nobody serves",
    decimals=1,
)
ALERTS = stat(
    "How many alerts are open?",
    """Causes that are not gone yet, warnings included; the list below names them. `pl-predictor status` is not healthy
    while one of them is an error or critical.""",
    "SELECT count(*) AS open FROM alerts WHERE resolved_at IS NULL",
    steps=((0, GREEN), (1, AMBER), (3, RED)),
)
MOMENT = stat(
    "Which moment does the platform live?",
    """Live it is now; in a replay it is a moment of the past, and all ages on this board are counted from it.""",
    f"SELECT to_char({NOW} AT TIME ZONE 'UTC', 'FMDD Mon YYYY HH24:MI') || CASE WHEN "
    "(SELECT replay FROM model_predictions ORDER BY id DESC LIMIT 1) THEN ', replayed' ELSE ' UTC' END AS moment "
    f"WHERE {NOW} IS NOT NULL",
    unit=TEXT,
    none="no forecast yet",
)
OPEN = grid(
    "What is wrong now?",
    """Open alerts, the worst first. The run leads to Dagster; what to do stands in the message, or in the README under
    Alerts.""",
    """
    SELECT level, title, message, as_of AS "speaks of", opened_at AS since,
        last_seen_at AS "last seen", last_error AS "could not be sent",
        dagster_run_id AS run
    FROM alerts WHERE resolved_at IS NULL
    ORDER BY array_position(ARRAY['critical', 'error', 'warning'], level), opened_at
    """,
    links={"run": RUN},
    colours={
        "level": {"critical": ("critical", PURPLE), "error": ("error", RED), "warning": ("warning", AMBER)},
    },
)
TREND = lines(
    "How have the forecasts done?",
    """RPS of whichever version served, and of the pre-match odds, over time; lower is better. Marks are retrainings and
    drift.""",
    record("rps", "rps_market"),
)
SERVED = grid(
    "Who has served?",
    """Decisions about who serves, the newest first.""",
    """
    SELECT as_of AS "moment", challenger_version AS version, event, cause, verdict, dagster_run_id AS run
    FROM retraining_events WHERE event IN ('promoted', 'rolled_back') ORDER BY id DESC LIMIT 20
    """,
    links={"version": OF_VERSION, "run": RUN},
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-overview",
        "Overview",
        "Is everything all right? Green needs nothing, amber a look, red an action; grey is not known yet. Each "
        "question is answered in full on a board of its own: see Boards.",
        [
            Row(
                "The forecasts",
                [AGAINST_MARKET, F1, RPS, DRIFT, NEXT, LAST_DAY, ROI],
                height=5,
                widths=(4, 3, 3, 3, 4, 3, 4),
            ),
            Row("The platform", [MOMENT, PIPELINE, DATA_AGE, CHAMPION_NOW, CHAMPION_AGE, ALERTS], height=5),
            Row("What is wrong", [OPEN], height=7),
            Row("The record", [TREND, SERVED]),
        ],
        variables(MODEL_CHOICE),
        [*RETRAINING, DRIFT_ONSETS, OUTAGES],
    )
