"""What is committed is what the code makes, and Grafana's own types know every key of it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pl_predictor_tests.grafana.grafana import FOLDER, boards

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="the SDK of Grafana needs Python 3.11")


def test_the_committed_files_are_what_make_dashboards_writes() -> None:
    from grafana.board import Addresses
    from grafana.generate import files

    wanted = files(Addresses())
    there = {path.relative_to(FOLDER) for path in (FOLDER / "dashboards").iterdir()}
    assert there == {path for path in wanted if path.parts[0] == "dashboards"}
    for path, content in wanted.items():
        assert (FOLDER / path).read_text() == content, f"{path} differs: run make dashboards"


def test_a_dashboard_that_is_no_more_is_deleted_and_nothing_half_written_stays(tmp_path: Path) -> None:
    from grafana.board import Addresses
    from grafana.generate import files, write

    for folder in {path.parent for path in files(Addresses())}:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dashboards" / "old.json").write_text("{}")
    write(tmp_path, Addresses(dagster="https://dagster.example"))
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == set(files(Addresses()))
    board = json.loads((tmp_path / "dashboards" / "mlops-overview.json").read_text())
    (url,) = (each["query"] for each in board["templating"]["list"] if each["name"] == "dagster_url")
    assert url == "https://dagster.example"


@pytest.mark.parametrize("board", boards(), ids=lambda board: str(board["uid"]))
def test_a_dashboard_has_no_key_that_grafana_does_not_know(board: dict[str, Any]) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    for each in (*again["links"], *again["annotations"]["list"]):
        del each["placement"]  # what is not there is shown above the panels; the SDK adds that it is in a menu
    assert again == board
