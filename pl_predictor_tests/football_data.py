"""Real files of football-data.co.uk for tests, where a machine has them: they may not be passed on, so none is here."""

import os
from pathlib import Path


def mirror() -> Path | None:
    """The folder that holds `mmz4281/<yyzz>/E0.csv`, or None.

    It is `shared/football-data` in a folder above the project, or what PL_TEST_FOOTBALL_DATA names. Raises
    FileNotFoundError where that variable names no such folder: a wrong setting must not look like an absent mirror.
    """
    named = os.environ.get("PL_TEST_FOOTBALL_DATA")
    if named:
        if not (Path(named) / "mmz4281").is_dir():
            raise FileNotFoundError(f"PL_TEST_FOOTBALL_DATA is {named}, which has no folder mmz4281")
        return Path(named)
    project = Path(__file__).resolve().parent.parent
    found = (folder / "shared" / "football-data" for folder in project.parents)
    return next((folder for folder in found if (folder / "mmz4281").is_dir()), None)
