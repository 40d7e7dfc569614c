"""The matches that the benchmarks make up."""

import pandas as pd
import pytest

from pl_predictor.core.matches import MATCH_COLUMNS, Where, check_full_season, match_frame, validate
from pl_predictor_tests.bench.many_matches import many_matches


@pytest.mark.parametrize(("seasons", "teams"), [(3, 20), (2, 102)])
def test_made_up_matches_are_full_seasons_that_could_be_true(seasons: int, teams: int) -> None:
    matches = many_matches(seasons, teams)
    pd.testing.assert_frame_equal(match_frame({name: matches[name] for name in MATCH_COLUMNS}), matches)
    validate(matches, Where("made up"))
    assert matches["season"].is_monotonic_increasing
    for season, rows in matches.groupby("season"):
        check_full_season(rows, str(season), teams)


def test_the_same_seed_makes_the_same_matches_and_another_different_ones() -> None:
    pd.testing.assert_frame_equal(many_matches(2, seed=5), many_matches(2, seed=5))
    assert (many_matches(2, seed=5)["home_goals"] != many_matches(2, seed=6)["home_goals"]).any()
