"""Features, forecasts and what they are judged by: metrics, drift, and seasons forecast in retrospect.

`model_predictions` is append-only: the triggers that guard it are in the migration that creates it. Not here: who
serves (decisions), what is bet on a forecast (betting).
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from pl_predictor.core.matches import KEY, MATCH_COLUMNS
from pl_predictor.tables.columns import (
    code_version,
    described,
    match_key,
    metadata,
    model_name,
    model_version,
    moment,
    probabilities,
    run_id,
)

match_features = Table(
    "match_features",
    metadata,
    *match_key(primary_key=True),
    described("kickoff", DateTime(timezone=True), nullable=False),
    described("home_goals", SmallInteger),
    described("away_goals", SmallInteger),
    described("result", String(1)),
    Column("features", JSONB, nullable=False, comment="Name to value, from before kick-off only"),
    *probabilities("market", "De-vigged consensus pre-match probability of {}", nullable=True),
    moment("as_of", "Built from what was known at this moment"),
    code_version(),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
)

model_metrics = Table(
    "model_metrics",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row"),
    Column("metric_type", String(50), nullable=False, comment="Name of the metric: accuracy, rps, drift_share, ..."),
    Column("value", Float, nullable=False, comment="Its value"),
    model_name(nullable=True),
    moment("timestamp", "When the row was written", nullable=True, default_now=True),
    Column("metadata", JSONB, comment="n, low and high of the 95 % interval, window, and whatever explains the value"),
    moment("as_of", "The moment that the value speaks of"),
    model_version(),
    Index(
        "model_metrics_one_a_moment_idx",
        *("metric_type", "model_name", "model_version", "as_of"),
        unique=True,
        postgresql_include=["value", "id"],
    ),
    Index("model_metrics_as_of_idx", "as_of"),
)

model_predictions = Table(
    "model_predictions",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row"),
    *match_key(primary_key=False),
    moment("kickoff", "Kick-off as it was known when the forecast was made"),
    Column("prediction", String(10), nullable=False, comment="H, D or A, by the model's decision rule"),
    Column("confidence", Float, nullable=False, comment="The probability of prediction"),
    Column("probabilities", JSONB, nullable=False, comment='{"H": ..., "D": ..., "A": ...}, their sum is 1'),
    *(described(name, Float) for name in ("home_odds", "away_odds", "draw_odds")),
    described("odds_source", String(10)),
    Column("information", String(10), nullable=False, comment="odds or no_odds: what the forecast used"),
    Column("actual_result", String(10), comment="Filled by settling, from the match key"),
    moment("as_of", "When the forecast was made: before kick-off, or the database refuses it"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    model_name(nullable=False),
    model_version(),
    code_version(),
    Column("dagster_run_id", String(36), comment="The run that made the forecast"),
    moment("timestamp", "When the row was written, by the database's clock", nullable=True, default_now=True),
    UniqueConstraint(
        *(*KEY, "model_name", "model_version", "code_version", "as_of"), name="model_predictions_one_per_moment_key"
    ),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    CheckConstraint("as_of < kickoff", name="made_before_kickoff"),
    CheckConstraint("prediction IN ('H', 'D', 'A')", name="prediction_is_an_outcome"),
    CheckConstraint("actual_result IN ('H', 'D', 'A')", name="actual_result_is_an_outcome"),
    CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence_is_a_probability"),
    CheckConstraint("information IN ('odds', 'no_odds')", name="information_is_known"),
    Index("model_predictions_as_of_idx", "as_of"),
    Index("model_predictions_kickoff_idx", "kickoff"),
    Index(
        "model_predictions_official_idx",
        *("model_version", "replay", *KEY, text("as_of DESC"), "id"),
        postgresql_include=["timestamp"],
    ),
)

drift_scores = Table(
    "drift_scores",
    metadata,
    model_name(nullable=False, primary_key=True),
    model_version(primary_key=True),
    moment("as_of", "The moment that the comparison speaks of", primary_key=True),
    Column("column_name", String(63), primary_key=True, comment="The feature, probability or result compared"),
    Column("score", Float, nullable=False, comment="The test's p-value"),
    Column(
        "effect_size", Float, comment="Shift of the mean in the reference's standard deviations; null for categories"
    ),
    Column("method", String(100), nullable=False, comment="The test: ks (Kolmogorov-Smirnov) or chisquare"),
    Column("threshold", Float, nullable=False, comment="The column drifted if score is below this"),
    Column("drifted", Boolean, nullable=False, comment="The verdict"),
    Column("reference_n", Integer, nullable=False, comment="Matches of the champion's training window with a value"),
    Column("current_n", Integer, nullable=False, comment="Matches of the recent window with a value"),
    moment("timestamp", "When the row was written", default_now=True),
)

backtest_forecasts = Table(
    "backtest_forecasts",
    metadata,
    *match_key(primary_key=True),
    described("kickoff", DateTime(timezone=True), nullable=False),
    moment("made_at", "When all that the forecast rests on was known: no later result or price had a part in it"),
    *probabilities("p", "Forecast probability of {}", nullable=False),
    Column("prediction", String(1), nullable=False, comment="H, D or A, by the model's decision rule"),
    Column("information", String(10), nullable=False, comment="odds or no_odds: what the forecast used"),
    Column("result", String(1), nullable=False, comment="H, D or A: what happened"),
    *probabilities("market", "De-vigged consensus pre-match probability of {}", nullable=True),
    *probabilities("closing", "De-vigged closing probability of {}: a yardstick, never an input", nullable=True),
    Column("model", String(255), nullable=False, comment="What forecast: the model's name and the code that fitted it"),
    code_version(),
    run_id(),
    moment("timestamp", "When the row was written", default_now=True),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    CheckConstraint("made_at <= kickoff", name="made_before_kickoff"),
    CheckConstraint("prediction IN ('H', 'D', 'A')", name="prediction_is_an_outcome"),
    CheckConstraint("result IN ('H', 'D', 'A')", name="result_is_an_outcome"),
    CheckConstraint("information IN ('odds', 'no_odds')", name="information_is_known"),
    CheckConstraint("abs(p_home + p_draw + p_away - 1) < 1e-6", name="probabilities_sum_to_one"),
    Index("backtest_forecasts_kickoff_idx", "kickoff"),
)

backtest_scores = Table(
    "backtest_scores",
    metadata,
    Column("season", SmallInteger, primary_key=True, comment=MATCH_COLUMNS["season"].description),
    Column("slice", String(50), primary_key=True, comment="Which matches: all, with a promoted team, ..."),
    Column("metric", String(50), primary_key=True, comment="Name of the metric: rps, rps_market, rps_close, ..."),
    Column("value", Float, nullable=False, comment="Its value"),
    Column("n", Integer, nullable=False, comment="Matches it is computed from"),
    Column("low", Float, comment="Lower end of the 95 % interval; null where there is none"),
    Column("high", Float, comment="Upper end of the 95 % interval; null where there is none"),
    code_version(),
    run_id(),
    moment("timestamp", "When the row was written", default_now=True),
)
