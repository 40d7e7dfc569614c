"""Create the tables of the seasons that were forecast in retrospect: their forecasts, and the scores by slice."""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE backtest_forecasts (
    season smallint NOT NULL,
    home_team varchar(255) NOT NULL,
    away_team varchar(255) NOT NULL,
    kickoff timestamptz NOT NULL,
    made_at timestamptz NOT NULL,
    p_home double precision NOT NULL,
    p_draw double precision NOT NULL,
    p_away double precision NOT NULL,
    prediction varchar(1) NOT NULL,
    information varchar(10) NOT NULL,
    result varchar(1) NOT NULL,
    market_home double precision,
    market_draw double precision,
    market_away double precision,
    closing_home double precision,
    closing_draw double precision,
    closing_away double precision,
    model varchar(255) NOT NULL,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT backtest_forecasts_pkey PRIMARY KEY (season, home_team, away_team),
    CONSTRAINT backtest_forecasts_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches,
    CONSTRAINT backtest_forecasts_made_before_kickoff CHECK (made_at <= kickoff),
    CONSTRAINT backtest_forecasts_prediction_is_an_outcome CHECK (prediction IN ('H', 'D', 'A')),
    CONSTRAINT backtest_forecasts_result_is_an_outcome CHECK (result IN ('H', 'D', 'A')),
    CONSTRAINT backtest_forecasts_information_is_known CHECK (information IN ('odds', 'no_odds')),
    CONSTRAINT backtest_forecasts_probabilities_sum_to_one CHECK (abs(p_home + p_draw + p_away - 1) < 1e-6)
);
CREATE INDEX backtest_forecasts_kickoff_idx ON backtest_forecasts (kickoff);

CREATE TABLE backtest_scores (
    season smallint NOT NULL,
    slice varchar(50) NOT NULL,
    metric varchar(50) NOT NULL,
    value double precision NOT NULL,
    n integer NOT NULL,
    low double precision,
    high double precision,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT backtest_scores_pkey PRIMARY KEY (season, slice, metric)
);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLES)


def downgrade() -> None:
    """Undo: what is lost can be computed again."""
    op.execute("DROP TABLE backtest_scores, backtest_forecasts")
