"""The platform's tables, as SQLAlchemy Core. The rows are the contract: Grafana and analysts read these same tables.

The tables are created and changed by `migrations` only; a test holds the two together. Triggers that guard the
forecasts are in the migration that creates `model_predictions`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from pl_predictor.core.matches import (
    CLOSING_ODDS,
    KEY,
    MATCH_COLUMNS,
    MAX_ODDS,
    ODDS_COLUMNS,
    PRE_MATCH_ODDS,
    STATISTICS,
)
from pl_predictor.settings import MODEL_NAME

metadata = MetaData(
    naming_convention={
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(referred_table_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _moment(
    name: str, comment: str, *, nullable: bool = False, primary_key: bool = False, default_now: bool = False
) -> "Column[datetime]":
    return Column(
        name,
        DateTime(timezone=True),
        primary_key=primary_key,
        nullable=nullable,
        server_default=func.now() if default_now else None,
        comment=comment,
    )


def _model_name(**more: Any) -> "Column[str]":
    return Column(
        "model_name", String(255), server_default=MODEL_NAME, comment="The registered model in MLflow", **more
    )


def _model_version(**more: Any) -> "Column[str]":
    return Column("model_version", String(50), nullable=False, comment="Its version in MLflow", **more)


def _code_version() -> "Column[str]":
    return Column("code_version", String(40), nullable=False, comment="Digest of the code that computed the row")


def _described(name: str, kind: Any, **more: Any) -> "Column[Any]":
    """A column of `matches`, which means what the match frame's column of that name does."""
    return Column(name, kind, comment=MATCH_COLUMNS[name].description, **more)


def _match_key(primary_key: bool) -> list["Column[Any]"]:
    kinds = (SmallInteger, String(255), String(255))
    return [
        _described(name, kind, primary_key=primary_key, nullable=False) for name, kind in zip(KEY, kinds, strict=True)
    ]


def _run_id() -> "Column[str]":
    return Column("dagster_run_id", String(36), comment="The run that wrote the row")


def _probabilities(of: str, comment: str, *, nullable: bool) -> list["Column[Any]"]:
    """Three columns, `of`_home, `of`_draw, `of`_away; {} in the comment stands for the outcome."""
    outcomes = {"home": "a home win", "draw": "a draw", "away": "an away win"}
    return [
        Column(f"{of}_{name}", Float, nullable=nullable, comment=comment.format(outcome))
        for name, outcome in outcomes.items()
    ]


def _of_a_match() -> list["Column[Any]"]:
    """The columns of a match frame that are not its key, and who said so."""
    return [
        _described("kickoff", DateTime(timezone=True), nullable=False),
        _described("kickoff_time_known", Boolean, nullable=False),
        *(_described(name, SmallInteger) for name in ("home_goals", "away_goals")),
        _described("result", String(1)),
        *(_described(name, SmallInteger) for name in STATISTICS),
        *(_described(name, Float) for name in PRE_MATCH_ODDS),
        _described("odds_source", String(10)),
        *(_described(name, Float) for name in (*MAX_ODDS, *CLOSING_ODDS)),
        _described("closing_source", String(10)),
        Column("source", String(50), nullable=False, comment="Which source said so last"),
    ]


def _division() -> "Column[str]":
    return Column(
        "division", String(2), nullable=False, server_default="E0", comment="E0: Premier League, E1: the division below"
    )


matches = Table(
    "matches",
    metadata,
    *_match_key(primary_key=True),
    *_of_a_match(),
    _division(),
    _moment("first_seen_at", "When the row was first written", default_now=True),
    _moment("updated_at", "The last time a value of the row changed", default_now=True),
    CheckConstraint("home_team <> away_team", name="teams_differ"),
    CheckConstraint("result IN ('H', 'D', 'A')", name="result_is_an_outcome"),
    Index("matches_kickoff_idx", "kickoff"),
)

match_revisions = Table(
    "match_revisions",
    metadata,
    *_match_key(primary_key=True),
    _moment("seen_at", "When the row of `matches` came to say this; a trigger writes it", primary_key=True),
    *_of_a_match(),
    _division(),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    Index("match_revisions_seen_at_idx", "seen_at"),
)

match_odds = Table(
    "match_odds",
    metadata,
    *_match_key(primary_key=True),
    Column("bookmaker", String(10), primary_key=True, comment=ODDS_COLUMNS["bookmaker"].description),
    Column("moment", String(10), primary_key=True, comment=ODDS_COLUMNS["moment"].description),
    _moment(
        "seen_at",
        "When these prices were first seen; the newest row is what is latest",
        primary_key=True,
        default_now=True,
    ),
    *(Column(name, Float, nullable=False, comment=ODDS_COLUMNS[name].description) for name in PRE_MATCH_ODDS),
    CheckConstraint("moment IN ('pre_match', 'closing')", name="moment_is_known"),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
)

downloads = Table(
    "downloads",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row, in the order of arrival"),
    Column("path", String(200), nullable=False, comment="The file's path on the site"),
    Column("url", String(1000), nullable=False, comment="The address that answered"),
    Column("sha256", String(64), nullable=False, comment="Digest of the content"),
    Column("content", LargeBinary, nullable=False, comment="The bytes as they came"),
    Column("headers", JSONB, nullable=False, comment="What the server said of them"),
    _moment("fetched_at", "When they came", default_now=True),
    Index("downloads_path_idx", "path", "id"),
)

feed_files = Table(
    "feed_files",
    metadata,
    Column("path", String(200), primary_key=True, comment="The file's path on the site, or in the snapshot"),
    Column("season", SmallInteger, nullable=False, comment=MATCH_COLUMNS["season"].description),
    _division(),
    Column("source", String(50), nullable=False, comment="Which source the file is of"),
    Column("state", String(11), nullable=False, comment="accepted, refused, unreachable, or absent"),
    Column("rows", Integer, comment="Matches in the file that was accepted last"),
    Column("discarded", JSONB, comment="Its cells that held no possible value, by kind"),
    Column("unknown_columns", JSONB, comment="Its columns that nobody has explained yet"),
    Column("claim", String(50), comment="What a refused file breaks: the name of the asset check"),
    Column("problem", Text, comment="The file, the line, the value, and what to do"),
    Column("accepted_sha256", String(64), comment="Digest of the content that the tables have"),
    Column("accepted_by", String(40), comment="Digest of the code that read it"),
    _moment("since", "When the row came to say this", default_now=True),
    CheckConstraint("state IN ('accepted', 'refused', 'unreachable', 'absent')", name="state_is_known"),
)

fixture_lists = Table(
    "fixture_lists",
    metadata,
    _moment("as_of", "The moment that the state speaks of", primary_key=True),
    Column("state", String(20), nullable=False, comment="ok, no_round_published, feed_stale or feed_broken"),
    Column("reason", Text, nullable=False, comment="Why, in a sentence"),
    Column("fixtures", Integer, nullable=False, comment="Premier League matches to come that are known"),
    _moment("timestamp", "When the row was written", default_now=True),
    CheckConstraint("state IN ('ok', 'no_round_published', 'feed_stale', 'feed_broken')", name="state_is_known"),
)

match_features = Table(
    "match_features",
    metadata,
    *_match_key(primary_key=True),
    _described("kickoff", DateTime(timezone=True), nullable=False),
    _described("home_goals", SmallInteger),
    _described("away_goals", SmallInteger),
    _described("result", String(1)),
    Column("features", JSONB, nullable=False, comment="Name to value, from before kick-off only"),
    *_probabilities("market", "De-vigged consensus pre-match probability of {}", nullable=True),
    _moment("as_of", "Built from what was known at this moment"),
    _code_version(),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
)

model_metrics = Table(
    "model_metrics",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row"),
    Column("metric_type", String(50), nullable=False, comment="Name of the metric: accuracy, rps, drift_share, ..."),
    Column("value", Float, nullable=False, comment="Its value"),
    _model_name(nullable=True),
    _moment("timestamp", "When the row was written", nullable=True, default_now=True),
    Column("metadata", JSONB, comment="n, low and high of the 95 % interval, window, and whatever explains the value"),
    _moment("as_of", "The moment that the value speaks of"),
    _model_version(),
    UniqueConstraint("metric_type", "model_name", "model_version", "as_of"),
    Index("model_metrics_as_of_idx", "as_of"),
)

model_predictions = Table(
    "model_predictions",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row"),
    *_match_key(primary_key=False),
    _moment("kickoff", "Kick-off as it was known when the forecast was made"),
    Column("prediction", String(10), nullable=False, comment="H, D or A, by the model's decision rule"),
    Column("confidence", Float, nullable=False, comment="The probability of prediction"),
    Column("probabilities", JSONB, nullable=False, comment='{"H": ..., "D": ..., "A": ...}, their sum is 1'),
    *(_described(name, Float) for name in ("home_odds", "away_odds", "draw_odds")),
    _described("odds_source", String(10)),
    Column("information", String(10), nullable=False, comment="odds or no_odds: what the forecast used"),
    Column("actual_result", String(10), comment="Filled by settling, from the match key"),
    _moment("as_of", "When the forecast was made: before kick-off, or the database refuses it"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    _model_name(nullable=False),
    _model_version(),
    _code_version(),
    Column("dagster_run_id", String(36), comment="The run that made the forecast"),
    _moment("timestamp", "When the row was written, by the database's clock", nullable=True, default_now=True),
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
)

drift_scores = Table(
    "drift_scores",
    metadata,
    _model_name(nullable=False, primary_key=True),
    _model_version(primary_key=True),
    _moment("as_of", "The moment that the comparison speaks of", primary_key=True),
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
    _moment("timestamp", "When the row was written", default_now=True),
)

backtest_forecasts = Table(
    "backtest_forecasts",
    metadata,
    *_match_key(primary_key=True),
    _described("kickoff", DateTime(timezone=True), nullable=False),
    _moment("made_at", "When all that the forecast rests on was known: no later result or price had a part in it"),
    *_probabilities("p", "Forecast probability of {}", nullable=False),
    Column("prediction", String(1), nullable=False, comment="H, D or A, by the model's decision rule"),
    Column("information", String(10), nullable=False, comment="odds or no_odds: what the forecast used"),
    Column("result", String(1), nullable=False, comment="H, D or A: what happened"),
    *_probabilities("market", "De-vigged consensus pre-match probability of {}", nullable=True),
    *_probabilities("closing", "De-vigged closing probability of {}: a yardstick, never an input", nullable=True),
    Column("model", String(255), nullable=False, comment="What forecast: the model's name and the code that fitted it"),
    _code_version(),
    _run_id(),
    _moment("timestamp", "When the row was written", default_now=True),
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
    _code_version(),
    _run_id(),
    _moment("timestamp", "When the row was written", default_now=True),
)


def _delta(window: str, of: str) -> list["Column[Any]"]:
    """Four columns: a paired difference of log losses on a window, its interval and its matches."""
    says = f"Champion's log loss minus challenger's on {of}, nats a match: over 0 the challenger is better"
    return [
        Column(f"{window}_delta", Float, comment=says),
        Column(f"{window}_low", Float, comment="Lower end of its 95 % interval; null where there is none"),
        Column(f"{window}_high", Float, comment="Upper end of its 95 % interval; null where there is none"),
        Column(f"{window}_n", Integer, comment="Matches that both forecast there"),
    ]


retraining_events = Table(
    "retraining_events",
    metadata,
    Column("id", Integer, primary_key=True, comment="Order of writing"),
    Column("event", String(20), nullable=False, comment="promoted, refused, or rolled_back"),
    Column("cause", String(20), nullable=False, comment="Why it was trained: a cause of core/retraining.py"),
    Column("reason", Text, nullable=False, comment="In words: the verdicts that failed, or what a person gave"),
    Column("evidence", JSONB, nullable=False, comment="The failed checks: check, words, as_of, run_id"),
    Column("rule", String(20), comment="By which rule of core/promotion.py; null for a rollback"),
    Column("verdict", Text, nullable=False, comment="The decision in words"),
    _model_name(nullable=False),
    Column("champion_version", String(50), comment="Who served before; null where nobody did"),
    Column("challenger_version", String(50), nullable=False, comment="Who was to serve instead"),
    _moment("last_match", "Kick-off of the last match that the challenger was trained on", nullable=True),
    *_delta("walk_forward", "past seasons"),
    *_delta("live", "the matches since the champion serves"),
    *_delta("live_expected", "these, expected were the market right"),
    _moment("as_of", "The moment of the decision"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    _code_version(),
    _run_id(),
    _moment("timestamp", "When the row was written", default_now=True),
    CheckConstraint("event IN ('promoted', 'refused', 'rolled_back')", name="event_is_known"),
    Index(
        "retraining_events_one_decision_a_version_idx",
        *("model_name", "challenger_version"),
        unique=True,
        postgresql_where="event IN ('promoted', 'refused')",
    ),
    Index("retraining_events_as_of_idx", "as_of"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row"),
    Column("key", Text, nullable=False, comment="What makes it the same alert tomorrow: run_failed:loop, source, ..."),
    Column("level", String(10), nullable=False, comment="info (an event), warning, error or critical"),
    Column("title", Text, nullable=False, comment="What is the matter, in a line"),
    Column("message", Text, nullable=False, comment="Why, in sentences"),
    _moment("as_of", "The platform's moment that it speaks of"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    _moment("opened_at", "When its cause was first seen", default_now=True),
    _moment("last_seen_at", "When its cause was last seen", default_now=True),
    _moment("resolved_at", "When its cause was gone; of an event when it happened", nullable=True),
    _moment("sent_at", "When every channel had the message that it is there", nullable=True),
    _moment("resolution_sent_at", "When every channel had the message that it is gone", nullable=True),
    Column("reached", JSONB, nullable=False, server_default="[]", comment="Channels that have the message that waits"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="How often that message was tried"),
    Column("last_error", Text, comment="Why it could not be sent last"),
    Column("dagster_run_id", String(36), comment="The run that it is about"),
    CheckConstraint("level IN ('info', 'warning', 'error', 'critical')", name="level_is_known"),
    CheckConstraint("level <> 'info' OR resolved_at IS NOT NULL", name="events_do_not_last"),
    Index("alerts_open_key_idx", "key", unique=True, postgresql_where="resolved_at IS NULL"),
    Index("alerts_event_key_idx", "key", unique=True, postgresql_where="level = 'info'"),
    Index("alerts_opened_at_idx", "opened_at"),
)
