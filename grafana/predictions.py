"""The board of the forecasts themselves: what is coming, what is forecast, how sure, and what came of it."""

from dataclasses import replace

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    DAYS,
    GREEN,
    PERCENT,
    RED,
    RUN,
    SHARE,
    UNITS,
    VERSION,
    Column,
    bars,
    counts,
    grid,
    stat,
)
from grafana.queries import (
    CHAMPION,
    CHOSEN,
    NOW,
    OUTCOME,
    REPLAY,
    official,
)
from grafana.shared import MODEL_CHOICE, RETRAINING, VERSION_CHOICE, longest_wait, made_last_day, variables, waiting
from grafana.thresholds import FORECAST_DUE_HOURS

COMING = f"""coming AS (
    SELECT m.season, m.home_team, m.away_team, m.kickoff, f.* FROM matches m
    LEFT JOIN LATERAL (
        SELECT p.prediction, p.confidence, p.probabilities, p.home_odds, p.draw_odds, p.away_odds, p.information,
            p.as_of, p.model_version, p.dagster_run_id
        FROM model_predictions p
        WHERE (p.season, p.home_team, p.away_team) = (m.season, m.home_team, m.away_team)
            AND p.model_version = {CHAMPION} AND p.replay = {REPLAY}
        ORDER BY p.as_of DESC, p.id LIMIT 1
    ) f ON true
    WHERE m.division = 'E0' AND m.kickoff > {NOW} AND m.kickoff <= {NOW} + interval '240 hours'
)"""
"""The fixtures of the next ten days, each with the newest forecast of the version that serves, if there is one."""

DUE = stat(
    "How many due matches have no forecast?",
    f"""Premier League matches that kick off within {FORECAST_DUE_HOURS} hours and that the champion has not forecast.
    Any is an alert: launch `daily_predictions` in Dagster.""",
    f"""
    WITH {COMING}
    SELECT count(*) AS missing FROM coming
    WHERE prediction IS NULL AND kickoff <= {NOW} + interval '{FORECAST_DUE_HOURS} hours'
    HAVING {NOW} IS NOT NULL
    """,
    steps=((0, GREEN), (1, RED)),
    none="no forecast yet",
)
UNSETTLED = waiting(
    "How many forecasts wait for a result?",
    """Matches that have kicked off, were forecast by the chosen version, and have no result yet.""",
)
OLDEST = longest_wait(
    "How long has the oldest waited?",
    """Days since kick-off. Over three days is a postponed match, or a source that is behind.""",
)
UPCOMING = grid(
    "What is coming, and what is forecast?",
    """The fixtures of the next ten days with the champion's newest forecast and the odds that it saw. Empty cells are a
    match without forecast, or without odds; the odds are the average of the bookmakers.""",
    f"""
    WITH {COMING}
    SELECT kickoff AS "kick-off", home_team AS home, away_team AS away, (probabilities->>'H')::float8 AS "home win",
        (probabilities->>'D')::float8 AS draw, (probabilities->>'A')::float8 AS "away win",
        {OUTCOME.format("prediction")} AS prediction, home_odds AS "odds 1", draw_odds AS "odds X",
        away_odds AS "odds 2", information, as_of AS "made at", model_version AS version, dagster_run_id AS run
    FROM coming ORDER BY kickoff, home_team
    """,
    {
        **dict.fromkeys(("home win", "draw", "away win"), replace(PERCENT, width=92)),
        **dict.fromkeys(("odds 1", "odds X", "odds 2"), UNITS),
        "information": Column(words={"odds": ("with odds", GREEN), "no_odds": ("without odds", AMBER)}),
        **{"version": VERSION, "run": RUN},
    },
    none="no fixture is known",
)
DISTRIBUTION = counts(
    "What is predicted, week by week?",
    """Official forecasts of the chosen version by predicted result and week of kick-off. Home wins are the most common;
    hardly any draw is normal. A sudden change of the mix is worth a look at the drift board.""",
    f"""
    WITH {official(CHOSEN)}
    SELECT $__timeGroup(kickoff, '7d') AS time, {OUTCOME.format("prediction")} AS metric, count(*) AS value
    FROM official WHERE $__timeFilter(kickoff) GROUP BY 1, 2 ORDER BY 1, 2
    """,
)
SUCCESS = bars(
    "How often does each prediction come true?",
    """Settled official forecasts of the chosen version in the time range: the share that came true beside the mean
    probability that was given to it. The two should be close; n says how much that is worth.""",
    f"""
    WITH {official(CHOSEN)}
    SELECT {OUTCOME.format("prediction")} || ' (n = ' || count(*) || ')' AS prediction,
        avg((prediction = actual_result)::int)::float8 AS "came true", avg(confidence) AS "was promised"
    FROM official WHERE actual_result IS NOT NULL AND $__timeFilter(kickoff)
    GROUP BY prediction ORDER BY position(prediction IN 'HDA')
    """,
    unit=SHARE,
    x="prediction",
)
CONFIDENCE = bars(
    "How sure are the forecasts?",
    """Official forecasts of the chosen version by the probability of what they predict, in steps of 5 %; of those that
    are settled, how many came true. Over 70 % are favourites that win about as often; under a third is a draw, which is
    predicted where the two wins are about as likely.""",
    f"""
    WITH {official(CHOSEN)}, found AS (
        SELECT least(floor(confidence * 20), 19)::int AS low, count(*) AS n, count(actual_result) AS settled,
            count(*) FILTER (WHERE prediction = actual_result) AS came_true
        FROM official WHERE $__timeFilter(kickoff) GROUP BY 1
    )
    SELECT (low * 5) || ' %' AS "from", coalesce(n, 0) AS forecasts,
        coalesce(settled, 0) AS settled, coalesce(came_true, 0) AS "came true"
    FROM generate_series((SELECT min(low) FROM found), 19) low LEFT JOIN found USING (low)
    ORDER BY low
    """,
    x="from",
)
BACKLOG = grid(
    "Which forecasts wait for a result?",
    """Official forecasts of the chosen version whose match has kicked off, the oldest first. A match that was postponed
    gets its new date from the source and then leaves this list.""",
    f"""
    WITH {official(CHOSEN)}
    SELECT kickoff AS "kick-off", home_team AS home, away_team AS away, {OUTCOME.format("prediction")} AS prediction,
        confidence, (extract(epoch FROM {NOW} - kickoff) / 86400)::float8 AS "waits for", dagster_run_id AS run
    FROM official WHERE actual_result IS NULL AND kickoff <= {NOW}
    ORDER BY kickoff, home_team LIMIT 100
    """,
    {"confidence": replace(PERCENT, width=100), "waits for": Column(DAYS, 1), "run": RUN},
    none="none is recorded",
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-predictions",
        "Predictions",
        "What is forecast for the coming matches, how sure the forecasts are, and what came of the earlier ones.",
        [
            Row("Now", [made_last_day(), DUE, UNSETTLED, OLDEST], height=5),
            Row("Coming", [UPCOMING], height=10),
            Row("What is predicted", [DISTRIBUTION, CONFIDENCE]),
            Row("What came of it", [SUCCESS, BACKLOG]),
        ],
        variables(MODEL_CHOICE, VERSION_CHOICE),
        RETRAINING,
    )
