"""Create the table of alerts: one open row a cause, one row an event."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE alerts (
    id serial NOT NULL,
    key text NOT NULL,
    level varchar(10) NOT NULL,
    title text NOT NULL,
    message text NOT NULL,
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    sent_at timestamptz,
    resolution_sent_at timestamptz,
    reached jsonb NOT NULL DEFAULT '[]',
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    dagster_run_id varchar(36),
    CONSTRAINT alerts_pkey PRIMARY KEY (id),
    CONSTRAINT alerts_level_is_known CHECK (level IN ('info', 'warning', 'error', 'critical')),
    CONSTRAINT alerts_events_do_not_last CHECK (level <> 'info' OR resolved_at IS NOT NULL)
);
CREATE UNIQUE INDEX alerts_open_key_idx ON alerts (key) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX alerts_event_key_idx ON alerts (key) WHERE level = 'info';
CREATE INDEX alerts_opened_at_idx ON alerts (opened_at);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLES)


def downgrade() -> None:
    """Undo: what is open is found again, what was sent may be sent again."""
    op.execute("DROP TABLE alerts")
