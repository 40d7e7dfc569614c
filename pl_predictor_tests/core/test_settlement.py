"""The official forecast of a match is the last one made before its kick-off."""

from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pytest

from pl_predictor.core.settlement import official_forecasts
from pl_predictor_tests.frames import fixture, forecast, matches, played

KICKOFF = "2024-01-13 15:00"


def made(as_of: str, home: str = "Chelsea", away: str = "Fulham", **more: Any) -> dict[str, Any]:
    moment = datetime.fromisoformat(as_of).replace(tzinfo=timezone.utc)
    row = {"as_of": pd.Timestamp(moment), "timestamp": pd.Timestamp(moment), "replay": False}
    return {**forecast(home, away, KICKOFF), **row, **more}


@pytest.mark.parametrize(
    ("moments", "kickoff", "expected"),
    [
        (["2024-01-12 06:00", "2024-01-13 06:00"], KICKOFF, "2024-01-13 06:00"),
        (["2024-01-13 06:00", "2024-01-12 06:00"], KICKOFF, "2024-01-13 06:00"),
        (["2024-01-12 06:00", "2024-01-13 15:00"], KICKOFF, "2024-01-12 06:00"),
        (["2024-01-12 06:00", "2024-02-01 06:00"], "2024-03-02 15:00", "2024-02-01 06:00"),
        (["2024-01-12 06:00", "2024-01-13 06:00"], "2024-01-13 01:00", "2024-01-12 06:00"),
    ],
    ids=["the later one", "whatever the order", "not at kick-off", "postponed", "brought forward"],
)
def test_the_last_forecast_before_kick_off_counts(moments: list[str], kickoff: str, expected: str) -> None:
    rows = pd.DataFrame([made(moment) for moment in moments])
    official = official_forecasts(rows, matches(played("Chelsea", "Fulham", kickoff, 1, 0)))
    assert official["as_of"].tolist() == [pd.Timestamp(expected, tz="UTC")]
    assert official["kickoff"].tolist() == [pd.Timestamp(kickoff, tz="UTC")]
    assert official["result"].tolist() == ["H"]


def test_of_two_forecasts_for_one_moment_the_first_written_counts() -> None:
    hindsight = {**made("2024-01-13 06:00"), "p_home": 0.97, "p_draw": 0.02, "p_away": 0.01}
    rows = pd.DataFrame([made("2024-01-13 06:00"), hindsight])
    official = official_forecasts(rows, matches(played("Chelsea", "Fulham", KICKOFF, 1, 0)))
    assert official["p_home"].tolist() == [0.5]


def test_a_live_forecast_that_was_written_after_kick_off_does_not_count_whatever_it_claims() -> None:
    moments = {"as_of": "2024-01-13 14:59", "timestamp": "2024-01-13 18:00"}
    late: dict[str, Any] = {name: pd.Timestamp(moment, tz="UTC") for name, moment in moments.items()}
    known = matches(played("Chelsea", "Fulham", KICKOFF, 1, 0))
    honest = made("2024-01-13 06:00")
    hindsight = {**honest, **late}
    assert official_forecasts(pd.DataFrame([honest, hindsight]), known)["as_of"].tolist() == [honest["as_of"]]
    replayed = {**hindsight, "replay": True}
    assert official_forecasts(pd.DataFrame([honest, replayed]), known)["as_of"].tolist() == [late["as_of"]]


def test_a_match_with_no_forecast_before_kick_off_has_no_official_one() -> None:
    late = pd.DataFrame([made("2024-01-13 15:00")])
    assert official_forecasts(late, matches(played("Chelsea", "Fulham", KICKOFF, 1, 0))).empty


def test_a_match_without_a_result_keeps_its_forecast_unsettled() -> None:
    rows = pd.DataFrame([made("2024-01-13 06:00")])
    assert official_forecasts(rows, matches(fixture("Chelsea", "Fulham", KICKOFF)))["result"].tolist() == [None]


def test_the_market_is_that_of_the_odds_seen_when_the_forecast_was_made() -> None:
    odds: dict[str, Any] = {"home_odds": 2.0, "draw_odds": 4.0, "away_odds": 4.0}
    rows = pd.DataFrame([made("2024-01-13 06:00", **odds), made("2024-01-13 06:00", "Leeds", "Arsenal")])
    known = matches(
        played("Chelsea", "Fulham", KICKOFF, 1, 0, home_odds=1.5, draw_odds=4.4, away_odds=6.5, odds_source="Avg"),
        played("Leeds", "Arsenal", KICKOFF, 1, 1, home_odds=1.5, draw_odds=4.4, away_odds=6.5, odds_source="Avg"),
    )
    official = official_forecasts(rows, known).set_index("home_team")
    market = official[["market_home", "market_draw", "market_away"]]
    assert market.to_numpy().tolist()[0] == pytest.approx([0.5, 0.25, 0.25])
    assert market.isna().to_numpy().tolist() == [[False] * 3, [True] * 3]


def test_no_forecasts_give_an_empty_frame_with_all_columns() -> None:
    none = pd.DataFrame([made("2024-01-13 06:00")]).iloc[:0]
    official = official_forecasts(none, matches(played("Chelsea", "Fulham", KICKOFF, 1, 0)))
    assert official.empty
    assert {"result", "market_home", "p_home", "kickoff"} <= set(official)
