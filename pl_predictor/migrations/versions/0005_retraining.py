"""Create the table of the decisions about who serves: every training's verdict, and every rollback."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLE = """
CREATE TABLE retraining_events (
    id serial CONSTRAINT retraining_events_pkey PRIMARY KEY,
    event varchar(20) NOT NULL,
    cause varchar(20) NOT NULL,
    reason text NOT NULL,
    evidence jsonb NOT NULL,
    rule varchar(20),
    verdict text NOT NULL,
    model_name varchar(255) NOT NULL DEFAULT 'premier_league_predictor',
    champion_version varchar(50),
    challenger_version varchar(50) NOT NULL,
    last_match timestamptz,
    walk_forward_delta double precision,
    walk_forward_low double precision,
    walk_forward_high double precision,
    walk_forward_n integer,
    live_delta double precision,
    live_low double precision,
    live_high double precision,
    live_n integer,
    live_expected_delta double precision,
    live_expected_low double precision,
    live_expected_high double precision,
    live_expected_n integer,
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT retraining_events_event_is_known CHECK (event IN ('promoted', 'refused', 'rolled_back'))
);
CREATE UNIQUE INDEX retraining_events_one_decision_a_version_idx ON retraining_events (model_name, challenger_version)
    WHERE event IN ('promoted', 'refused');
CREATE INDEX retraining_events_as_of_idx ON retraining_events (as_of);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLE)


def downgrade() -> None:
    """Undo: drops every decision, so a person has to do it by hand."""
    raise NotImplementedError("drop the table by hand: this would delete the record of who served, and why")
