"""The tables' history. `upgrade` brings a database to the newest revision; two at once end as one."""

from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.schema import SetColumnComment

from pl_predictor import tables

_LOCK = 7_316_402  # any number that no other user of this database's advisory locks takes


def upgrade(engine: Engine) -> bool:
    """Apply every migration that the database lacks; True if there was one. All or nothing."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        changed = MigrationContext.configure(connection).get_current_revision() != before
        if changed:
            _comment(connection)
    return changed


def _comment(connection: Connection) -> None:
    """Let the database say what the columns mean, as `tables` does: no revision has to repeat it."""
    for table in tables.metadata.sorted_tables:
        for column in table.columns:
            connection.execute(SetColumnComment(column))
