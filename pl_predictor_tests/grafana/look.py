"""`python -m pl_predictor_tests.grafana.look [BOARD ...] [--home FOLDER]`: what each panel would show, as text.

For whoever changes a board and has no Grafana at hand. With --home it looks at what a home has lived, with the
environment that it was lived in; without, it first lives the tests' weeks of 2023/24, which takes a minute. Each query
is printed with its title, unit, and the first rows of its answer for all that was lived.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pandas as pd

from pl_predictor.services.environment import at
from pl_predictor.services.postgres_as_root import discard_below
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import free_port, fresh_settings
from pl_predictor_tests.grafana.grafana import answer, boards, panels, questions
from pl_predictor_tests.grafana.season import EVERYTHING, live, readable

ROWS = 15


def main() -> None:
    """Print the boards, all or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m pl_predictor_tests.grafana.look", description=__doc__)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="uids of boards, as mlops-drift; all by default")
    parser.add_argument("--home", type=Path, help="a home that has lived something")
    given = parser.parse_args()
    units = {(board["uid"], panel["title"]): _unit(panel) for board in boards() for panel in panels(board)}
    with _at_home(given.home) if given.home else _lived() as settings:
        for question in questions():
            if given.boards and question.board not in given.boards:
                continue
            frame = answer(settings, question, EVERYTHING)
            unit = units.get((question.board, question.title), "")
            click.secho(f"\n{question.board}, {question.kind} ({unit}): {question.title}", bold=True)
            table = pd.DataFrame(frame.rows, columns=frame.names, dtype=object)
            click.echo(table.head(ROWS).to_string(index=False) if len(table) else "no row")
            click.echo(f"... {len(table)} rows" if len(table) > ROWS else "", nl=len(table) > ROWS)


def _unit(panel: dict[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"].get("unit", "none"))


@contextmanager
def _at_home(home: Path) -> Iterator[Settings]:
    settings = Settings(PL_HOME=home)
    with PostgresServer(settings.home, port=settings.embedded_postgres_port).lease() as address:
        yield readable(at(settings, address))


@contextmanager
def _lived() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="pl_predictor_look_") as folder:
        home = Path(folder) / "home"
        with PostgresServer(home, port=free_port()).lease() as address:
            yield live(fresh_settings(home, address))
        discard_below(Path(folder))


if __name__ == "__main__":
    main()
