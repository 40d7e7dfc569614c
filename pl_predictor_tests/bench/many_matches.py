"""Made-up matches in any number, a million in seconds: seasons of a league that plays a double round robin."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.matches import MATCH_COLUMNS, PRE_MATCH_ODDS, UK, join
from pl_predictor_tests.core.league import odds, rounds

LONGEST = 300
"""Days of a season, so that the next one starts after it."""
PROMOTED, POOL = 3, 12
"""The weakest of every season are not those of the season before, and come back: so many at a time, of so many."""


def many_matches(seasons: int, teams: int = 20, *, first: int = 1993, seed: int = 11) -> pd.DataFrame:
    """A match frame of seasons * teams * (teams - 1) played matches with shots, corners and odds; `teams` is even.

    A round a week over two days, or as often as a season has room for. How strong a team is depends on its number.
    """
    rng = np.random.default_rng(seed)
    schedule: NDArray[np.int64] = np.array(rounds(range(teams)))
    one, other = schedule.reshape(-1, 2).T
    strength = np.linspace(0.4, -0.4, teams)
    mean = 1.5 * np.exp(strength[one] - strength[other]), 1.15 * np.exp(strength[other] - strength[one])
    names = np.array([_names(season, teams) for season in range(first, first + seasons)], dtype=object)
    goals = [rng.poisson(mean_goals, (seasons, len(one))).ravel() for mean_goals in mean]
    columns: dict[str, Any] = {
        "season": np.repeat(np.arange(first, first + seasons), len(one)),
        "home_team": names[:, one].ravel(),
        "away_team": names[:, other].ravel(),
        "kickoff": _kickoffs(first, seasons, schedule.shape[:2]),
        "kickoff_time_known": True,
        "result": np.array(["A", "D", "H"], dtype=object)[np.sign(goals[0] - goals[1]) + 1],
        "odds_source": "Avg",
        "closing_source": np.full(seasons * len(one), None),
        **dict(zip(PRE_MATCH_ODDS, np.tile(odds(*mean), (seasons, 1)).T, strict=True)),
    }
    for side, mean_goals, scored in zip(("home", "away"), mean, goals, strict=True):
        columns[f"{side}_goals"] = scored
        columns[f"{side}_shots_on_target"] = scored + rng.poisson(np.tile(2.5 * mean_goals, seasons))
        columns[f"{side}_shots"] = columns[f"{side}_shots_on_target"] + rng.poisson(7.0, len(scored))
        columns[f"{side}_corners"] = rng.poisson(5.0, len(scored))
    # match_frame takes Python's values one by one: too slow for a million.
    index = pd.RangeIndex(seasons * len(one))
    typed = {
        name: pd.Series(columns.get(name), index=index, dtype=column.dtype) for name, column in MATCH_COLUMNS.items()
    }
    return join([pd.DataFrame(typed)])


def _names(season: int, teams: int) -> list[str]:
    promoted = [f"Promoted {number % POOL:02d}" for number in range(PROMOTED * season, PROMOTED * (season + 1))]
    return [f"Team {number:03d}" for number in range(teams - PROMOTED)] + promoted


def _kickoffs(first: int, seasons: int, rounds_and_places: tuple[int, ...]) -> pd.DatetimeIndex:
    """At 15:00 in the UK, from August on."""
    number, place = np.indices(rounds_and_places).reshape(2, -1)
    every = min(7, LONGEST // rounds_and_places[0])
    day = every * number + (place % 2 if every > 1 else 0)
    starts = np.array([f"{season}-08-01T15" for season in range(first, first + seasons)], dtype="datetime64[h]")
    local = starts[:, None] + day * np.timedelta64(24, "h")
    return pd.DatetimeIndex(local.ravel().astype("datetime64[ns]"), tz=UK).tz_convert("UTC")
