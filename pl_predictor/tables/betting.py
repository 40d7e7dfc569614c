"""Bets on paper, how they did, and what the coming fixtures are worth at the prices there are.

`bets` is append-only: the triggers that guard it are in the migration that creates it.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    Text,
)

from pl_predictor.core.matches import KEY
from pl_predictor.tables.columns import code_version, match_key, metadata, model_name, model_version, moment, run_id


def _money(name: str, comment: str, *, nullable: bool = False) -> "Column[float]":
    """An amount in units, kept to the hundredth and read as a float."""
    return Column(name, Numeric(12, 2, asdecimal=False), nullable=nullable, comment=comment)


bets = Table(
    "bets",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row, in the order in which bets were taken"),
    *match_key(primary_key=False),
    moment("kickoff", "Kick-off as it was known when the bet was taken"),
    Column("outcome", String(1), nullable=False, comment="H, D or A: what the bet is on"),
    Column("forecast_id", Integer, nullable=False, comment="The forecast that it follows: id in model_predictions"),
    Column("probability", Float, nullable=False, comment="That forecast's probability of the outcome"),
    Column("odds", Float, nullable=False, comment="Price of the outcome when the bet was taken, decimal odds"),
    Column("prices", String(10), nullable=False, comment="Whose price: best of all bookmakers, or their consensus"),
    Column("edge", Float, nullable=False, comment="Claimed value of a staked unit: probability * odds - 1"),
    _money("stake", "Units staked"),
    _money("bankroll", "Units before the bet: starting_bankroll and all profits settled by then"),
    _money("starting_bankroll", "Units that the ledger, one a model_name and replay, began with"),
    moment("as_of", "When the bet was taken: the forecast's moment"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    model_name(nullable=False),
    model_version(),
    code_version(),
    run_id(),
    Column("settlement", String(4), comment="won, lost or void (the stake came back); null while the bet is open"),
    _money("profit", "Units won, negative if lost; null while the bet is open", nullable=True),
    _money("bankroll_after", "starting_bankroll and all profits settled, this one included", nullable=True),
    moment("settled_at", "The platform's moment at which the bet was settled", nullable=True),
    moment("timestamp", "When the row was written, by the database's clock", nullable=True, default_now=True),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    ForeignKeyConstraint(["forecast_id"], ["model_predictions.id"]),
    CheckConstraint("as_of < kickoff", name="taken_before_kickoff"),
    CheckConstraint("outcome IN ('H', 'D', 'A')", name="outcome_is_known"),
    CheckConstraint("prices IN ('best', 'consensus')", name="prices_are_known"),
    CheckConstraint("odds > 1", name="odds_return_the_stake"),
    CheckConstraint("edge > 0", name="value_is_claimed"),
    CheckConstraint("abs(edge - (probability * odds - 1)) < 1e-9", name="edge_is_that_of_the_odds"),
    CheckConstraint("probability BETWEEN 0 AND 1", name="probability_is_one"),
    CheckConstraint("stake > 0", name="something_is_staked"),
    CheckConstraint("starting_bankroll > 0 AND starting_bankroll <> 'NaN'", name="began_with_something"),
    CheckConstraint("settlement IN ('won', 'lost', 'void')", name="settlement_is_known"),
    CheckConstraint("num_nulls(settlement, profit, bankroll_after, settled_at) IN (0, 4)", name="settled_or_open"),
    CheckConstraint("bankroll_after >= 0", name="never_in_debt"),
    CheckConstraint("settled_at >= as_of", name="settled_after_taken"),
    Index(
        "bets_one_a_match_idx",
        *(*KEY, "model_name", "replay"),
        unique=True,
        postgresql_where="settlement IS DISTINCT FROM 'void'",
    ),
    Index("bets_as_of_idx", "as_of"),
)

betting_scores = Table(
    "betting_scores",
    metadata,
    moment("as_of", "The moment that the score speaks of", primary_key=True),
    Column("replay", Boolean, primary_key=True, comment="True: as_of is a moment of the past, lived again"),
    Column("slice", String(50), primary_key=True, comment="Which bets: all, home wins, odds 2 to 3, ..."),
    Column("metric", String(50), primary_key=True, comment="Name of the metric: profit, yield, clv, ..."),
    Column("value", Float, nullable=False, comment="Its value"),
    Column("n", Integer, nullable=False, comment="Bets it is computed from"),
    Column("low", Float, comment="Lower end of the 95 % interval; null where there is none"),
    Column("high", Float, comment="Upper end of the 95 % interval; null where there is none"),
    code_version(),
    run_id(),
    moment("timestamp", "When the row was written", default_now=True),
    Index(
        "betting_scores_over_time_idx",
        *("metric", "replay", "as_of"),
        postgresql_include=["value", "low", "high"],
        postgresql_where="slice = 'all'",
    ),
)

market_edges = Table(
    "market_edges",
    metadata,
    *match_key(primary_key=True),
    Column("outcome", String(1), primary_key=True, comment="H, D or A"),
    moment("kickoff", "Kick-off as it was known when the forecast was made"),
    Column("probability", Float, nullable=False, comment="The forecast's probability of the outcome"),
    Column("market_probability", Float, comment="The consensus without its margin; null without odds"),
    Column("odds", Float, comment="Price of the outcome, decimal odds; null where there is none"),
    Column("prices", String(10), nullable=False, comment="Whose price: best of all bookmakers, or their consensus"),
    Column("edge", Float, comment="Claimed value of a staked unit: probability * odds - 1; null without odds"),
    Column("verdict", Text, nullable=False, comment="value: worth a bet; else why not, in words"),
    moment("as_of", "The moment that all rows of the table speak of"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    model_version(),
    code_version(),
    run_id(),
    moment("timestamp", "When the row was written", default_now=True),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    CheckConstraint("outcome IN ('H', 'D', 'A')", name="outcome_is_known"),
    CheckConstraint("prices IN ('best', 'consensus')", name="prices_are_known"),
)
