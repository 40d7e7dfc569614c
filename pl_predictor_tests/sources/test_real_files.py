"""All real files of football-data.co.uk that a machine has: they parse in full and add up to the tables of history."""

import re
from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import check_full_season, season_name
from pl_predictor.core.teams import TEAMS
from pl_predictor.intake import Intake
from pl_predictor.sources.football_data import FootballData
from pl_predictor.sources.layout import Parsed, parse, season_folder, season_of_folder
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor_tests.football_data import mirror


@pytest.fixture(scope="module")
def files() -> dict[tuple[int, str], Parsed]:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    files = sorted(folder.glob("mmz4281/*/E?.csv"))
    return {
        (season := season_of_folder(file.parent.name), file.stem): parse(
            file.read_bytes(), file=str(file), season=season, division=file.stem, complete=True
        )
        for file in files
    }


Frames = dict[tuple[int, str], pd.DataFrame]


@pytest.fixture(scope="module")
def real(files: dict[tuple[int, str], Parsed]) -> Frames:
    return {key: parsed.matches for key, parsed in files.items()}


def test_every_real_file_parses_in_full(real: Frames) -> None:
    premier = {season: matches for (season, division), matches in real.items() if division == "E0"}
    assert sorted(premier) == list(range(1993, 2024))
    assert sum(map(len, premier.values())) == 11_944
    for season, matches in premier.items():
        check_full_season(matches, season_name(season), teams=22 if season < 1995 else 20)
    second = {season: matches for (season, division), matches in real.items() if division == "E1"}
    assert second
    for season, matches in second.items():
        check_full_season(matches, season_name(season), teams=24)


def test_real_files_have_odds_shots_and_times_since_they_should(real: Frames) -> None:
    for (season, division), matches in real.items():
        if division == "E0":
            source = "Avg" if season >= 2019 else "BbAv" if season >= 2005 else "B365" if season >= 2002 else None
            closing = "AvgC" if season >= 2019 else "PSC" if season >= 2012 else None
            assert set(matches["odds_source"]) == {source}
            assert set(matches["closing_source"]) == {closing}
            assert set(matches["kickoff_time_known"]) == {season >= 2019}
            assert matches["home_shots_on_target"].notna().all() == (season >= 2000)


def test_few_real_cells_are_discarded_and_all_are_known(files: dict[tuple[int, str], Parsed]) -> None:
    lost = {key: {kind: n for kind, n in parsed.discarded.items() if n} for key, parsed in files.items()}
    assert sum(kinds.pop("bookmaker_odds", 0) for kinds in lost.values()) == 9
    assert {key: kinds for key, kinds in lost.items() if kinds} == {
        (2005, "E0"): {"max_odds": 1},
        (2005, "E1"): {"max_odds": 1},
        (2006, "E0"): {"max_odds": 1},
    }


CHAMPIONS = {
    1993: ("Man United", 92), 1994: ("Blackburn", 89), 1995: ("Man United", 82), 1996: ("Man United", 75),
    1997: ("Arsenal", 78), 1998: ("Man United", 79), 1999: ("Man United", 91), 2000: ("Man United", 80),
    2001: ("Arsenal", 87), 2002: ("Man United", 83), 2003: ("Arsenal", 90), 2004: ("Chelsea", 95),
    2005: ("Chelsea", 91), 2006: ("Man United", 89), 2007: ("Man United", 87), 2008: ("Man United", 90),
    2009: ("Chelsea", 86), 2010: ("Man United", 80), 2011: ("Man City", 89), 2012: ("Man United", 89),
    2013: ("Man City", 86), 2014: ("Chelsea", 87), 2015: ("Leicester", 81), 2016: ("Chelsea", 93),
    2017: ("Man City", 100), 2018: ("Man City", 98), 2019: ("Liverpool", 99), 2020: ("Man City", 86),
    2021: ("Man City", 93), 2022: ("Man City", 89), 2023: ("Man City", 91),
}  # fmt: skip
DEDUCTED = {
    (1996, "Middlesbrough"): (39, 3),
    (2009, "Portsmouth"): (19, 9),
    (2023, "Everton"): (40, 8),
    (2023, "Nott'm Forest"): (32, 4),
}
"""Points in the final table, and how many a tribunal had taken away: what was won on the field is their sum."""


def test_the_tables_of_31_seasons_computed_from_what_was_taken_in_are_those_of_history(engine: Engine) -> None:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    matches, now = MatchStorage(engine), datetime(2024, 8, 1, tzinfo=timezone.utc)
    intake = Intake(FootballData((str(folder),)), matches, FeedStorage(engine, "today"), TEAMS)
    assert [taken.file.problem for taken in intake.seasons(now) if taken.file.problem] == []
    known = matches.matches(now, replay=False)
    assert len(known) == 11_944
    sides = []
    for side, other in (("home", "away"), ("away", "home")):
        margin = (known[f"{side}_goals"] - known[f"{other}_goals"]).astype(int)
        points = 3 * (margin > 0) + (margin == 0)
        sides.append(
            pd.DataFrame({"season": known["season"], "team": known[f"{side}_team"], "points": points, "margin": margin})
        )
    table: Any = pd.concat(sides).groupby(["season", "team"]).sum().sort_values(["points", "margin"], ascending=False)
    champions = table.reset_index().drop_duplicates("season").set_index("season").sort_index()
    assert (
        dict(zip(champions.index, zip(champions["team"], champions["points"], strict=True), strict=True)) == CHAMPIONS
    )
    for key, (final, taken_away) in DEDUCTED.items():
        assert table["points"][key] == final + taken_away


@settings(deadline=None, max_examples=60)
@given(
    season=st.sampled_from([1993, 2003, 2014, 2023]),
    place=st.floats(0, 1),
    cut=st.integers(0, 40),
    inserted=st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"\r\n", b"#REF!", b"E0,"]),
)
def test_a_real_file_changed_anywhere_raises_the_feeds_own_error_or_loses_no_row(
    season: int, place: float, cut: int, inserted: bytes
) -> None:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    raw = (folder / "mmz4281" / season_folder(season) / "E0.csv").read_bytes()
    start = int(place * len(raw))
    changed = raw[:start] + inserted + raw[start + cut :]
    try:
        matches = parse(changed, file="E0.csv", season=season, complete=True).matches
    except FeedError:
        return
    written = [line for line in changed.decode("latin-1").split("\n")[1:] if re.sub(r'[\s,"\xa0]', "", line)]
    assert len(matches) == len(written)
