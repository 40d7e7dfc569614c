"""The board of drift: do the latest matches still look like those that the champion was trained on?"""

from dataclasses import replace
from datetime import timedelta

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    DAYS,
    GREEN,
    NATS,
    PERCENT,
    PROSE,
    RED,
    REPORT,
    REPORTS,
    SHARE,
    TEXT,
    UNITS,
    VERSION,
    Column,
    grid,
    lines,
    stat,
    states,
)
from grafana.queries import CHAMPION, DRIFT_CHECK_AGE, DRIFT_SHARE, MODEL, record
from grafana.shared import DRIFT_ONSETS, MODEL_CHOICE, OUTAGES, RETRAINING, drift_stat, variables
from grafana.thresholds import DRIFT_CHECK_DUE_DAYS, MAX_DRIFT_SHARE, MIN_SAMPLE
from pl_predictor.core.freshness import LONGEST_BREAK

NO_CHECK = "not checked yet"
GAP = LONGEST_BREAK // timedelta(milliseconds=1)
"""Over which no line is drawn: the summer."""
NEWEST = f"""newest AS (
    SELECT column_name, score, threshold, effect_size, drifted, method, current_n, reference_n, model_version
    FROM drift_scores WHERE model_name = {MODEL} AND model_version = {CHAMPION} AND as_of = (
        SELECT max(d.as_of) FROM drift_scores d WHERE d.model_name = {MODEL} AND d.model_version = {CHAMPION}
    )
)"""
"""The columns of the champion's newest check."""

SHARE_NOW = drift_stat(
    "How much has drifted?",
    f"""Drifted share of the compared columns at the newest check of the champion. Over {MAX_DRIFT_SHARE:.0%}, by
    default, the check fails and the platform trains again by itself, unless a cooldown or too few new results forbid
    it.""",
)
AGE = stat(
    "How old is the newest check?",
    """Days between the newest check, of whichever version served then, and the platform's now (in a replay the moment
    that it lives). Live it comes every six hours; in a replay with every tick. Older: see the job `drift_analysis` in
    Dagster.""",
    DRIFT_CHECK_AGE,
    unit=DAYS,
    steps=((-1, GREEN), (DRIFT_CHECK_DUE_DAYS, AMBER), (14, RED)),
    none=NO_CHECK,
    decimals=1,
)
COMPARED = stat(
    "How many matches are compared?",
    f"""Matches of the recent window at the champion's newest check. Under {MIN_SAMPLE} nothing is decided.""",
    f"WITH {DRIFT_SHARE} SELECT n FROM newest_check",
    steps=((0, AMBER), (MIN_SAMPLE, GREEN)),
    none=NO_CHECK,
)
WORST = stat(
    "Which column is most suspicious?",
    """The column with the smallest p-value at the newest check. If it is a feature, ask what changed in the league or
    in the feed; if it is p_home, p_draw or p_away, the forecasts themselves have moved.""",
    f"WITH {NEWEST} SELECT column_name AS column FROM newest ORDER BY score, column_name LIMIT 1",
    unit=TEXT,
    none=NO_CHECK,
)
SHARE_LINES = lines(
    "Does the drift share stay below its threshold?",
    """Drifted share of the columns over time, of whichever version served: a promoted version is compared with its own
    training window, so the line falls when one is promoted. Over the dashed line the check fails.""",
    record({"drift_share": "drifted"}),
    unit=SHARE,
    limits=((MAX_DRIFT_SHARE, RED),),
)
TIMELINE = states(
    "Which columns have drifted, and since when?",
    """A lane a column: green is like the training window, red has drifted (its p-value is below the
    Bonferroni-corrected threshold). One short red stretch is a chance find; several columns at once are a change.""",
    f"""
    SELECT as_of AS time, column_name AS metric, drifted::int AS value
    FROM drift_scores WHERE model_name = {MODEL} AND $__timeFilter(as_of)
    ORDER BY 1, 2, length(model_version), model_version
    """,
    {"0": ("like the training window", GREEN), "1": ("drifted", RED)},
)
SCORES = grid(
    "How far has each column moved?",
    """The newest check, the most suspicious first. Effect size is the shift of the mean in standard deviations of the
    training window: under 0.2 is small whatever the p-value says, over 0.5 is large. Recent and training are the
    matches compared.""",
    f"""
    WITH {NEWEST}
    SELECT column_name AS "column", score AS "p-value", threshold, effect_size AS "effect size",
        CASE WHEN drifted THEN 'drifted' ELSE 'alike' END AS verdict, method, current_n AS recent,
        reference_n AS training, model_version AS version
    FROM newest ORDER BY score, column_name
    """,
    {
        **{
            "column": REPORTS,
            "p-value": NATS,
            "threshold": NATS,
            "effect size": replace(UNITS, width=92),
            "version": VERSION,
        },
        "verdict": Column(words={"drifted": ("drifted", RED), "alike": ("alike", GREEN)}),
    },
    none=NO_CHECK,
)
EFFECTS = lines(
    "How does each feature move?",
    """Shift of each feature's mean over time, in standard deviations of the training window; 0 is no shift. Promotion
    changes the window and sets the lines back.""",
    f"""
    SELECT DISTINCT ON (1, 2) $__timeGroup(as_of, $__interval) AS time, column_name AS metric, effect_size AS value
    FROM drift_scores
    WHERE model_name = {MODEL} AND effect_size IS NOT NULL AND column_name NOT IN ('p_home', 'p_draw', 'p_away')
        AND $__timeFilter(as_of)
    ORDER BY 1, 2, as_of DESC, length(model_version) DESC, model_version DESC
    """,
    decimals=2,
    limits=((-0.5, AMBER), (0.5, AMBER)),
)
PREDICTION_DRIFT = lines(
    "Have the forecasts themselves moved?",
    """Shift of the mean probability of home win, draw and away win, in standard deviations of the training window.
    Features at rest and moving forecasts point to the model; both moving point to the league or the feed.""",
    f"""
    SELECT DISTINCT ON (1, 2) $__timeGroup(as_of, $__interval) AS time, column_name AS metric, effect_size AS value
    FROM drift_scores
    WHERE model_name = {MODEL} AND effect_size IS NOT NULL AND column_name IN ('p_home', 'p_draw', 'p_away')
        AND $__timeFilter(as_of)
    ORDER BY 1, 2, as_of DESC, length(model_version) DESC, model_version DESC
    """,
    decimals=2,
    limits=((-0.5, AMBER), (0.5, AMBER)),
)
MISSING = lines(
    "How many matches lack odds or statistics?",
    """Share of the Premier League matches of each week without pre-match odds, without closing odds, without shots. A
    source may never have them (the snapshot has odds in 2023/24 only): a change of the line is what matters.""",
    """
    SELECT $__timeGroup(kickoff, '7d') AS time, missing AS metric, avg(absent::int)::float8 AS value
    FROM matches, LATERAL (VALUES
        ('pre-match odds', home_odds IS NULL), ('closing odds', closing_home_odds IS NULL),
        ('shots', home_shots IS NULL)
    ) AS each (missing, absent)
    WHERE division = 'E0' AND result IS NOT NULL AND $__timeFilter(kickoff)
    GROUP BY 1, 2 ORDER BY 1, 2
    """,
    unit=SHARE,
).insert_nulls(GAP)
CHECKS = grid(
    "What did the recent checks find?",
    """A row a check, the newest first. The report leads to Evidently's, in MLflow.""",
    f"""
    SELECT m.as_of AS "moment", m.model_version AS version, m.value AS share, (m.metadata->>'columns')::int AS columns,
        (m.metadata->>'n')::int AS "recent matches", (m.metadata->>'reference_n')::int AS "training matches",
        coalesce((
            SELECT string_agg(d.column_name, ', ' ORDER BY d.score, d.column_name) FROM drift_scores d
            WHERE d.drifted AND (d.model_name, d.model_version, d.as_of) = (m.model_name, m.model_version, m.as_of)
        ), 'none') AS drifted,
        substring(m.metadata->>'report' FROM '#/.*') AS report
    FROM model_metrics m
    WHERE m.metric_type = 'drift_share' AND m.model_name = {MODEL} AND $__timeFilter(m.as_of)
    ORDER BY m.as_of DESC, m.id DESC LIMIT 50
    """,
    {"version": VERSION, "share": PERCENT, "drifted": PROSE, "report": REPORT},
    none="no check in this time",
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-drift",
        "Drift",
        "Do the latest matches look like those that the champion was trained on? Red stays red until a retrained "
        "version is promoted or the matches are alike again.",
        [
            Row("The newest check", [SHARE_NOW, AGE, COMPARED, WORST], height=5),
            Row("Over time", [SHARE_LINES, TIMELINE], height=10),
            Row("Column by column", [SCORES, EFFECTS], 10, (14, 10)),
            Row("Forecasts and missing values", [PREDICTION_DRIFT, MISSING]),
            Row("Checks", [CHECKS]),
        ],
        variables(MODEL_CHOICE),
        [DRIFT_ONSETS, *RETRAINING, OUTAGES],
    )
