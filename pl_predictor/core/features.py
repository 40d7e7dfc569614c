"""One row a match, from what was known before kick-off: the same function trains and serves.

Here: the features, their meaning, and their computation from a match frame. Only results enter that were known when the
match's odds were collected (the Tuesday or Friday before, core.matches.odds_known_from), and never odds: the market's
probabilities stand beside the features, for the blend in core/combination.py and as a yardstick. Not here: the ratings
themselves (core/ratings.py), any choice made from forecasts (core/model.py).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY, PRE_MATCH_ODDS, match_day, odds_known_from, result_known_from
from pl_predictor.core.ratings import rate_divisions

FORM_MATCHES: Final = 5
MEAN_POINTS: Final = 1.37
"""Points a team and match where a quarter of matches is drawn: what form is worth before there is any."""
CONGESTION_DAYS: Final = 14
FULL_REST: Final = 14.0
"""Days; more is no more rest, and a season's first match counts as this."""
MARKET: Final = ("market_home", "market_draw", "market_away")
TARGETS: Final = ("home_goals", "away_goals", "result")
"""What a model learns to forecast: in the frame beside the features, and null until it is known."""


_ELO: Final = "results; Elo (1978), The Rating of Chessplayers, Past and Present"
_STRENGTHS: Final = (
    "goals, shots on target, shots and corners, as far as there are; Poisson attack and defence of Maher (1982), "
    "Statistica Neerlandica 36"
)
_PI: Final = "goals; Constantinou and Fenton (2013), Journal of Quantitative Analysis in Sports 9(1)"
_RESULTS: Final = "results of this season"
_FIXTURES: Final = "list of fixtures"


@dataclass(frozen=True)
class Feature:
    """What a column of the feature frame means, its unit, and what it is computed from (and after whom). `calendar`: it
    follows from the list of fixtures alone, so that its drift says nothing."""

    description: str
    unit: str
    source: str
    calendar: bool = False


FEATURES: Final[dict[str, Feature]] = {
    "elo_difference": Feature("Elo of the home team minus that of the away team", "Elo points", _ELO),
    "log_expected_home_goals": Feature("Goals expected of home attack against away defence", "log goals", _STRENGTHS),
    "log_expected_away_goals": Feature("Goals expected of away attack against home defence", "log goals", _STRENGTHS),
    "expected_goals_gap": Feature(
        "Distance between the two: the further apart, the rarer a draw", "log goals", _STRENGTHS
    ),
    "pi_goal_difference": Feature("Goal difference that pi-ratings expect, home minus away", "goals", _PI),
    "promoted_difference": Feature(
        "1 where only the home team was promoted, -1 where only the away team was", "teams", _FIXTURES, calendar=True
    ),
    "home_form": Feature("Mean points of the home team over its last five results", "points a match", _RESULTS),
    "away_form": Feature("Mean points of the away team over its last five results", "points a match", _RESULTS),
    "home_goal_difference": Feature("Mean goal difference of the home team over them", "goals a match", _RESULTS),
    "away_goal_difference": Feature("Mean goal difference of the away team over them", "goals a match", _RESULTS),
    "home_rest_days": Feature(
        "Days since the home team's last match this season, at most 14", "days", _FIXTURES, calendar=True
    ),
    "away_rest_days": Feature(
        "Days since the away team's last match this season, at most 14", "days", _FIXTURES, calendar=True
    ),
    "home_congestion": Feature(
        "League matches of the home team in the 14 days before", "matches", _FIXTURES, calendar=True
    ),
    "away_congestion": Feature(
        "League matches of the away team in the 14 days before", "matches", _FIXTURES, calendar=True
    ),
}


def build(matches: pd.DataFrame, below: pd.DataFrame | None = None) -> pd.DataFrame:
    """The feature frame of a match frame: one row a match, in the same order, with the same index.

    below: match frame of the division below, as far as it is known; the promoted are rated by it, and otherwise as the
    relegated were. Columns: the key, kickoff, TARGETS, every name of FEATURES (float64, never NaN), and MARKET: the
    de-vigged probabilities of the consensus pre-match odds (float64; NaN, all three, without odds). Raises ValueError
    for odds of 1 or less, FeedError for matches out of the order of their seasons.
    """
    return from_ratings(matches, rate_divisions(matches, below).per_match)


def from_ratings(matches: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """`build` for who has the ratings (core.ratings.Ratings.per_match of these matches) already."""
    home, away = (np.log(ratings[f"expected_{side}_goals"]) for side in ("home", "away"))
    columns: dict[str, Any] = {
        "elo_difference": ratings["home_elo"] - ratings["away_elo"],
        "log_expected_home_goals": home,
        "log_expected_away_goals": away,
        "expected_goals_gap": (home - away).abs(),
        "pi_goal_difference": ratings["pi_goal_difference"],
        "promoted_difference": ratings["home_promoted"] - ratings["away_promoted"],
        **_by_side(_lately(matches)),
    }
    frame = matches[[*KEY, "kickoff", *TARGETS]].assign(**{name: columns[name] for name in FEATURES})
    frame[list(MARKET)] = implied_probabilities(matches[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64))
    return frame


def _by_side(lately: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    halves = {name: np.split(values, 2) for name, values in lately.items()}
    return {f"{side}_{name}": half[n] for name, half in halves.items() for n, side in enumerate(("home", "away"))}


def _lately(matches: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Each side's season so far, the home sides and then the away sides: form, goal_difference, rest_days, congestion.

    They start anew each season. Where fewer than five results are known, the mean stands for the others. Days of rest
    count from any match of the list of fixtures, played or not, on an earlier UK day.
    """
    sides = pd.DataFrame(
        {
            "season": np.tile(matches["season"].to_numpy(), 2),
            "team": np.concatenate([matches["home_team"].to_numpy(), matches["away_team"].to_numpy()]),
        }
    )
    team = np.asarray(sides.groupby(["season", "team"], sort=False).ngroup(), dtype=np.int64)
    day = np.tile(match_day(matches["kickoff"]).to_numpy().astype("datetime64[D]").astype(np.int64), 2)
    days = np.sort(_moments(team, day))
    today = _moments(team, day)
    earlier = np.searchsorted(days, today)
    last = days[earlier - 1] if len(days) else days
    same_team = (earlier > 0) & (last // _SPAN == team)
    rest = np.where(same_team, np.minimum(today - last, FULL_REST), FULL_REST)
    congestion = earlier - np.searchsorted(days, today - CONGESTION_DAYS)

    margin = (matches["home_goals"] - matches["away_goals"]).to_numpy(dtype=np.float64, na_value=np.nan)
    margin = np.concatenate([margin, -margin])
    played = np.flatnonzero(~np.isnan(margin))
    known = _moments(team, _seconds(result_known_from(matches["kickoff"])))[played]
    order = np.argsort(known, kind="stable")
    known, margin = known[order], margin[played][order]
    points = 3.0 * (margin > 0) + (margin == 0)
    so_far = np.searchsorted(known, _moments(team, _seconds(odds_known_from(matches["kickoff"]))), side="right")
    first = np.searchsorted(known, _moments(team, np.zeros_like(team)))
    since = np.maximum(so_far - FORM_MATCHES, first)
    absent = FORM_MATCHES - (so_far - since)
    return {
        "form": (_total(points, since, so_far) + absent * MEAN_POINTS) / FORM_MATCHES,
        "goal_difference": _total(margin, since, so_far) / FORM_MATCHES,
        "rest_days": rest.astype(np.float64),
        "congestion": congestion.astype(np.float64),
    }


_SPAN: Final = 2**34
"""More seconds, and more days, than pandas' time has: a team's moments never reach into the next team's."""


def _moments(team: NDArray[np.int64], moment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Team and moment as one sortable number."""
    return team * _SPAN + moment


def _seconds(moment: pd.Series) -> NDArray[np.int64]:
    """Of both sides of each match, since 1970."""
    return np.tile(moment.to_numpy(dtype="datetime64[s]").astype(np.int64), 2)


def _total(values: NDArray[np.float64], start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of values[start:stop], for each pair. The values are small integers, so that sums are exact."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    total: NDArray[np.float64] = sums[stop] - sums[start]
    return total
