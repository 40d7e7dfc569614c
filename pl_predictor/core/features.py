"""One row a match, from what was known before kick-off: the same function trains and serves.

Here: the features, their meaning, and their computation from a match frame. Only results of earlier UK days enter, and
never odds: the market's probabilities stand beside the features, for the blend in core/model.py and as a yardstick.
Not here: the ratings themselves (core/ratings.py), any choice made from forecasts (core/model.py).
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY, PRE_MATCH_ODDS, match_day
from pl_predictor.core.ratings import days_in_order, rate

FORM_MATCHES: Final = 5
MEAN_POINTS: Final = 1.37
"""Points a team and match where a quarter of matches is drawn: what form is worth before there is any."""
FULL_REST: Final = 14.0
"""Days; more is no more rest, and a season's first match counts as this."""
MARKET: Final = ("market_home", "market_draw", "market_away")


@dataclass(frozen=True)
class Feature:
    """What a column of the feature frame means. `calendar`: it follows the calendar, so its drift says nothing."""

    description: str
    unit: str
    calendar: bool = False


FEATURES: Final[dict[str, Feature]] = {
    "elo_difference": Feature("Elo of the home team minus that of the away team", "Elo points"),
    "log_expected_home_goals": Feature("Goals to expect of the home attack against the away defence", "log goals"),
    "log_expected_away_goals": Feature("Goals to expect of the away attack against the home defence", "log goals"),
    "home_form": Feature("Mean points of the home team over its last five matches this season", "points a match"),
    "away_form": Feature("Mean points of the away team over its last five matches this season", "points a match"),
    "home_goal_difference": Feature("Mean goal difference of the home team over the same matches", "goals a match"),
    "away_goal_difference": Feature("Mean goal difference of the away team over the same matches", "goals a match"),
    "home_rest_days": Feature("Days since the home team's last match this season, at most 14", "days", calendar=True),
    "away_rest_days": Feature("Days since the away team's last match this season, at most 14", "days", calendar=True),
}


def build(matches: pd.DataFrame) -> pd.DataFrame:
    """The feature frame of a match frame: one row a match, in the same order, with the same index.

    Columns: the key, kickoff, result (None where there is none), every name of FEATURES (float64, never NaN), and
    MARKET: the de-vigged probabilities of the consensus pre-match odds (float64; NaN, all three, without odds).
    Raises ValueError for odds of 1 or less, FeedError for matches out of the order of their seasons.
    """
    ratings = rate(matches).per_match
    columns: dict[str, Any] = {
        "elo_difference": ratings["home_elo"] - ratings["away_elo"],
        "log_expected_home_goals": np.log(ratings["expected_home_goals"]),
        "log_expected_away_goals": np.log(ratings["expected_away_goals"]),
        **_lately(matches),
    }
    frame = matches[[*KEY, "kickoff", "result"]].assign(**{name: columns[name] for name in FEATURES})
    frame[list(MARKET)] = implied_probabilities(matches[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64))
    return frame


class _Lately:
    """A team's season so far: the day it last played (or was to play), and its last results."""

    def __init__(self) -> None:
        self.day = -np.inf
        self.margins: deque[int] = deque(maxlen=FORM_MATCHES)

    def state(self, day: float) -> tuple[float, float, float]:
        """Form, mean goal difference, days of rest. Where fewer than five are played the mean stands for the others."""
        points = sum(3 * (margin > 0) + (margin == 0) for margin in self.margins)
        absent = FORM_MATCHES - len(self.margins)
        form = (points + absent * MEAN_POINTS) / FORM_MATCHES
        return form, sum(self.margins) / FORM_MATCHES, min(day - self.day, FULL_REST)


def _lately(matches: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Form and rest of both sides, a UK day at a time; they start anew each season."""
    days = match_day(matches["kickoff"]).to_numpy().astype("datetime64[D]").astype(np.float64).tolist()
    season, home, away = (matches[name].tolist() for name in ("season", "home_team", "away_team"))
    margins = (matches["home_goals"] - matches["away_goals"]).tolist()
    teams: defaultdict[tuple[int, str], _Lately] = defaultdict(_Lately)
    rows = np.empty((len(matches), 6))
    for positions in days_in_order(matches):
        for i in positions:
            rows[i, :3] = teams[season[i], home[i]].state(days[i])
            rows[i, 3:] = teams[season[i], away[i]].state(days[i])
        for i in positions:
            for name, sign in ((home[i], 1), (away[i], -1)):
                team = teams[season[i], name]
                team.day = days[i]
                if not pd.isna(margins[i]):
                    team.margins.append(sign * margins[i])
    names = ("form", "goal_difference", "rest_days")
    return {
        f"{side}_{name}": rows[:, 3 * s + n] for s, side in enumerate(("home", "away")) for n, name in enumerate(names)
    }
