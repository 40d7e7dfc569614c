"""The PostgreSQL that holds the platform's tables, for assets and checks."""

from typing import Any

import dagster as dg
from pydantic import PrivateAttr
from sqlalchemy import URL, Engine

from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage


class Postgres(dg.ConfigurableResource[Any]):
    """Address of the server; storages on one pooled engine for as long as a run lives."""

    host: str
    port: int
    database: str
    user: str
    password: str
    _engine: Engine | None = PrivateAttr(default=None)

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

    @property
    def matches(self) -> MatchStorage:
        """Matches and features."""
        return MatchStorage(self.engine)

    @property
    def metrics(self) -> MetricsStorage:
        """Metrics, forecasts and drift."""
        return MetricsStorage(self.engine)
