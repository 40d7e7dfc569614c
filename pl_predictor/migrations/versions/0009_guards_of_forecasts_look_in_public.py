"""Let the guards of `model_predictions` look in the schema public only, as those of `bets` do.

A session's own temporary table `matches` comes before it otherwise, and says of a match whatever the session wants.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

GUARDS = ("model_predictions_seal", "model_predictions_settle_only")


def upgrade() -> None:
    """Apply."""
    for guard in GUARDS:
        op.execute(f"ALTER FUNCTION {guard}() SET search_path = public, pg_temp")


def downgrade() -> None:
    """Undo."""
    for guard in GUARDS:
        op.execute(f"ALTER FUNCTION {guard}() RESET search_path")
