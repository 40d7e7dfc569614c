"""The PostgreSQL that holds the platform's tables, for assets and checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr
from sqlalchemy import URL, Engine, text

from pl_predictor.code_version import code_version
from pl_predictor.settings import Settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.backtests import BacktestStorage
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor.storage.retraining import RetrainingStorage


class Postgres(dg.ConfigurableResource[Any]):
    """Address of the server; storages on one pooled engine for as long as a run lives."""

    host: str
    port: int
    database: str
    user: str
    password: str = Field(repr=False)
    _engine: Engine | None = PrivateAttr(default=None)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Postgres":
        """The server of these settings, for use outside a run."""
        return cls(
            host=str(settings.postgres_host),
            port=settings.postgres_port,
            database=settings.postgres_db,
            user=settings.postgres_user,
            password=settings.postgres_password.get_secret_value(),
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Open the engine; no connection is made before the first query."""
        self._engine = open_engine(
            URL.create("postgresql+psycopg2", self.user, self.password, self.host, self.port, self.database)
        )

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close the connections."""
        self.engine.dispose()

    @property
    def engine(self) -> Engine:
        """The engine of this run."""
        if self._engine is None:
            raise RuntimeError("the Postgres resource is used outside a run")
        return self._engine

    @contextmanager
    def one_at_a_time(self, task: str) -> Iterator[None]:
        """Wait until nobody else on this database is inside a block for the same task; a killed process lets go."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtext(:task))"), {"task": task})
            try:
                yield
            finally:
                connection.invalidate()  # closes the connection, and the lock with it

    @property
    def matches(self) -> MatchStorage:
        """Matches and features."""
        return MatchStorage(self.engine)

    @property
    def feed(self) -> FeedStorage:
        """Downloads, the state of each file, prices, lists of fixtures."""
        return FeedStorage(self.engine, code_version())

    @property
    def metrics(self) -> MetricsStorage:
        """Metrics, forecasts and drift."""
        return MetricsStorage(self.engine)

    @property
    def backtests(self) -> BacktestStorage:
        """Seasons forecast in retrospect, and their scores."""
        return BacktestStorage(self.engine)

    @property
    def bets(self) -> BetStorage:
        """Paper bets, how they did, and what the coming fixtures are worth."""
        return BetStorage(self.engine)

    @property
    def retraining(self) -> RetrainingStorage:
        """Decisions about who serves."""
        return RetrainingStorage(self.engine)

    @property
    def alerts(self) -> AlertStorage:
        """What is wrong, what happened, and what of it has been told."""
        return AlertStorage(self.engine)
