"""All real files of football-data.co.uk that a machine has: they parse in full and add up to the tables of history."""

from collections import Counter
from typing import Any

import pandas as pd
import pytest

from pl_predictor.core.matches import check_full_season, season_name
from pl_predictor.sources.layout import parse, season_of_folder
from pl_predictor_tests.football_data import mirror


@pytest.fixture(scope="module")
def real() -> dict[tuple[int, str], pd.DataFrame]:
    folder = mirror()
    if folder is None:
        pytest.skip("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    files = sorted(folder.glob("mmz4281/*/E?.csv"))
    return {
        (season := season_of_folder(file.parent.name), file.stem): parse(
            file.read_bytes(), file=str(file), season=season, division=file.stem
        )
        for file in files
    }


Frames = dict[tuple[int, str], pd.DataFrame]


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


def test_few_real_cells_are_discarded_and_all_are_known(real: Frames) -> None:
    discarded = {key: +Counter(matches.attrs["discarded"]) for key, matches in real.items()}
    assert {key: dict(kinds) for key, kinds in discarded.items() if kinds} == {
        (2005, "E0"): {"max_odds": 1},
        (2005, "E1"): {"max_odds": 1},
        (2006, "E0"): {"max_odds": 1},
    }


@pytest.mark.parametrize(
    ("season", "team", "points"),
    [
        # champions
        (1995, "Man United", 82),
        (2003, "Arsenal", 90),
        (2011, "Man City", 89),
        (2015, "Leicester", 81),
        # what was won on the field, before a deduction
        (1996, "Middlesbrough", 39 + 3),
        (2009, "Portsmouth", 19 + 9),
        (2023, "Everton", 40 + 8),
        (2023, "Nott'm Forest", 32 + 4),
    ],
)
def test_points_add_up_to_the_final_table(real: Frames, season: int, team: str, points: int) -> None:
    matches = real[season, "E0"]
    margin = (matches["home_goals"] - matches["away_goals"]).astype(int)
    table: Any = pd.concat(
        [
            pd.DataFrame({"team": matches["home_team"], "margin": margin, "win": matches["result"] == "H"}),
            pd.DataFrame({"team": matches["away_team"], "margin": -margin, "win": matches["result"] == "A"}),
        ]
    ).assign(points=lambda rows: rows["win"] * 3 + (rows["margin"] == 0))
    table = table.groupby("team")[["points", "margin"]].sum().sort_values(["points", "margin"], ascending=False)
    assert table["points"][team] == points
    assert (table.index[0] == team) == (points > 80)
