"""Small frames that many tests start from, written out in full: no test depends on a row it does not show."""

from typing import Any

import pandas as pd

from pl_predictor.core.matches import match_frame


def fixture(home: str, away: str, kickoff: str, *, season: int = 2023, **known: Any) -> dict[str, Any]:
    """One match as a row of a match frame; `known` fills what is known of it."""
    return {
        "season": season,
        "home_team": home,
        "away_team": away,
        "kickoff": pd.Timestamp(kickoff, tz="UTC"),
        "kickoff_time_known": True,
        **known,
    }


def played(home: str, away: str, kickoff: str, home_goals: int, away_goals: int, **known: Any) -> dict[str, Any]:
    """One match with its result."""
    result = "H" if home_goals > away_goals else "A" if away_goals > home_goals else "D"
    return fixture(home, away, kickoff, home_goals=home_goals, away_goals=away_goals, result=result, **known)


def matches(*rows: dict[str, Any]) -> pd.DataFrame:
    """A match frame of these rows."""
    columns = sorted({column for row in rows for column in row})
    return match_frame({column: [row.get(column) for row in rows] for column in columns})


def forecast(
    home: str,
    away: str,
    kickoff: str,
    p: tuple[float, float, float] = (0.5, 0.3, 0.2),
    *,
    season: int = 2023,
    **more: Any,
) -> dict[str, Any]:
    """One forecast as `MetricsStorage.store_predictions` takes it."""
    prediction = "HDA"[p.index(max(p))]
    return {
        "season": season,
        "home_team": home,
        "away_team": away,
        "kickoff": pd.Timestamp(kickoff, tz="UTC"),
        "p_home": p[0],
        "p_draw": p[1],
        "p_away": p[2],
        "prediction": prediction,
        "confidence": max(p),
        "information": "no_odds",
        "home_odds": None,
        "draw_odds": None,
        "away_odds": None,
        "odds_source": None,
        **more,
    }
