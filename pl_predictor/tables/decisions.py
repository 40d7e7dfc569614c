"""What the platform decided about who serves, and what it had to tell somebody."""

from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Column, Float, Index, Integer, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from pl_predictor.tables.columns import code_version, metadata, model_name, moment, run_id


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
    model_name(nullable=False),
    Column("champion_version", String(50), comment="Who served before; null where nobody did"),
    Column("challenger_version", String(50), nullable=False, comment="Who was to serve instead"),
    moment("last_match", "Kick-off of the last match that the challenger was trained on", nullable=True),
    *_delta("walk_forward", "past seasons"),
    *_delta("live", "the matches since the champion serves"),
    *_delta("live_expected", "these, expected were the market right"),
    moment("as_of", "The moment of the decision"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    code_version(),
    run_id(),
    moment("timestamp", "When the row was written", default_now=True),
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
    moment("as_of", "The platform's moment that it speaks of"),
    Column("replay", Boolean, nullable=False, comment="True: as_of is a moment of the past, lived again"),
    moment("opened_at", "When its cause was first seen", default_now=True),
    moment("last_seen_at", "When its cause was last seen", default_now=True),
    moment("resolved_at", "When its cause was gone; of an event when it happened", nullable=True),
    moment("sent_at", "When every channel had the message that it is there", nullable=True),
    moment("resolution_sent_at", "When every channel had the message that it is gone", nullable=True),
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
