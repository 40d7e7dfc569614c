"""The board of the bets on paper: what they won, whether that is more than luck, and what is there to bet on."""

from dataclasses import replace

from grafana.board import Board, Row
from grafana.house import (
    AMBER,
    COUNT,
    GREEN,
    GREY,
    NUMBER,
    PERCENT,
    RED,
    RUN,
    SHARE,
    UNITS,
    VERSION,
    Column,
    aside,
    grid,
    legend,
    lines,
    stat,
)
from grafana.queries import BETTING_SCORES, MODEL, NOW, OUTCOME, REPLAY
from grafana.shared import NO_BET, RETRAINING, bet_score, returned
from grafana.thresholds import MAX_DRAWDOWN

WIDE = Column(width=150)
PROBABILITY = replace(PERCENT, width=100)
ON = OUTCOME.format("outcome")

SETTLED = f"""settled AS (
    SELECT id, kickoff, home_team, outcome, settled_at, profit::float8 AS profit, bankroll_after::float8 AS bankroll,
        starting_bankroll::float8 AS began_with, greatest(starting_bankroll, max(bankroll_after) OVER (
            ORDER BY settled_at, kickoff, home_team, id
        ))::float8 AS peak
    FROM bets WHERE settlement IS NOT NULL AND model_name = {MODEL} AND replay = {REPLAY}
)"""
"""The settled bets, with the highest bankroll that there was by then, the first one included."""
IN_ORDER = "settled_at DESC, kickoff DESC, home_team DESC, id DESC"

RETURN = returned(
    "What have the bets returned?",
    """Profit as a share of the bankroll that the ledger began with, with its 95 % interval, and the settled bets that
    it is of. It is more than luck only where `at least` is green, too; that takes hundreds of bets.""",
)
CLV = bet_score(
    "Do the bets beat the closing line?",
    """Closing line value: what a staked unit was worth at the closing odds without their margin, with its 95 %
    interval. It tells skill from luck much sooner than profit: under 0 for long, the bets come too late or against the
    market. Unknown where the source has no closing odds.""",
    "clv",
    "closing line value",
    "no bet with closing odds",
)
CLAIM = stat(
    "Do the bets earn what they claim?",
    """What a staked unit was expected to win by our own probabilities, and what it did win. Earned far under claimed:
    the probabilities that we bet on are too high; the table by kind of bet says which.""",
    f"""
    WITH {BETTING_SCORES}
    SELECT max(value) FILTER (WHERE metric = 'claimed_value') AS claimed,
        max(value) FILTER (WHERE metric = 'yield') AS earned, max(n) AS bets
    FROM scores WHERE slice = 'all' AND metric IN ('claimed_value', 'yield') HAVING count(*) > 0
    """,
    unit=SHARE,
    none=NO_BET,
    decimals=1,
)
CLAIM = aside(CLAIM, "bets", COUNT, decimals=0)
BANKROLL = stat(
    "How large is the bankroll?",
    """Units that the ledger has by the bets settled so far, those of them that are on open bets, and those that it
    began with. Stakes are shares of what there is, so that they shrink with it.""",
    f"""
    SELECT (max(starting_bankroll) + coalesce(sum(profit), 0))::float8 AS bankroll,
        coalesce(sum(stake) FILTER (WHERE settlement IS NULL), 0)::float8 AS "at stake",
        max(starting_bankroll)::float8 AS "began with"
    FROM bets WHERE model_name = {MODEL} AND replay = {REPLAY} HAVING count(*) > 0
    """,
    unit=NUMBER,
    none="no bet yet",
    decimals=2,
)
DRAWDOWN = stat(
    "How far is the bankroll below its peak?",
    """Now, and at the worst since the ledger began, as a share of the peak before. Were the
    claimed values true, a quarter of Kelly's stake would fall by 25 % in one case of eight, and by half in under one of
    a hundred, which is an alert: look at the closing line value.""",
    f"""
    WITH {SETTLED}
    SELECT (array_agg((peak - bankroll) / peak ORDER BY {IN_ORDER}))[1] AS now,
        max((peak - bankroll) / peak) AS "at the worst"
    FROM settled HAVING count(*) > 0
    """,
    unit=SHARE,
    steps=((0, GREEN), (MAX_DRAWDOWN / 2, AMBER), (MAX_DRAWDOWN, RED)),
    none=NO_BET,
    decimals=1,
)
DRAWDOWN = aside(DRAWDOWN, "at the worst")
BANKROLL_LINE = lines(
    "How has the bankroll moved?",
    """Units after the bets settled by then, in the order in which they were settled, beside those that the ledger began
    with.""",
    f"""
    WITH {SETTLED}
    SELECT DISTINCT ON (1, 2) $__timeGroup(settled_at, $__interval) AS time, units.metric, units.value
    FROM settled, LATERAL (VALUES ('bankroll', bankroll), ('began with', began_with)) units (metric, value)
    WHERE $__timeFilter(settled_at)
    ORDER BY 1, 2, {IN_ORDER}
    """,
    decimals=2,
)
PROFIT = lines(
    "On which results was it won and lost?",
    """Profit in units since the ledger began, of all bets and by the result that was bet on: one line that falls while
    the others rise is a result that the forecasts get wrong.""",
    f"""
    WITH {SETTLED}
    SELECT DISTINCT ON (1, 2) $__timeGroup(settled_at, $__interval) AS time, metric, value FROM (
        SELECT settled_at, kickoff, home_team, id, kind.metric,
            sum(profit) OVER (PARTITION BY kind.metric ORDER BY settled_at, kickoff, home_team, id) AS value
        FROM settled, LATERAL (VALUES ('all bets'), ('on the ' || {ON})) kind (metric)
    ) summed
    WHERE $__timeFilter(settled_at)
    ORDER BY 1, 2, {IN_ORDER}
    """,
    decimals=2,
)
DRAWDOWN_LINE = lines(
    "How deep were the falls?",
    """How far the bankroll was below its peak, as a share of that peak: the worst within each interval of time. 0 is a
    new peak.""",
    f"""
    WITH {SETTLED}
    SELECT $__timeGroup(settled_at, $__interval) AS time, 'below the peak' AS metric,
        max((peak - bankroll) / peak) AS value
    FROM settled WHERE $__timeFilter(settled_at) GROUP BY 1 ORDER BY 1
    """,
    unit=SHARE,
    limits=((MAX_DRAWDOWN / 2, AMBER), (MAX_DRAWDOWN, RED)),
).legend(legend(["max"]))


def _over_time(*names: tuple[str, str, str]) -> str:
    """Series of all bets: metric, its column (value, low, high), and what the series is called."""
    wanted = ", ".join(sorted({f"'{metric}'" for metric, _, _ in names}))
    series = ", ".join(f"('{metric}', '{called}', newest.{column})" for metric, column, called in names)
    return f"""
    SELECT newest.time, each.called AS metric, each.value FROM (
        SELECT DISTINCT ON (1, 2) $__timeGroup(s.as_of, $__interval) AS time, s.metric, s.value, s.low, s.high
        FROM betting_scores s
        WHERE s.slice = 'all' AND s.metric IN ({wanted}) AND s.replay = {REPLAY} AND $__timeFilter(s.as_of)
        ORDER BY 1, 2, s.as_of DESC
    ) newest, LATERAL (VALUES {series}) AS each (metric, called, value)
    WHERE each.metric = newest.metric AND each.value IS NOT NULL
    ORDER BY 1, 2
    """


CLAIM_LINE = lines(
    "Does the claimed value lie within what was earned?",
    """What a staked unit won, of all bets settled by then, with its 95 % interval, beside what was claimed for it. The
    claim above the upper end: beyond luck the bets are worth less than was claimed.""",
    _over_time(
        ("yield", "value", "earned"),
        ("yield", "low", "earned, at least"),
        ("yield", "high", "earned, at most"),
        ("claimed_value", "value", "claimed"),
    ),
    unit=SHARE,
)
CLV_LINE = lines(
    "How does the closing line value develop?",
    """Of all bets settled by then, with its 95 % interval. Steadily over 0 is skill in choosing prices; a line that
    sinks towards 0 says that it is lost. Empty where the source has no closing odds.""",
    _over_time(("clv", "value", "closing line value"), ("clv", "low", "at least"), ("clv", "high", "at most")),
    unit=SHARE,
)
BY_KIND = grid(
    "Which bets earn, by result and by odds?",
    """Bets that were won or lost, of all time. Earned is profit per staked unit, with its 95 % interval where there are
    five match days; won is to be compared with what the odds implied; CLV is the closing line value. Few bets say
    nothing, whatever they earned.""",
    f"""
    WITH {BETTING_SCORES}
    SELECT slice AS bets, max(n) FILTER (WHERE metric = 'profit') AS n,
        max(value) FILTER (WHERE metric = 'turnover') AS staked, max(value) FILTER (WHERE metric = 'profit') AS profit,
        max(value) FILTER (WHERE metric = 'yield') AS earned, max(low) FILTER (WHERE metric = 'yield') AS "at least",
        max(high) FILTER (WHERE metric = 'yield') AS "at most",
        max(value) FILTER (WHERE metric = 'claimed_value') AS claimed,
        max(value) FILTER (WHERE metric = 'hit_rate') AS won,
        max(value) FILTER (WHERE metric = 'hit_rate_implied') AS implied,
        max(value) FILTER (WHERE metric = 'clv') AS "CLV"
    FROM scores WHERE slice IN ('all', 'home wins', 'draws', 'away wins') OR slice LIKE 'odds %'
    GROUP BY slice ORDER BY array_position(ARRAY['all', 'home wins', 'draws', 'away wins'], slice::text), slice
    """,
    {
        **{"bets": WIDE, "staked": UNITS, "profit": UNITS},
        **dict.fromkeys(("earned", "at least", "at most", "claimed", "won", "implied", "CLV"), PERCENT),
    },
    none=NO_BET,
)
BLIND = grid(
    "Would blind betting have earned more?",
    """What a staked unit won in the ledger, and what a unit on each of the same matches would have won by a rule that
    knows nothing, at the best prices, the average, and one bookmaker's. `our choice` is what the ledger bet on, with
    even stakes. A ledger within the intervals of the blind has shown no skill yet.""",
    f"""
    WITH {BETTING_SCORES}
    SELECT CASE slice WHEN 'all' THEN 'the ledger' ELSE split_part(slice, ', ', 1) END AS bets,
        CASE slice WHEN 'all' THEN 'as taken' ELSE split_part(slice, ', ', 2) END AS prices,
        value AS earned, low AS "at least", high AS "at most", n
    FROM scores WHERE metric = 'yield' AND (slice = 'all' OR slice LIKE 'blind %' OR slice LIKE 'our choice%')
    ORDER BY slice <> 'all', slice NOT LIKE 'our choice%', slice
    """,
    {"bets": WIDE, **dict.fromkeys(("earned", "at least", "at most"), PERCENT)},
    none=NO_BET,
)
RECENT = grid(
    "Which bets were settled last?",
    """The last hundred of the time range, the newest first; a void bet had its stake returned because the match was
    moved or never played. The run leads to the one that took the bet.""",
    f"""
    SELECT settled_at AS settled, kickoff AS "kick-off", home_team AS home, away_team AS away, {ON} AS "bet on",
        probability, odds, edge AS claimed, stake::float8 AS stake, settlement, profit::float8 AS profit,
        bankroll_after::float8 AS bankroll, model_version AS version, dagster_run_id AS run
    FROM bets WHERE settlement IS NOT NULL AND model_name = {MODEL} AND replay = {REPLAY}
        AND $__timeFilter(settled_at)
    ORDER BY {IN_ORDER} LIMIT 100
    """,
    {
        **{"probability": PROBABILITY, "odds": UNITS, "claimed": PERCENT, "version": VERSION, "run": RUN},
        **dict.fromkeys(("stake", "profit", "bankroll"), UNITS),
        "settlement": Column(words={"won": ("won", GREEN), "lost": ("lost", "text"), "void": ("void", GREY)}),
    },
    none="no bet settled in this time",
)
OPEN = grid(
    "Which bets are open?",
    """Bets that are not settled yet, the next kick-off first. One that stays long after its match waits for the result;
    after 30 days without it becomes void.""",
    f"""
    SELECT kickoff AS "kick-off", home_team AS home, away_team AS away, {ON} AS "bet on", probability, odds, prices,
        edge AS claimed, stake::float8 AS stake, as_of AS "taken at", model_version AS version, dagster_run_id AS run
    FROM bets WHERE settlement IS NULL AND model_name = {MODEL} AND replay = {REPLAY}
    ORDER BY kickoff, home_team
    """,
    {
        **{"probability": PROBABILITY, "odds": UNITS, "claimed": PERCENT, "stake": UNITS},
        **{"version": VERSION, "run": RUN},
    },
    none="no bet is open",
)
VALUE = grid(
    "What is worth a bet in the coming round?",
    """Each result of the coming fixtures at the price that there was at `as of`, the most valuable first; those without
    odds, which come two days before a round, stand last. Value is probability times odds, minus 1; the verdict says why
    the others are not bet on.""",
    f"""
    SELECT kickoff AS "kick-off", home_team AS home, away_team AS away, {ON} AS "bet on", probability AS "we say",
        market_probability AS "market says", odds, prices, edge AS value, verdict, as_of AS "as of",
        model_version AS version, dagster_run_id AS run
    FROM market_edges WHERE kickoff > {NOW} AND replay = {REPLAY}
    ORDER BY verdict <> 'value', edge DESC NULLS LAST, kickoff, home_team, position(outcome IN 'HDA')
    """,
    {
        **{"we say": PERCENT, "market says": PROBABILITY, "odds": UNITS, "value": PERCENT},
        **{"version": VERSION, "run": RUN},
        "verdict": Column(words={"value": ("worth a bet", GREEN)}, wrap=True),
    },
    none="no fixture is known",
)


def dashboard() -> Board:
    """The board."""
    return Board(
        "mlops-betting",
        "Betting",
        "Bets on paper, never a real one: what they won, whether that is more than luck, and what is there to bet on. "
        "Money is in units.",
        [
            Row("The ledger now", [BANKROLL, DRAWDOWN, RETURN], 4),
            Row("What its bets are worth", [CLAIM, CLV], 4),
            Row("Over time", [BANKROLL_LINE, PROFIT, DRAWDOWN_LINE]),
            Row("Luck or skill", [CLAIM_LINE, CLV_LINE]),
            Row("Where it comes from", [BY_KIND, BLIND], height=9, widths=(14, 10)),
            Row("The coming round", [VALUE], height=10),
            Row("Bets", [OPEN], height=6),
            Row("Settled", [RECENT], height=10),
        ],
        annotations=RETRAINING,
    )
