"""How strong each team was before each match, learnt match by match.

Here: the ratings and how results move them. Attack and defence are the parameters of a Poisson model of goals,

    log(expected goals) = league level (+ home advantage) + attack of the one - defence of the other,

moved after every match by a step along the gradient of its log-likelihood; Elo and the pi-ratings of Constantinou and
Fenton (2013), Journal of Quantitative Analysis in Sports 9(1), are rated beside them. Not here: what a forecast makes
of them (core/features.py, core/families.py).

Order: matches are rated a round at a time, which is all those whose odds were collected at the same moment
(core.matches.odds_known_from), from the results that were known at that moment. So a forecast never knows more than the
market that it is compared with, and the order of matches within a day, unknown before 2019, is no matter. A match
without a result is rated and moves nothing.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import odds_known_from, result_known_from


@dataclass(frozen=True)
class RatingRules:
    """The constants of the ratings; level, home advantage and goals a shot are where a frame starts, and drift.

    They have the least log loss in the walk-forward of 2003/04 to 2011/12, or are within 0.0001 of it.
    """

    learning_rate: float = 0.05
    """Step of attack and defence a goal of surprise."""
    league_rate: float = 0.004
    """Step of the league's level and home advantage a goal of surprise: slow, they are shared by all matches."""
    shots_on_target_share: float = 0.45
    shots_share: float = 0.10
    corners_share: float = 0.25
    """Share of each, at the league's going rate of goals, in what a side is taken to have scored; goals have the rest,
    and the share of what the source does not have."""
    goals_per_shot_on_target: float = 0.25
    goals_per_shot: float = 0.11
    goals_per_corner: float = 0.26
    level: float = math.log(1.15)
    """Log goals an away team of mean attack scores against a mean defence."""
    home_advantage: float = math.log(1.30)
    """Log ratio of home to away goals between equals."""
    elo_mean: float = 1500.0
    elo_k: float = 10.0
    elo_home: float = 60.0
    pi_rate: float = 0.04
    """Step of a pi-rating where it was played (lambda of the paper)."""
    pi_spill: float = 0.7
    """Part of that step that the other one, of the same team elsewhere, makes (gamma of the paper)."""
    season_shrinkage: float = 0.10
    """Part of a team's distance to the league's mean that is forgotten between seasons."""
    relegated: int = 3
    """How many of the bottom of last season's table stand for the promoted."""
    promotion_share: float = 0.25
    """Part of a promoted team's distance to the top of the division below that it takes along."""


MATCH_RATINGS: Final = (
    *("home_attack", "home_defence", "away_attack", "away_defence", "home_elo", "away_elo"),
    *("expected_home_goals", "expected_away_goals", "pi_goal_difference", "home_promoted", "away_promoted"),
)
PROXIES: Final = ("shots_on_target", "shots", "corners")
"""Statistics that tell of chances as goals do."""
PROXY_MEMORY: Final = 0.999
"""What remains of a side's weight in the going rates with each later side: they follow about one and a half seasons."""
PROXY_START: Final = 1000.0
"""Units that the rate a frame starts with counts for: those of some hundred matches."""


@dataclass(frozen=True)
class Ratings:
    """per_match: the columns MATCH_RATINGS before each match, with the index of the matches rated.

    per_team: the teams of the last season as the last result left them, strongest first, indexed by team: attack,
    defence (log goals, 0 is about the mean), elo (points), pi_home, pi_away (goals, as the paper scales them), played
    (results counted this season), place (in the table, 1 is its top). by_season: the same of every season at its end,
    in no order.
    """

    per_match: pd.DataFrame
    per_team: pd.DataFrame
    by_season: Mapping[int, pd.DataFrame]


class Strength(NamedTuple):
    """What a team takes from season to season."""

    attack: float
    defence: float
    elo: float
    pi_home: float
    pi_away: float


@dataclass
class _Team:
    attack: float
    defence: float
    elo: float
    pi_home: float
    pi_away: float
    promoted: bool
    points: int = 0
    goal_difference: int = 0
    goals: int = 0
    played: int = 0

    def strength(self) -> Strength:
        return Strength(self.attack, self.defence, self.elo, self.pi_home, self.pi_away)

    def count(self, goals: int, margin: int) -> None:
        """Enter a result in the table."""
        self.points += 3 * (margin > 0) + (margin == 0)
        self.goal_difference += margin
        self.goals += goals
        self.played += 1

    def place(self) -> tuple[int, int, int]:
        """Orders the table as the league does; points taken away by a tribunal are not known here."""
        return self.points, self.goal_difference, self.goals


class _GoalsEach:
    """The going rate of goals a unit of a statistic: all goals by all units, the older the lighter."""

    def __init__(self, share: float, rate: float) -> None:
        self.share, self.rate = share, rate
        self.units, self.goals = PROXY_START, PROXY_START * rate
        self.new: list[tuple[int, int]] = []

    def learn(self, units: int, goals: int) -> None:
        """Note what a side had; it counts from the next round on."""
        self.new.append((units, goals))

    def end_round(self) -> None:
        if self.new:
            kept = PROXY_MEMORY ** len(self.new)
            self.units = kept * self.units + sum(units for units, _ in self.new)
            self.goals = kept * self.goals + sum(goals for _, goals in self.new)
            self.rate = self.goals / self.units
            self.new.clear()


class _League:
    """The state between two rounds: this season's teams, and what all matches share."""

    def __init__(self, rules: RatingRules, members: dict[int, list[str]], below: Mapping[int, pd.DataFrame]) -> None:
        self.rules, self.members, self.below = rules, members, below
        self.season: int | None = None
        self.teams: dict[str, _Team] = {}
        self.level, self.home_advantage = rules.level, rules.home_advantage
        self.proxies = [
            _GoalsEach(rules.shots_on_target_share, rules.goals_per_shot_on_target),
            _GoalsEach(rules.shots_share, rules.goals_per_shot),
            _GoalsEach(rules.corners_share, rules.goals_per_corner),
        ]
        self.ended: dict[int, pd.DataFrame] = {}

    def start(self, season: int) -> None:
        """Move everyone towards the mean; who was not there last season starts as the bottom of its table ended.

        The bottom of the table, and not whoever is missing now: a list of fixtures may hold the next days only.
        """
        last, rules = self.teams, self.rules
        mean = _mean([team.strength() for team in last.values()]) if last else Strength(0, 0, rules.elo_mean, 0, 0)
        kept = {name: _towards(mean, team.strength(), rules.season_shrinkage) for name, team in last.items()}
        table = sorted(last, key=lambda name: last[name].place()) if any(team.played for team in last.values()) else []
        newcomer = _mean([kept[name] for name in table[: rules.relegated]]) if table else mean
        self.close()
        follows = self.season == season - 1
        self.season = season
        newcomers = [name for name in self.members[season] if name not in kept]
        kept |= self._promoted(newcomers, newcomer, season - 1)
        self.teams = {name: _Team(*kept[name], promoted=follows and name in newcomers) for name in self.members[season]}

    def _promoted(self, names: list[str], usual: Strength, season: int) -> dict[str, Strength]:
        """What the promoted start with: as usual, and better or worse as the division below showed.

        Against the top of its table, and not the others that were promoted: of those, a list of fixtures may name one.
        """
        start = dict.fromkeys(names, usual)
        table = self.below.get(season)
        if table is None:
            return start
        top = table.nsmallest(self.rules.relegated, "place")[list(Strength._fields)].mean()
        for name in set(names) & set(table.index):
            own = table.loc[[name], list(Strength._fields)].iloc[0]
            better = self.rules.promotion_share * (own - top).to_numpy(dtype=np.float64)
            start[name] = Strength(*(np.array(usual) + better).tolist())
        return start

    def close(self) -> None:
        """Keep the season's teams as they are now."""
        if self.season is not None:
            self.ended[self.season] = _table(self.teams)

    def before(self, home: str, away: str) -> tuple[float, ...]:
        """The row of MATCH_RATINGS."""
        one, two = self.teams[home], self.teams[away]
        expected_home = math.exp(self.level + self.home_advantage + one.attack - two.defence)
        expected_away = math.exp(self.level + two.attack - one.defence)
        pi = _pi_goals(one.pi_home) - _pi_goals(two.pi_away)
        ratings = (one.attack, one.defence, two.attack, two.defence, one.elo, two.elo, expected_home, expected_away)
        return (*ratings, pi, float(one.promoted), float(two.promoted))

    def learn(self, home: str, away: str, before: tuple[float, ...], played: "_Played") -> None:
        """Move what a result moves. `before` is what the match was rated with, so that the order of the results of one
        round is no matter."""
        rules, one, two = self.rules, self.teams[home], self.teams[away]
        surprise_home = self._scored(played.home_goals, played.home) - before[6]
        surprise_away = self._scored(played.away_goals, played.away) - before[7]
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
        step = rules.pi_rate * _pi_step(margin - before[8])
        one.pi_home += step
        one.pi_away += rules.pi_spill * step
        two.pi_away -= step
        two.pi_home -= rules.pi_spill * step
        one.count(played.home_goals, margin)
        two.count(played.away_goals, -margin)

    def _scored(self, goals: int, statistics: tuple[int | None, ...]) -> float:
        """Goals, mixed with what the statistics that there are would usually have made of themselves."""
        scored = float(goals)
        for proxy, units in zip(self.proxies, statistics, strict=True):
            if units is not None:
                scored += proxy.share * (proxy.rate * units - goals)
                proxy.learn(units, goals)
        return scored

    def end_round(self) -> None:
        """From now on the going rates are what the results up to here make them."""
        for proxy in self.proxies:
            proxy.end_round()


class _Played(NamedTuple):
    home_goals: int
    away_goals: int
    home: tuple[int | None, ...]
    """In the order of PROXIES."""
    away: tuple[int | None, ...]


def rate(
    matches: pd.DataFrame, rules: RatingRules | None = None, below: Mapping[int, pd.DataFrame] | None = None
) -> Ratings:
    """Rate both sides of every match of a match frame from the results known when its odds were collected.

    below: `Ratings.by_season` of the division below, where it is known. Takes time in proportion to the matches.
    FeedError where a season's match is played after the next season began.
    """
    season, home, away = (matches[name].tolist() for name in ("season", "home_team", "away_team"))
    played = _results(matches)
    members: dict[int, set[str]] = {}
    for year, one, two in zip(season, home, away, strict=True):
        members.setdefault(year, set()).update((one, two))
    league = _League(rules or RatingRules(), {year: sorted(names) for year, names in members.items()}, below or {})
    rows: list[tuple[float, ...]] = [()] * len(matches)
    for known, rated in rounds(matches):
        for i in known:
            result = played[i]
            if result is not None:
                if season[i] != league.season:
                    raise _out_of_order(home[i], away[i], season[i], league.season)
                league.learn(home[i], away[i], rows[i], result)
        league.end_round()
        for i in rated:
            if league.season is None or season[i] > league.season:
                league.start(season[i])
            elif season[i] < league.season:
                raise _out_of_order(home[i], away[i], season[i], league.season)
            rows[i] = league.before(home[i], away[i])
    league.close()
    per_match = pd.DataFrame(rows, index=matches.index, columns=list(MATCH_RATINGS), dtype="float64")
    teams = _table(league.teams)
    ordered = (teams["attack"] + teams["defence"]).sort_values(ascending=False, kind="stable").index
    return Ratings(per_match=per_match, per_team=teams.loc[ordered], by_season=league.ended)


def rate_divisions(matches: pd.DataFrame, below: pd.DataFrame | None) -> Ratings:
    """Rate a match frame, its promoted teams by the match frame of the division below, as far as that is known."""
    return rate(matches, below=None if below is None else rate(below).by_season)


def _out_of_order(home: str, away: str, season: int, current: int | None) -> FeedError:
    return FeedError(
        f"{home} v {away} of season {season} is dated after the first match of season {current}; correct its season or "
        "its date"
    )


def rounds(matches: pd.DataFrame) -> Iterator[tuple[list[int], list[int]]]:
    """Round after round: the positions of the rows whose results have become known since the round before, and of the
    rows whose odds are collected now. At the end the rows that no round knew yet, and no round."""
    if matches.empty:
        return
    collected = odds_known_from(matches["kickoff"]).to_numpy()
    known = result_known_from(matches["kickoff"]).to_numpy()
    by_collection, by_result = (np.argsort(moments, kind="stable") for moments in (collected, known))
    moments, starts = np.unique(collected[by_collection], return_index=True)
    known_before = np.searchsorted(known[by_result], moments, side="right")
    order = by_result.tolist()
    done = 0
    for part, upto in zip(np.split(by_collection, starts[1:]), known_before.tolist(), strict=True):
        yield order[done:upto], part.tolist()
        done = upto
    yield order[done:], []


def _results(matches: pd.DataFrame) -> list[_Played | None]:
    def integers(name: str) -> list[Any]:
        return [None if pd.isna(value) else int(value) for value in matches[name].tolist()]

    goals = zip(integers("home_goals"), integers("away_goals"), strict=True)
    home, away = (zip(*(integers(f"{side}_{name}") for name in PROXIES), strict=True) for side in ("home", "away"))
    return [
        None if one is None or two is None else _Played(one, two, of_home, of_away)
        for (one, two), of_home, of_away in zip(goals, home, away, strict=True)
    ]


def _table(teams: Mapping[str, _Team]) -> pd.DataFrame:
    champion_first = sorted(teams, key=lambda name: teams[name].place(), reverse=True)
    place = {name: number for number, name in enumerate(champion_first, start=1)}
    rows = [(*team.strength(), team.played, place[name]) for name, team in teams.items()]
    names = pd.Index(list(teams), name="team", dtype=object)
    return pd.DataFrame(rows, index=names, columns=[*Strength._fields, "played", "place"])


def _pi_goals(rating: float) -> float:
    """The goals by which a team of this pi-rating is expected to beat an average one (c = 3, b = 10 in the paper)."""
    return math.copysign(10.0 ** (abs(rating) / 3.0) - 1.0, rating)


def _pi_step(error: float) -> float:
    """The paper's diminishing weight of a goal difference that was `error` goals off."""
    return math.copysign(3.0 * math.log10(1.0 + abs(error)), error)


def _mean(strengths: list[Strength]) -> Strength:
    return Strength(*(math.fsum(values) / len(strengths) for values in zip(*strengths, strict=True)))


def _towards(mean: Strength, own: Strength, share: float) -> Strength:
    return Strength(*(value + share * (centre - value) for value, centre in zip(own, mean, strict=True)))
