"""A made-up league for the tests of the science: its teams' strengths are known, and its bookmaker knows them too."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.matches import match_frame

GOALS = np.arange(16)
Team = TypeVar("Team")


def league(seasons: int = 7, teams: int = 10, *, first: int = 2010, shots: bool = True, seed: int = 7) -> pd.DataFrame:
    """A match frame: double round robins, a round a week over two days; the weakest is replaced every summer."""
    rng = np.random.default_rng(seed)
    strength = {f"Team {number:02d}": 0.5 - number / (teams - 1) for number in range(teams)}
    rows: list[dict[str, Any]] = []
    for season in range(first, first + seasons):
        for week, pairs in enumerate(rounds(sorted(strength))):
            for number, (home, away) in enumerate(pairs):
                saturday = pd.Timestamp(f"{season}-08-13") + pd.Timedelta(weeks=week)
                kickoff = (saturday + pd.Timedelta(days=number % 2, hours=15)).tz_localize("Europe/London")
                rows.append(
                    {"season": season, "home_team": home, "away_team": away, "kickoff": kickoff.tz_convert("UTC")}
                    | _played(strength[home], strength[away], shots, rng)
                )
        del strength[min(strength, key=lambda name: strength[name])]
        strength[f"Promoted {season + 1}"] = -0.45
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return match_frame({**columns, "kickoff_time_known": [True] * len(rows)})


def fixtures_only(matches: pd.DataFrame, rows: "pd.Series[bool]") -> pd.DataFrame:
    """The same matches, those of `rows` not played yet."""
    matches = matches.copy()
    for name in ("home_goals", "away_goals", "home_shots_on_target", "away_shots_on_target"):
        matches.loc[rows, name] = pd.NA
    matches.loc[rows, "result"] = None
    return matches


def rounds(teams: Sequence[Team]) -> list[list[tuple[Team, Team]]]:
    """A double round robin, (home, away): the circle method, then the same with home and away swapped."""
    fixed, *others = teams
    first_half = []
    for turn in range(len(others)):
        circle = [fixed, *others[turn:], *others[:turn]]
        half = len(circle) // 2
        pairs = list(zip(circle[:half], reversed(circle[half:]), strict=True))
        first_half.append([pair if turn % 2 else pair[::-1] for pair in pairs])
    return first_half + [[(away, home) for home, away in pairs] for pairs in first_half]


def odds(home: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) of the goals each side is expected to score: the true probabilities, each price cut by a margin of 5 %."""
    factorial = np.cumprod(np.maximum(GOALS, 1).astype(np.float64))
    one, other = (np.exp(-mean[:, None]) * mean[:, None] ** GOALS / factorial for mean in (home, away))
    table = one[:, :, None] * other[:, None, :]
    p = np.column_stack([part.sum(axis=(1, 2)) for part in (np.tril(table, -1), table * np.eye(16), np.triu(table, 1))])
    prices: NDArray[np.float64] = p.sum(axis=1, keepdims=True) / (1.05 * p)
    return prices


def _played(home: float, away: float, shots: bool, rng: np.random.Generator) -> dict[str, Any]:
    expected = 1.5 * np.exp(home - away), 1.15 * np.exp(away - home)
    prices = odds(*(np.array([mean]) for mean in expected))[0].tolist()
    goals = [int(rng.poisson(mean)) for mean in expected]
    cells: dict[str, Any] = {
        "home_goals": goals[0],
        "away_goals": goals[1],
        "result": "H" if goals[0] > goals[1] else "A" if goals[0] < goals[1] else "D",
        **dict(zip(("home_odds", "draw_odds", "away_odds"), prices, strict=True)),
        "odds_source": "Avg",
    }
    if shots:
        saved = [int(rng.poisson(2.5 * mean)) for mean in expected]
        cells |= {"home_shots_on_target": goals[0] + saved[0], "away_shots_on_target": goals[1] + saved[1]}
    return cells
