"""The board of how good the forecasts are: scores with their samples, the market beside them, versions compared."""

from dataclasses import replace

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    GREEN,
    NATS,
    NUMBER,
    PERCENT,
    PROSE,
    PURPLE,
    RED,
    RUN,
    SHARE,
    VERSION,
    Column,
    Panel,
    Steps,
    curve,
    grid,
    lines,
    score,
    stat,
)
from grafana.queries import (
    CHOSEN,
    MODEL,
    OUTCOME,
    RPS_AGAINST_MARKET,
    newest_metric,
    newest_score,
    official,
    record,
)
from grafana.shared import METRIC_CHOICE, MODEL_CHOICE, RETRAINING, VERSION_CHOICE, longest_wait, variables, waiting
from grafana.thresholds import MIN_ACCURACY, MIN_F1, MIN_SAMPLE, MIN_SKILL, PERFORMANCE_WINDOW, SKILL_WINDOW

SETTLED = stat(
    "How many forecasts have been judged?",
    f"""Official forecasts (the last before kick-off) of the chosen version whose match has a result. Under {MIN_SAMPLE}
    no check decides anything, and scores are grey.""",
    f"WITH {official(CHOSEN)} SELECT count(actual_result) AS settled FROM official HAVING count(*) > 0",
    steps=((0, AMBER), (MIN_SAMPLE, GREEN)),
    none="no forecast yet",
)
WAITING = waiting(
    "How many results are missing?",
    """Official forecasts of the chosen version whose match has kicked off and has no result yet. A few after a matchday
    are normal; if they stay, the source is late: see the checks of `matches` in Dagster.""",
)
LAG = longest_wait(
    "How long has the oldest of them waited?",
    """Days since the kick-off of the oldest forecast without a result. Results come within three days; a postponed
    match waits for its new date and is no fault.""",
)


def _score(title: str, says: str, metric: str, unit: str, steps: Steps) -> Panel:
    return score(title, says, newest_score(metric, CHOSEN), unit=unit, steps=steps, decimals=3 if unit == NUMBER else 1)


ACCURACY = _score(
    "How often is it right?",
    f"""Share of the latest official forecasts of the chosen version that named the result. The check fails under
    {MIN_ACCURACY:.0%} by default; whether that is bad luck is the check's verdict, in Dagster. Bookmakers'
    favourites win 53 to 55 %.""",
    "accuracy",
    SHARE,
    ((0, RED), (MIN_ACCURACY - 0.05, AMBER), (MIN_ACCURACY, GREEN)),
)
F1 = _score(
    "How good is its weighted F1?",
    f"""F1 of home wins, draws and away wins, weighted by how often they happen: low for a forecaster that never says
    draw. The check fails under {MIN_F1} by default.""",
    "f1_weighted",
    NUMBER,
    ((0, RED), (MIN_F1 - 0.05, AMBER), (MIN_F1, GREEN)),
)
SKILL = _score(
    "Is it better than the market, lately?",
    f"""The market's log loss minus its own over the latest {SKILL_WINDOW} matches with odds, nats a match. Over 0 is
    better than the odds; under {MIN_SKILL} (by default) the check fails, and beyond noise it retrains.""",
    "log_loss_skill_recent",
    NUMBER,
    ((-99, RED), (MIN_SKILL, AMBER), (-0.001, GREEN)),
)
CLASSIFICATION = lines(
    "How do accuracy, F1, precision and recall develop?",
    f"""Of whichever version served at the time, over its latest {PERFORMANCE_WINDOW} official forecasts: each new
    version begins a record of its own, with wide swings. The dashed line is the accuracy that the check asks for.
    Weighted recall is the accuracy, by definition: the two lines lie on each other.""",
    record(
        {
            "accuracy": "accuracy",
            "f1_weighted": "weighted F1",
            "precision_weighted": "weighted precision",
            "recall_weighted": "weighted recall",
        }
    ),
    unit=SHARE,
    limits=((MIN_ACCURACY, RED),),
)
RPS = lines(
    "Is the RPS below the market's?",
    """Ranked probability score of whichever version served and of the pre-match odds, on the same matches: 0 is best, a
    good model has 0.19 to 0.20. Only the distance between the two is skill.""",
    RPS_AGAINST_MARKET,
    decimals=4,
)
LOG_LOSS = lines(
    "Is the log loss what the forecasts themselves expect?",
    """Log loss in nats, 0 is best, of all matches. Above what is expected for long: the probabilities are too bold, or
    features are broken. Small gaps are luck. How it stands against the market's is beside.""",
    record({"log_loss": "log loss", "log_loss_expected": "expected by the forecasts"}),
    decimals=4,
)
SKILL_LINES = lines(
    "Is it better than the market, and is that more than luck?",
    f"""Skill over the latest {SKILL_WINDOW} matches (the market's log loss minus its own). What is expected if
    the market is right has no luck in it. Both below {MIN_SKILL}, the dashed line: retraining is due.""",
    record({"log_loss_skill_recent": "skill", "log_loss_skill_expected_recent": "expected if the market is right"}),
    decimals=4,
    limits=((MIN_SKILL, RED),),
)
CONFUSION = grid(
    "Which results are taken for which?",
    """Settled official forecasts of the chosen version in the time range: what happened (rows) by what was predicted
    (columns). Draws are predicted rarely by any good model: what matters is the diagonal against the rest of its
    row.""",
    f"""
    WITH {official(CHOSEN)}
    SELECT {OUTCOME.format("actual_result")} AS "happened",
        count(*) FILTER (WHERE prediction = 'H') AS "home win predicted",
        count(*) FILTER (WHERE prediction = 'D') AS "draw predicted",
        count(*) FILTER (WHERE prediction = 'A') AS "away win predicted"
    FROM official WHERE actual_result IS NOT NULL AND $__timeFilter(kickoff)
    GROUP BY actual_result ORDER BY position(actual_result IN 'HDA')
    """,
    none="no result in this time",
)
CALIBRATION = curve(
    "Does what is called 60 % happen in 60 % of the cases?",
    """Every probability of the settled official forecasts (three a match), in ten bins: how often it came true against
    how often it was forecast. On the diagonal is calibrated; a flatter curve is too bold, a steeper one too timid. Bins
    of under ten cases are left out.""",
    f"""
    WITH {official(CHOSEN)}, stated AS (
        SELECT (probabilities->>outcome)::float8 AS p, (actual_result = outcome)::int AS happened
        FROM official, unnest(ARRAY['H', 'D', 'A']) outcome
        WHERE actual_result IS NOT NULL AND $__timeFilter(kickoff)
    )
    SELECT avg(p) AS forecast, avg(happened)::float8 AS happened, avg(p) AS calibrated
    FROM stated GROUP BY least(floor(p * 10), 9) HAVING count(*) >= 10 ORDER BY 1
    """,
    x="forecast",
)
COMPARED = grid(
    "Which version is better?",
    """Newest scores of every version that was ever scored, challengers that only shadowed included. n differs: versions
    are compared fairly, on the same matches, only by the retraining history below. Ahead is the skill against the
    market: its log loss minus the version's.""",
    f"""
    SELECT model_version AS version, max(as_of) AS scored, max((metadata->>'n')::int) FILTER (
            WHERE metric_type = 'log_loss') AS n,
        max(value) FILTER (WHERE metric_type = 'log_loss') AS "log loss",
        max(value) FILTER (WHERE metric_type = 'rps') AS rps,
        max(value) FILTER (WHERE metric_type = 'accuracy') AS accuracy,
        max(value) FILTER (WHERE metric_type = 'f1_weighted') AS "F1",
        max(value) FILTER (WHERE metric_type = 'log_loss_skill') AS ahead
    FROM (SELECT DISTINCT challenger_version AS version FROM retraining_events WHERE model_name = {MODEL}) decided,
        unnest(ARRAY['log_loss', 'rps', 'accuracy', 'f1_weighted', 'log_loss_skill']) metric,
        LATERAL ({newest_metric("metric", "decided.version")}) newest
    GROUP BY model_version ORDER BY length(model_version) DESC, model_version DESC
    """,
    {
        **{"version": VERSION, "accuracy": PERCENT},
        **dict.fromkeys(("log loss", "rps", "F1", "ahead"), NATS),
    },
    none="no version was scored yet",
)
BY_VERSION = lines(
    "How does the chosen metric develop, by version?",
    """One line a version, shadowing challengers included. Lines of a few matches swing; the versions' n stand in the
    table beside.""",
    f"""
    SELECT DISTINCT ON (1, 2) $__timeGroup(as_of, $__interval) AS time, 'version ' || model_version AS metric, value
    FROM model_metrics
    WHERE metric_type = ${{metric:sqlstring}} AND model_name = {MODEL} AND $__timeFilter(as_of)
    ORDER BY 1, 2, as_of DESC
    """,
)
HISTORY = grid(
    "When was it trained again, why, and was it promoted?",
    """A row a decision. Past seasons and live are the champion's log loss minus the challenger's, nats a match; low and
    high is the 95 % interval of the first: over 0 the challenger is better. A refusal is a result and no fault.""",
    f"""
    SELECT as_of AS "moment", event, cause, challenger_version AS version, champion_version AS previous,
        verdict, reason, walk_forward_delta AS "past seasons", walk_forward_low AS "low",
        walk_forward_high AS "high", live_delta AS "live", live_n AS "n, live", dagster_run_id AS run
    FROM retraining_events WHERE model_name = {MODEL} AND $__timeFilter(as_of) ORDER BY id DESC
    """,
    {
        "event": Column(
            words={
                "promoted": ("promoted", GREEN),
                "refused": ("refused", "text"),
                "rolled_back": ("rolled back", PURPLE),
            }
        ),
        **{"version": VERSION, "previous": VERSION, "verdict": PROSE, "reason": PROSE, "run": RUN},
        **dict.fromkeys(("low", "high", "live"), NATS),
        "past seasons": replace(NATS, width=110),
    },
    none="no decision in this time",
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-performance",
        "Performance",
        "How good the forecasts are, against the market and over time. Start at the top left; a score means little "
        f"before {MIN_SAMPLE} forecasts were judged.",
        [
            Row("The chosen version now", [ACCURACY, F1, SKILL], 5),
            Row("Its results", [SETTLED, WAITING, LAG], 4),
            Row("Over time, of whoever served", [CLASSIFICATION, RPS]),
            Row("Against the market", [LOG_LOSS, SKILL_LINES]),
            Row("What kind of errors", [CONFUSION, CALIBRATION]),
            Row("Versions compared", [COMPARED, BY_VERSION]),
            Row("Retraining", [HISTORY]),
        ],
        variables(MODEL_CHOICE, VERSION_CHOICE, METRIC_CHOICE),
        RETRAINING,
    )
