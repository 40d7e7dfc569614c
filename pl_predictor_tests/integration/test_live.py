"""The loop on a live source: today's fixtures sealed before kick-off, and a broken file that stops what follows."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from pl_predictor.settings import Settings
from pl_predictor.sources.layout import season_folder
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.integration.platform import run, run_json, using
from pl_predictor_tests.sources.made_up import FIXTURES_HEADER, content, fixture_row, rounds, season_lines


def write(folder: Path, season: int, lines: list[str]) -> Path:
    file = folder / "mmz4281" / season_folder(season) / "E0.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content(lines))
    return file


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """The running season's file in a folder laid out as the site, on the day before a round."""
    tomorrow = date.today() + timedelta(days=1)  # noqa: DTZ011 - the source is live
    season = tomorrow.year - (tomorrow.month < 8)
    for over in (season - 2, season - 1):
        write(tmp_path, over, season_lines(over))
    played = min(20, sum(day < date.today() for day, _ in rounds("E0", season)))  # noqa: DTZ011
    _, pairs = list(rounds("E0", season))[played]
    listed = [FIXTURES_HEADER, *(fixture_row("E0", tomorrow, home, away) for home, away in pairs)]
    (tmp_path / "fixtures.csv").write_bytes(content(listed))
    return write(tmp_path, season, season_lines(season, played=played))


def sealed(settings: Settings) -> list[tuple[bool, int]]:
    """Whether forecasts are replayed, and how many there are."""
    engine = open_engine(settings.database_url(settings.postgres_db))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT replay, count(*) FROM model_predictions GROUP BY 1")).all()
    engine.dispose()
    return [(bool(row[0]), int(row[1])) for row in rows]


def test_the_loop_follows_a_live_source_and_stops_at_a_file_that_breaks_the_contract(
    environment: Settings, running: Path
) -> None:
    folder = running.parents[2]
    env = {**using(environment), "PL_SOURCE": "football-data", "PL_FOOTBALL_DATA_URL": str(folder)}
    forecasts = run_json("run", env=env)["forecasts"]
    assert len(forecasts) == 10
    assert {forecast["information"] for forecast in forecasts} == {"odds"}
    assert sealed(environment) == [(False, 10)]

    lines = running.read_bytes().replace(b",15:00,", b",3 pm,", 1)
    running.write_bytes(lines + content(["E0,nobody"]))
    refused = run("run", env=env)
    assert refused.returncode == 1
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("pl-predictor: matches: ")
    assert f"{running}, line" in last
    assert sealed(environment) == [(False, 10)]

    assert len(run_json("run", env=using(environment))["forecasts"]) == 10, "the snapshot is no worse for it"
    assert sorted(sealed(environment)) == [(False, 10), (True, 10)]
