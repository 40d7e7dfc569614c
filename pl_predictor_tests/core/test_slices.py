"""Which matches a score speaks of."""

import pandas as pd
import pytest

from pl_predictor.core.features import MARKET
from pl_predictor.core.scoring import scorecard
from pl_predictor.core.slices import BANDS, PROMOTED, promoted, scores_by_slice, slices
from pl_predictor_tests.frames import fixture, forecast, matches, played

KNOWN = matches(
    played("Leeds", "Wigan", "2022-08-13 15:00", 1, 0, season=2022),
    played("Derby", "Leeds", "2022-08-20 15:00", 1, 0, season=2022),
    played("Leeds", "Stoke", "2023-08-12 15:00", 2, 0),
    fixture("Wigan", "Leeds", "2024-05-04 14:00"),
)


def made(*rows: dict[str, object], market: tuple[float, ...] = (float("nan"),) * 3) -> pd.DataFrame:
    frame = pd.DataFrame(rows).assign(result="H")
    return frame.assign(**dict(zip(MARKET, market, strict=True)))


@pytest.mark.parametrize(
    ("season", "teams"),
    [
        (2023, {"Stoke"}),
        (2022, None),  # nothing is known of the season before
        (2025, None),
    ],
)
def test_promoted_teams_were_not_in_the_season_before(season: int, teams: set[str] | None) -> None:
    assert promoted(KNOWN, season) == teams


def test_a_match_is_a_promoted_teams_whether_at_home_or_away() -> None:
    pairs = [("Leeds", "Stoke"), ("Stoke", "Wigan"), ("Wigan", "Leeds")]
    found = slices(made(*(forecast(home, away, "2023-08-12 15:00") for home, away in pairs)), KNOWN)
    assert found[PROMOTED[0]]["away_team"].tolist() == ["Stoke", "Wigan"]
    assert found[PROMOTED[1]]["home_team"].tolist() == ["Wigan"]


def test_where_the_season_before_is_unknown_no_match_is_with_or_without_a_promoted_team() -> None:
    assert not set(PROMOTED) & set(slices(made(forecast("Leeds", "Wigan", "2022-08-13 15:00", season=2022)), KNOWN))


@pytest.mark.parametrize(
    ("favourite", "band"),
    [(0.40, 0), (0.4499, 0), (0.45, 1), (0.5499, 1), (0.55, 2), (0.6499, 2), (0.65, 3), (0.90, 3)],
)
@pytest.mark.parametrize("side", [0, 2])
def test_a_band_holds_its_lower_edge_whoever_the_favourite_is(favourite: float, band: int, side: int) -> None:
    market = [(1 - favourite) / 2] * 3
    market[side] = favourite
    found = slices(made(forecast("Leeds", "Stoke", "2023-08-12 15:00"), market=tuple(market)), KNOWN)
    assert [name for name in BANDS if name in found] == [BANDS[band]]


def test_without_odds_the_forecast_says_who_is_favourite() -> None:
    found = slices(made(forecast("Leeds", "Stoke", "2023-08-12 15:00", (0.7, 0.2, 0.1))), KNOWN)
    assert BANDS[3] in found


def test_the_scores_of_a_slice_are_its_scorecard_and_empty_slices_are_absent() -> None:
    rows = made(
        forecast("Leeds", "Stoke", "2023-08-12 15:00", (0.7, 0.2, 0.1)),
        forecast("Wigan", "Leeds", "2023-08-13 15:00", (0.4, 0.3, 0.3)),
    )
    scores = scores_by_slice(rows, KNOWN)
    matches_in = {"all": 2, PROMOTED[0]: 1, PROMOTED[1]: 1, BANDS[0]: 1, BANDS[3]: 1}
    assert scores.groupby("slice")["n"].first().to_dict() == matches_in
    of_the_promoted = scores[scores["slice"] == PROMOTED[0]].set_index("metric")["value"]
    assert of_the_promoted.to_dict() == {score.metric: score.value for score in scorecard(rows.head(1))}
    assert set(scores["season"]) == {2023}


def test_no_forecast_has_no_score() -> None:
    assert scores_by_slice(made(forecast("Leeds", "Stoke", "2023-08-12 15:00")).iloc[:0], KNOWN).empty
