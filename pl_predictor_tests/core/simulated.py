"""Made-up seasons as streams of forecasts: is a false alarm as rare as promised, and how soon is a change seen?

Here: the matches of a league whose true probabilities are known, a bookmaker who knows them nearly, a forecaster that
learns from results, a change that it cannot know of, and the weekly looks at it, through the platform's own evidence
and verdicts. Not here: retraining and promotion (simulated_loop.py). The drift check is left out: it sees features, and
this league's do not move.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.combination import decide
from pl_predictor.core.evidence import JUDGED, RECENT, SKILL, SKILL_EXPECTED, Evidence, evidence
from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import OUTCOMES
from pl_predictor.core.retraining import SKILL_CHECK
from pl_predictor.core.scoring import PROBABILITIES, log_loss, one_hot
from pl_predictor.core.verdicts import Verdict, at_least, near_promotion, skill
from pl_predictor.settings import Settings
from pl_predictor_tests.core.league import rounds

WEEK: Final = 10
SEASON: Final = 380
RESAMPLES: Final = 200
DRAW_MULTIPLIER: Final = 1.4
"""The decision rule weighs a draw so."""

EFFECT: Final = np.array([0.20, 0.55, 0.35])
"""What home advantage, and a rating or form better by 1, add to the logit of a home win and take from that of away."""
DRAWS: Final = -0.2
"""The same of a draw. With these and NEWS a fitted champion is right in 55 % of matches, at a log loss of 0.96."""
NEWS: Final = 0.2
"""Standard deviation of what only the bookmaker knows of a match: it costs a champion 0.013 nats a match."""
PRICING_ERROR: Final = 0.04

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class League:
    """n matches in the order of their kick-offs, ten a matchweek.

    facts: (n, 3) home advantage (1), difference of rating, difference of form; news: (n,); market: (n, 3);
    result: (n,) of H, D, A; kickoff: (n,) UTC.
    """

    facts: Floats
    news: Floats
    market: Floats
    result: NDArray[Any]
    kickoff: pd.DatetimeIndex

    def until(self, match: int) -> "League":
        """The first `match` matches."""
        return League(*(part[:match] for part in vars(self).values()))


@dataclass(frozen=True)
class Champion:
    """A multinomial logit on the facts: effects of shape (2, 3), of home win and of away win over draw."""

    effects: Floats
    log_loss_at_promotion: float

    def probabilities(self, facts: Floats) -> Floats:
        """(n, 3) of H, D, A."""
        return _softmax(facts @ self.effects.T)


def league(seasons: int, seed: int, *, change_at: int | None = None, cost: float = 0.0) -> League:
    """So many seasons of 20 teams. From match `change_at` on the facts mean something else, which costs a forecaster
    that does not know `cost` nats a match, in expectation over the matches that follow; the bookmaker knows."""
    rng = np.random.default_rng(seed)
    facts = np.vstack([_season(rng) for _ in range(seasons)])
    n = len(facts)
    news = rng.normal(0.0, NEWS, n)
    effect = np.tile(EFFECT, (n, 1))
    direction = rng.normal(size=3)
    if change_at is not None:
        effect[change_at:] += _costly(direction / np.linalg.norm(direction), facts[change_at:], cost)
    truth = _truth(facts, effect, news)
    market = truth * np.exp(rng.normal(0.0, PRICING_ERROR, truth.shape))
    happened = (rng.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    result = np.array(OUTCOMES, dtype=object)[np.minimum(happened, 2)]
    return League(facts, news, market / market.sum(axis=1, keepdims=True), result, _kickoffs(n))


def fit(played: League) -> Champion:
    """The maximum-likelihood logit of these matches, and its log loss on them."""
    fitted = Champion(effects_of(played.facts, one_hot(played.result)), float("nan"))
    loss = log_loss(fitted.probabilities(played.facts), played.result).mean()
    return replace(fitted, log_loss_at_promotion=float(loss))


def effects_of(facts: Floats, happened: Floats, *, centre: Floats | None = None, ridge: float = 1.0) -> Floats:
    """(2, 3) effects under which what happened, (n, 3) of 0 and 1, is likeliest, by Newton's method.

    A ridge around `centre` (None: 0), where the search begins, keeps them finite on a handful of matches.
    """
    x, y = facts, happened[:, [0, 2]]
    k = x.shape[1]
    effects = centre = np.zeros((2, k)) if centre is None else centre
    for _ in range(8):
        p = _softmax(x @ effects.T)[:, [0, 2]]
        gradient = ((y - p).T @ x - ridge * (effects - centre)).ravel()
        blocks = [[(x * (p[:, i] * ((i == j) - p[:, j]))[:, None]).T @ x for j in (0, 1)] for i in (0, 1)]
        step = np.linalg.solve(np.block(blocks) + ridge * np.eye(2 * k), gradient).reshape(2, k)
        effects = effects + step
        if np.abs(step).max() < 1e-8:
            break
    return effects


def forecasts(played: League, champion: Champion, *, odds: bool = True) -> pd.DataFrame:
    """The champion's official forecasts of these matches with their results: a frame as `settlement` gives it."""
    p = champion.probabilities(played.facts)
    frame = pd.DataFrame(p, columns=list(PROBABILITIES))
    frame[list(MARKET)] = played.market if odds else np.nan
    return frame.assign(prediction=decide(p, DRAW_MULTIPLIER), result=played.result, kickoff=played.kickoff)


@dataclass(frozen=True)
class Look:
    """What the checks say when so many matches are settled."""

    matches: int
    found: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]

    @property
    def errors(self) -> list[str]:
        """The checks that say ERROR."""
        return [name for name, verdict in self.verdicts.items() if verdict.severity == "ERROR"]


def looks(made: pd.DataFrame, champion: Champion, *, first: int, last: int) -> Iterator[Look]:
    """A look after each matchweek, when `first` matches are settled to when `last` are."""
    for n in range(first, last + 1, WEEK):
        yield look(made.head(n), champion.log_loss_at_promotion)


def look(settled: pd.DataFrame, log_loss_at_promotion: float) -> Look:
    """What the checks say of these official forecasts of one champion, at the default thresholds."""
    policy: dict[str, Any] = {name: field.default for name, field in Settings.model_fields.items()}
    sample = policy["min_sample"]
    listed = evidence(
        settled,
        window=policy["performance_window"],
        skill_window=policy["skill_window"],
        false_alarm_rate=policy["false_alarm_rate"],
        resamples=RESAMPLES,
        wanted=JUDGED,
    )
    found = {one.metric: one for one in listed}
    realised, expected = found.get(RECENT[SKILL]), found.get(RECENT[SKILL_EXPECTED])
    rise = policy["max_log_loss_rise"]
    verdicts = {
        "accuracy": at_least(found.get("accuracy"), policy["min_accuracy"], sample),
        "f1_weighted": at_least(found.get("f1_weighted"), policy["min_weighted_f1"], sample),
        SKILL_CHECK: skill(realised, expected, policy["min_skill"], sample),
        "log_loss": near_promotion(found.get("log_loss"), log_loss_at_promotion, rise, sample),
    }
    return Look(len(settled), found, verdicts)


@dataclass(frozen=True)
class Seen:
    """When a change was seen, in matches after it, and by which checks; None, () if it was not while one looked.

    by_results: when it would have been, had the results alone to show the skill beyond noise.
    """

    after: int | None
    by: tuple[str, ...]
    by_results: int | None


def quiet_season(seed: int) -> tuple[str, ...]:
    """The checks that say ERROR first in a season in which nothing changes, of a champion that is as good as it was.

    By turns its first season and its second, whose looks begin with full windows.
    """
    champion, played = fit(league(8, seed + 10_000)), league(2, seed)
    made = forecasts(played, champion)
    first = SEASON if seed % 2 else 0
    made = made if first else made.tail(SEASON).reset_index(drop=True)
    errors = (look.errors for look in looks(made, champion, first=first + WEEK, last=first + SEASON))
    return tuple(next(filter(None, errors), ()))


def changed_season(seed: int, *, cost: float = 0.08, odds: bool = True, weeks: int = 10) -> Seen:
    """How soon a change that costs the champion `cost` is seen, looking for so many weeks; by turns in its first season
    and in its second, after each of the first 28 matchweeks."""
    champion, change_at = fit(league(8, seed + 10_000)), SEASON + WEEK * (seed % 28 + 1)
    made = forecasts(league(3, seed, change_at=change_at, cost=cost), champion, odds=odds)
    served = 0 if seed // 28 % 2 else SEASON
    made, change_at = made.iloc[served:].reset_index(drop=True), change_at - served
    after: int | None = None
    by: tuple[str, ...] = ()
    by_results: int | None = None
    threshold = float(Settings.model_fields["min_skill"].default)
    for look in looks(made, champion, first=change_at + WEEK, last=change_at + weeks * WEEK):
        results = at_least(look.found.get(RECENT[SKILL]), threshold, 50)
        if by_results is None and results.severity == "ERROR":
            by_results = look.matches - change_at
        if after is None and look.errors:
            after, by = look.matches - change_at, tuple(look.errors)
    return Seen(after, by, by_results)


def _season(rng: np.random.Generator) -> Floats:
    """(380, 3) facts: a double round robin of 20 teams with ratings of their own, and form that is new each match."""
    rating = rng.permutation(np.linspace(-1.2, 1.2, 20))
    pairs = np.array([pair for week in rounds(list(range(20))) for pair in week])
    return np.column_stack([np.ones(SEASON), rating[pairs[:, 0]] - rating[pairs[:, 1]], rng.normal(0.0, 1.0, SEASON)])


def _truth(facts: Floats, effect: Floats, news: Floats) -> Floats:
    edge = (facts * effect).sum(axis=1) + news
    return _softmax(np.column_stack([edge - DRAWS, -edge - DRAWS]))


def _costly(direction: Floats, facts: Floats, cost: float) -> Floats:
    """How far the effects move in a direction for their old values to cost so much: by bisection."""
    before = _truth(facts, np.tile(EFFECT, (len(facts), 1)), np.zeros(len(facts)))
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2.0
        after = _truth(facts, EFFECT + middle * direction, np.zeros(len(facts)))
        divergence = float((after * np.log(after / before)).sum(axis=1).mean())
        low, high = (middle, high) if divergence < cost else (low, middle)
    return low * direction


def _softmax(edges: Floats) -> Floats:
    """(n, 2) logits of home win and of away win over draw to (n, 3) probabilities of H, D, A."""
    e = np.exp(np.column_stack([edges[:, 0], np.zeros(len(edges)), edges[:, 1]]))
    p: Floats = e / e.sum(axis=1, keepdims=True)
    return p


def _kickoffs(n: int) -> pd.DatetimeIndex:
    """Ten matches a week: five on Saturday, four on Sunday, one on Monday."""
    day = np.array([0] * 5 + [1] * 4 + [2])[np.arange(n) % WEEK]
    start = pd.Timestamp("2023-08-12 14:00", tz="UTC")
    return pd.DatetimeIndex(start + pd.to_timedelta(7 * (np.arange(n) // WEEK) + day, unit="D"))
