"""Index what the dashboards ask: the last value of a metric in each interval of time, and the last forecast of a match.

The indexes hold what is asked for, too, since the rows are wide and far apart. That of `model_metrics` is the one that
keeps a metric to one value a moment, and takes the place of the constraint that did.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

INDEXES = """
CREATE UNIQUE INDEX model_metrics_one_a_moment_idx
    ON model_metrics (metric_type, model_name, model_version, as_of) INCLUDE (value, id);
ALTER TABLE model_metrics DROP CONSTRAINT model_metrics_metric_type_model_name_model_version_as_of_key;
CREATE INDEX betting_scores_over_time_idx
    ON betting_scores (metric, replay, as_of) INCLUDE (value, low, high) WHERE slice = 'all';
CREATE INDEX model_predictions_official_idx
    ON model_predictions (model_version, replay, season, home_team, away_team, as_of DESC, id) INCLUDE (timestamp);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(INDEXES)


def downgrade() -> None:
    """Undo."""
    op.execute(
        "ALTER TABLE model_metrics ADD CONSTRAINT model_metrics_metric_type_model_name_model_version_as_of_key "
        "UNIQUE (metric_type, model_name, model_version, as_of)"
    )
    op.execute(
        "DROP INDEX model_metrics_one_a_moment_idx, betting_scores_over_time_idx, model_predictions_official_idx"
    )
