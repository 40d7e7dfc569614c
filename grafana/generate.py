"""`python -m grafana.generate` (`make dashboards`): writes every file that Grafana reads and that code makes.

Each is there whole, or as it was: all are written beside their places before the first is put there. What is no
dashboard any more is deleted.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import alert_file, betting, drift, overview, performance, predictions, system
from grafana.alerts import RULES
from grafana.board import Addresses, Board
from grafana.queries import of_the_one_model
from grafana.shared import MODEL_CHOICE

FOLDER = Path(__file__).parent
BOARDS = (overview, performance, drift, predictions, betting, system)


def boards() -> list[Board]:
    """Every dashboard."""
    return [module.dashboard() for module in BOARDS]


def document(board: Board, addresses: Addresses) -> dict[str, Any]:
    """A dashboard as Grafana reads it: a bare object."""
    written = json.dumps(board.built(addresses), cls=JSONEncoder)
    if MODEL_CHOICE[0] not in {variable.build().name for variable in board.variables}:
        written = of_the_one_model(written)
    made: dict[str, Any] = json.loads(written)
    return made


def files(addresses: Addresses) -> dict[Path, str]:
    """Path below this folder to content."""
    documents = {board.uid: document(board, addresses) for board in boards()}
    shown = {
        Path("dashboards") / f"{uid}.json": json.dumps(made, indent=2, sort_keys=True) + "\n"
        for uid, made in documents.items()
    }
    return {**shown, alert_file.PATH: alert_file.written(RULES, documents)}


def write(folder: Path, addresses: Addresses) -> None:
    """Put the files of `files` into place: each of them whole, not all at one moment."""
    wanted = files(addresses)
    for path, content in wanted.items():
        (folder / path).with_suffix(".new").write_text(content)
    for path in wanted:
        (folder / path).with_suffix(".new").replace(folder / path)
    for path in (folder / "dashboards").glob("*.json"):
        if path.relative_to(folder) not in wanted:
            path.unlink()


def main() -> None:
    """Write the files of this folder."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generate", description=__doc__)
    parser.add_argument("--dagster-url", default=Addresses.dagster, help="where a browser finds Dagster")
    parser.add_argument("--mlflow-url", default=Addresses.mlflow, help="where a browser finds MLflow")
    given = parser.parse_args()
    write(FOLDER, Addresses(given.dagster_url, given.mlflow_url))


if __name__ == "__main__":
    main()
