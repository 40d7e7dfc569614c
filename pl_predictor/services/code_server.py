"""Dagster's code server, `dagster api grpc`, whose runs begin with the libraries in memory: to import them takes longer
than most of what a run does.

Dagster starts the process of a run with nothing ("spawn"), and has no setting for it. Here it is forked from a process
that has imported the libraries and does nothing else; the platform's own code is imported by each run. The one
attribute that is set, `DagsterApiServer._mp_ctx`, is not public: Dagster's version is pinned, and
pl_predictor_tests/integration/test_replay.py looks for the process.
"""

import multiprocessing
import sys
from multiprocessing.context import ForkServerContext
from typing import Any, Final

LIBRARIES: Final = [
    *("dagster", "dagster_postgres", "dagster_mlflow"),
    *("mlflow", "mlflow.sklearn", "mlflow.store.tracking.sqlalchemy_store"),
    *("sklearn.ensemble", "sklearn.linear_model", "skops.io", "scipy.stats", "evidently", "evidently.presets"),
    *("matplotlib.figure", "pydantic_settings", "tabulate"),
]
"""What a run of the loop imports that is not the platform's."""


def forks_with_libraries() -> ForkServerContext:
    """A multiprocessing context whose processes begin with LIBRARIES in memory."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    return context


def main() -> None:
    """`dagster api grpc` with the arguments of this process."""
    from dagster._cli import cli
    from dagster._grpc.server import DagsterApiServer

    usual = DagsterApiServer.__init__

    def with_libraries(self: DagsterApiServer, *arguments: Any, **named: Any) -> None:
        usual(self, *arguments, **named)
        self._mp_ctx = forks_with_libraries()  # type: ignore[assignment]

    DagsterApiServer.__init__ = with_libraries  # type: ignore[method-assign]
    cli(["api", "grpc", *sys.argv[1:]])


if __name__ == "__main__":
    main()
