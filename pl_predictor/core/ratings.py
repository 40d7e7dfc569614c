"""How strong each team was before each match, learnt match by match.

Here: the ratings and how results move them. Attack and defence are the parameters of a Poisson model of goals,

    log(expected goals) = league level (+ home advantage) + attack of the one - defence of the other,

moved after every match by a step along the gradient of its log-likelihood; Elo is rated beside them. Not here: what a
forecast makes of them (core/features.py, core/model.py).

Order: all matches of a UK day are rated before any of that day counts, because before 2019 the order within a day is
unknown and a result is known the next day at the earliest. A match without a result is rated and moves nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import match_day


@dataclass(frozen=True)
class RatingRules:
    """The constants of the ratings; level, home advantage and goals a shot are where a frame starts, and drift.

    Learning rate, weight of shots and Elo's K have the least log loss in the walk-forward of 2003/04 to 2011/12.
    """

    learning_rate: float = 0.04
    """Step of attack and defence a goal of surprise."""
    league_rate: float = 0.002
    """Step of the league's level and home advantage a goal of surprise: slow, they are shared by all matches."""
    shots_weight: float = 0.75
    """Share of shots on target, at the league's going rate of goals, in what a side is taken to have scored."""
    level: float = math.log(1.15)
    """Log goals an away team of mean attack scores against a mean defence."""
    home_advantage: float = math.log(1.30)
    """Log ratio of home to away goals between equals."""
    goals_per_shot: float = 0.25
    """Goals a shot on target."""
    elo_mean: float = 1500.0
    elo_k: float = 12.0
    elo_home: float = 60.0
    season_shrinkage: float = 0.10
    """Part of a team's distance to the league's mean that is forgotten between seasons."""
    relegated: int = 3
    """How many of the bottom of last season's table stand for the promoted."""


MATCH_RATINGS = (
    "home_attack",
    "home_defence",
    "away_attack",
    "away_defence",
    "home_elo",
    "away_elo",
    "expected_home_goals",
    "expected_away_goals",
)


@dataclass(frozen=True)
class Ratings:
    """per_match: the columns MATCH_RATINGS before each match, with the index of the matches rated.

    per_team: the teams of the last season as the last result left them, strongest first, indexed by team: attack,
    defence (log goals, 0 is about the mean), elo (points), played (results counted this season).
    """

    per_match: pd.DataFrame
    per_team: pd.DataFrame


Strength = tuple[float, float, float]
"""Attack, defence, Elo."""


@dataclass
class _Team:
    attack: float
    defence: float
    elo: float
    points: int = 0
    goal_difference: int = 0
    goals: int = 0
    played: int = 0

    def strength(self) -> Strength:
        return self.attack, self.defence, self.elo

    def count(self, goals: int, margin: int) -> None:
        """Enter a result in the table."""
        self.points += 3 * (margin > 0) + (margin == 0)
        self.goal_difference += margin
        self.goals += goals
        self.played += 1

    def place(self) -> tuple[int, int, int]:
        """Orders the table as the league does; points taken away by a tribunal are not known here."""
        return self.points, self.goal_difference, self.goals


@dataclass(frozen=True)
class _Played:
    home_goals: int
    away_goals: int
    home_shots_on_target: int | None
    away_shots_on_target: int | None


class _League:
    """The state between two days: this season's teams, and what all matches share."""

    def __init__(self, rules: RatingRules, members: dict[int, list[str]]) -> None:
        self.rules, self.members = rules, members
        self.season: int | None = None
        self.teams: dict[str, _Team] = {}
        self.level, self.home_advantage = rules.level, rules.home_advantage
        self.goals_per_shot = rules.goals_per_shot

    def start(self, season: int) -> None:
        """Move everyone towards the mean; who was not there last season starts as the bottom of its table ended.

        The bottom of the table, and not whoever is missing now: a list of fixtures may hold the next days only.
        """
        last, rules = self.teams, self.rules
        mean = _mean([team.strength() for team in last.values()]) if last else (0.0, 0.0, rules.elo_mean)
        kept = {name: _towards(mean, team.strength(), rules.season_shrinkage) for name, team in last.items()}
        bottom = sorted(last, key=lambda name: last[name].place())[: rules.relegated]
        newcomer = _mean([kept[name] for name in bottom]) if bottom else mean
        self.season = season
        self.teams = {name: _Team(*kept.get(name, newcomer)) for name in self.members[season]}

    def before(self, home: str, away: str) -> tuple[float, ...]:
        """The row of MATCH_RATINGS."""
        one, two = self.teams[home], self.teams[away]
        expected_home = math.exp(self.level + self.home_advantage + one.attack - two.defence)
        expected_away = math.exp(self.level + two.attack - one.defence)
        return one.attack, one.defence, two.attack, two.defence, one.elo, two.elo, expected_home, expected_away

    def learn(self, home: str, away: str, before: tuple[float, ...], played: _Played, goals_per_shot: float) -> None:
        """Move what a result moves; `before` and `goals_per_shot` are as the day began, so its order is no matter."""
        rules, one, two = self.rules, self.teams[home], self.teams[away]
        surprise_home = self._scored(played.home_goals, played.home_shots_on_target, goals_per_shot) - before[6]
        surprise_away = self._scored(played.away_goals, played.away_shots_on_target, goals_per_shot) - before[7]
        one.attack += rules.learning_rate * surprise_home
        two.defence -= rules.learning_rate * surprise_home
        two.attack += rules.learning_rate * surprise_away
        one.defence -= rules.learning_rate * surprise_away
        self.level += rules.league_rate * (surprise_home + surprise_away)
        self.home_advantage += rules.league_rate * surprise_home

        margin = played.home_goals - played.away_goals
        expected = 1.0 / (1.0 + 10.0 ** ((before[5] - before[4] - rules.elo_home) / 400.0))
        gained = rules.elo_k * ((margin > 0) + 0.5 * (margin == 0) - expected)
        one.elo += gained
        two.elo -= gained
        one.count(played.home_goals, margin)
        two.count(played.away_goals, -margin)

    def _scored(self, goals: int, shots_on_target: int | None, goals_per_shot: float) -> float:
        """Goals, or their mixture with shots on target; the going rate of a shot follows."""
        if shots_on_target is None:
            return goals
        usual = goals_per_shot * shots_on_target
        self.goals_per_shot += self.rules.league_rate * (goals - usual)
        return (1.0 - self.rules.shots_weight) * goals + self.rules.shots_weight * usual


def rate(matches: pd.DataFrame, rules: RatingRules | None = None) -> Ratings:
    """Rate both sides of every match of a match frame from the results of earlier UK days.

    Takes time in proportion to the matches. FeedError where a season's match is played after the next season began.
    """
    season, home, away = (matches[name].tolist() for name in ("season", "home_team", "away_team"))
    played = _results(matches)
    members: dict[int, set[str]] = {}
    for year, one, two in zip(season, home, away, strict=True):
        members.setdefault(year, set()).update((one, two))
    league = _League(rules or RatingRules(), {year: sorted(names) for year, names in members.items()})
    rows: list[tuple[float, ...]] = [()] * len(matches)
    for day in days_in_order(matches):
        for i in day:
            if league.season is None or season[i] > league.season:
                league.start(season[i])
            elif season[i] < league.season:
                raise FeedError(
                    f"{home[i]} v {away[i]} of season {season[i]} is dated after the first match of season "
                    f"{league.season}; correct its season or its date"
                )
            rows[i] = league.before(home[i], away[i])
        goals_per_shot = league.goals_per_shot
        for i in day:
            result = played[i]
            if result is not None:
                league.learn(home[i], away[i], rows[i], result, goals_per_shot)
    per_match = pd.DataFrame(rows, index=matches.index, columns=list(MATCH_RATINGS), dtype="float64")
    return Ratings(per_match=per_match, per_team=_table(league))


def days_in_order(matches: pd.DataFrame) -> list[list[int]]:
    """The positions of the rows of each UK day, day after day; within a day in the order of the frame."""
    day = match_day(matches["kickoff"]).to_numpy()
    order = np.argsort(day, kind="stable")
    starts = np.flatnonzero(np.diff(day[order])) + 1
    return [part.tolist() for part in np.split(order, starts) if part.size]


def _results(matches: pd.DataFrame) -> list[_Played | None]:
    def integers(name: str) -> list[Any]:
        return [None if pd.isna(value) else int(value) for value in matches[name].tolist()]

    columns = ("home_goals", "away_goals", "home_shots_on_target", "away_shots_on_target")
    return [
        None if row[0] is None or row[1] is None else _Played(*row)
        for row in zip(*(integers(name) for name in columns), strict=True)
    ]


def _table(league: _League) -> pd.DataFrame:
    rows = [(team.attack, team.defence, team.elo, team.played) for team in league.teams.values()]
    names = pd.Index(list(league.teams), name="team", dtype=object)
    table = pd.DataFrame(rows, index=names, columns=["attack", "defence", "elo", "played"])
    strength = table["attack"] + table["defence"]
    return table.loc[strength.sort_values(ascending=False, kind="stable").index]


def _mean(strengths: list[Strength]) -> Strength:
    attack, defence, elo = zip(*strengths, strict=True)
    return math.fsum(attack) / len(strengths), math.fsum(defence) / len(strengths), math.fsum(elo) / len(strengths)


def _towards(mean: Strength, own: Strength, share: float) -> Strength:
    attack, defence, elo = (value + share * (centre - value) for value, centre in zip(own, mean, strict=True))
    return attack, defence, elo
