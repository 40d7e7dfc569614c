"""What every command needs before it can work: a home, a PostgreSQL with the three databases, and the environment."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pydantic import SecretStr

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.postgres_server import PostgresAddress, PostgresServer
from pl_predictor.settings import Settings, get_settings
from pl_predictor.storage.connection import create_databases


@contextmanager
def ready(settings: Settings) -> Iterator[Settings]:
    """The settings with PostgreSQL up and the databases there, exported to this process and its children.

    Starts the embedded server where no other is configured; the last process to leave stops it.
    """
    make_home(settings)
    with ExitStack() as stack:
        if settings.embedded:
            server = PostgresServer(settings.home, port=settings.embedded_postgres_port)
            settings = at(settings, stack.enter_context(server.lease()))
        names = [settings.postgres_db, settings.dagster_db, settings.mlflow_db]
        create_databases(settings.database_url("postgres"), names)
        yield stack.enter_context(exported(settings))


def at(settings: Settings, address: PostgresAddress) -> Settings:
    """The settings with the embedded server's address as if it had been configured."""
    return settings.model_copy(
        update={
            "postgres_host": address.host,
            "postgres_port": address.port,
            "postgres_user": address.user,
            "postgres_password": SecretStr(address.password),
        }
    )


@contextmanager
def exported(settings: Settings) -> Iterator[Settings]:
    """The settings as environment variables, for `dagster.yaml`, the resources, and the processes started inside."""
    before = dict(os.environ)
    os.environ.update(settings.environment())
    get_settings.cache_clear()
    try:
        yield settings
    finally:
        os.environ.clear()
        os.environ.update(before)
        get_settings.cache_clear()


def make_home(settings: Settings) -> None:
    """Make the folders that the platform keeps its files in; PredictorError where that is not possible."""
    try:
        for folder in (settings.home, settings.home / "logs", settings.home / "dagster", settings.home / "mlflow"):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(f"no permission to write to {folder}")
    except OSError as error:
        raise PredictorError(
            f"the folder {settings.home} cannot be used ({error}): set PL_HOME to one you can write to"
        ) from error
