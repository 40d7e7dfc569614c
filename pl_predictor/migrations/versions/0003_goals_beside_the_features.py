"""Keep a match's goals beside its features: what models of goals learn to forecast."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; the features are built anew before anybody reads them, since their code changed, too."""
    op.execute("ALTER TABLE match_features ADD COLUMN home_goals smallint, ADD COLUMN away_goals smallint")


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE match_features DROP COLUMN home_goals, DROP COLUMN away_goals")
