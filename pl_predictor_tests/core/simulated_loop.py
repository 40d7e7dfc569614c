"""Made-up seasons lived by the whole loop: looks, verdicts, the rule of retraining, challengers, the gate, a champion.

Here: a platform in memory, whose rules are the platform's own, and a forecaster that stands in for its own. Not here:
the league and the looks at it (simulated.py), and how often what happens (bench/loops.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from pl_predictor.core import promotion
from pl_predictor.core.combination import decide as predict
from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import KEY
from pl_predictor.core.promotion import Windows, expected, paired
from pl_predictor.core.retraining import Cause, Finding, History, RetrainingPolicy, decide, decide_refresh
from pl_predictor.core.scoring import PROBABILITIES, expected_log_loss, log_loss, one_hot
from pl_predictor.core.walk_forward import refitted, trials
from pl_predictor.settings import Settings
from pl_predictor_tests.core.simulated import (
    DRAW_MULTIPLIER,
    SEASON,
    WEEK,
    Champion,
    Floats,
    League,
    effects_of,
    league,
    look,
)

FACTS: Final = ["home_advantage", "rating", "form"]
BEFORE: Final = 6
"""Seasons before the first that is lived: five can be tried, as many as the gate asks for."""
FIRST_YEAR: Final = 2017
RECENT: Final = (60, 100, 160, 250, 380)
"""Matches since which the facts may mean something else, to the stand-in: it tries each."""
BEYOND_NOISE: Final = 15.0
"""Twice the gain in log likelihood that the stand-in takes for a change. Where nothing changes, about one fit in fifty
finds one."""
TIED: Final = 10.0
"""The ridge that ties what facts mean since a change to what they meant before."""


@dataclass(frozen=True)
class StandIn:
    """A fitted forecaster (core.walk_forward.Forecaster). since_change: how many of the last matches it was fitted on
    apart from those before; None for no change."""

    logit: Champion
    since_change: int | None

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        """The forecast frame of a `frame`, with its result."""
        p = self.logit.probabilities(features[FACTS].to_numpy())
        made = features[[*KEY, "kickoff", "result", *MARKET]]
        return made.assign(**dict(zip(PROBABILITIES, p.T, strict=True)), prediction=predict(p, DRAW_MULTIPLIER))


@dataclass
class Recipe:
    """How the stand-in is fitted (core.walk_forward.Fit), on the first so many matches of one league.

    The logit of all matches; but if the latest of them are likelier by another one than by that of those before them,
    beyond noise (a likelihood ratio, as Quandt 1960, Journal of the American Statistical Association 55), it is theirs,
    tied to the older. This is the stand-in's and not the platform's: the platform's forecaster follows a change by its
    match-by-match strengths, by its weighting of families, and by the market.
    """

    known: dict[int, StandIn] = field(default_factory=dict)
    seasons: dict[tuple[int, int], pd.DataFrame] = field(default_factory=dict)

    def __call__(self, past: pd.DataFrame, record: pd.DataFrame) -> StandIn:  # noqa: ARG002
        """The forecaster for what follows `past`."""
        if len(past) not in self.known:
            self.known[len(past)] = _fitted(past[FACTS].to_numpy(), one_hot(past["result"].to_numpy()))
        return self.known[len(past)]

    def tried(self, past: pd.DataFrame, season: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of a season by what is fitted before it (core.walk_forward.Try)."""
        asked = len(past), len(season)
        if asked not in self.seasons:
            self.seasons[asked] = self(past, season.head(0)).forecast(season)
        return self.seasons[asked]


def _fitted(facts: Floats, happened: Floats) -> StandIn:
    every = effects_of(facts, happened)
    best, most, since = every, BEYOND_NOISE, None
    for recent in RECENT:
        if len(facts) < recent + SEASON:
            break
        x, y = facts[-recent:], happened[-recent:]
        before = effects_of(facts[:-recent], happened[:-recent], centre=every)
        latest = effects_of(x, y, centre=before, ridge=TIED)
        gain = 2.0 * (_log_likelihood(latest, x, y) - _log_likelihood(before, x, y))
        if gain > most:
            best, most, since = latest, gain, recent
    return StandIn(Champion(best, float("nan")), since)


def _log_likelihood(effects: Floats, facts: Floats, happened: Floats) -> float:
    return float((happened * np.log(Champion(effects, float("nan")).probabilities(facts))).sum())


def frame(played: League) -> pd.DataFrame:
    """A feature frame of these matches, whose facts are their features."""
    number = np.arange(len(played.result))
    identity = {"season": FIRST_YEAR + number // SEASON, "home_team": number.astype(str), "away_team": "other"}
    told = pd.DataFrame({**identity, "kickoff": played.kickoff, "result": played.result})
    told[list(MARKET)], told[FACTS] = played.market, played.facts
    return told


@dataclass(frozen=True)
class Version:
    """A trained model. record: its trial on past seasons. trained_on: the matches that it had seen."""

    name: str
    model: StandIn
    record: pd.DataFrame
    trained_on: int

    @cached_property
    def log_loss_at_promotion(self) -> float:
        """That of its record, as log_loss_near_that_at_promotion has it."""
        return float(log_loss(self.record[list(PROBABILITIES)].to_numpy(), self.record["result"].to_numpy()).mean())


@dataclass(frozen=True)
class Gate:
    """A challenger and its verdict. matches: how many were settled by then."""

    matches: int
    as_of: datetime
    cause: Cause
    champion: str
    challenger: Version
    windows: Windows
    verdict: promotion.Ruling


class Platform:
    """Lives through the matches of `features` (a `frame`) after the first `start`, and trains its first model then."""

    def __init__(self, features: pd.DataFrame, start: int) -> None:
        self.features = features
        self.recipe = Recipe()
        self.gates: list[Gate] = []
        self.errors: dict[int, list[str]] = {}
        self.trained: list[tuple[int, datetime]] = [(start, self._moment(start))]
        self._serve(self._train(start), start)

    def live(self, until: int) -> Iterator[int]:
        """A matchweek after the other: the checks, and a training if they or the schedule ask for one. Yields the
        number of matches that are settled."""
        for n in range(self.since + WEEK, until + 1, WEEK):
            as_of, history = self._moment(n), self._history(n)
            evidence = self._evidence(n, as_of)
            decision = decide(evidence, history, RETRAINING, as_of)
            if not decision.retrain:
                decision = decide_refresh(evidence, history, RETRAINING, as_of)
            if decision.cause is not None:
                gate = self.challenge(n, decision.cause)
                self.gates.append(gate)
                self.trained.append((n, as_of))
                if gate.verdict.promoted:
                    self._serve(gate.challenger, n)
            yield n

    def challenge(self, n: int, cause: Cause) -> Gate:
        """Train a challenger on the first n matches and judge it; who serves stays."""
        challenger = self._train(n)
        official = self._official(n)
        ours = self.features.loc[official.index]
        live = refitted(ours, self.features.head(n), challenger.record.head(0), self.recipe)  # it reads no record
        windows = Windows(
            paired(self.champion.record, challenger.record), paired(official, live), expected(official, live)
        )
        verdict = promotion.judge(
            windows,
            refresh=cause == "routine",
            margin=DEFAULTS["promotion_margin"],
            min_sample=DEFAULTS["min_sample"],
        )
        return Gate(n, self._moment(n), cause, self.champion.name, challenger, windows, verdict)

    def _serve(self, version: Version, n: int) -> None:
        self.champion, self.since = version, n
        self.forecasts = version.model.forecast(self.features.iloc[n:])

    def _official(self, n: int) -> pd.DataFrame:
        """The champion's own forecasts of what it has served since, the latest of them."""
        return self.forecasts.head(n - self.since).tail(DEFAULTS["performance_window"])

    def _train(self, n: int) -> Version:
        seen = self.features.head(n)
        record = trials(seen, first_season=FIRST_YEAR + 1, forecast=self.recipe.tried)
        return Version(f"trained on {n}", self.recipe(seen, record), record, n)

    def _evidence(self, n: int, as_of: datetime) -> list[Finding]:
        if n - self.since < DEFAULTS["min_sample"]:
            return []  # every check would pass: too few
        said = look(self.forecasts.head(n - self.since), self.champion.log_loss_at_promotion)
        if said.errors:
            self.errors[n] = said.errors
        return [
            Finding(name, one.passed, one.severity, one.words, self.champion.name, as_of, f"look {n}")
            for name, one in said.verdicts.items()
        ]

    def _history(self, n: int) -> History:
        trained_on, last_training = self.trained[-1]
        over = n % SEASON == 0
        return History(
            champion=self.champion.name,
            last_decision=last_training,
            new_results=n - trained_on,
            unseen=n - self.champion.trained_on,
            training=False,
            close_season=over,
        )

    def _moment(self, n: int) -> datetime:
        """The Tuesday after a matchweek, when all of its results are known."""
        last: datetime = self.features["kickoff"].iloc[n - 1].to_pydatetime()
        return last + timedelta(days=1)


DEFAULTS: Final[Mapping[str, Any]] = {name: setting.default for name, setting in Settings.model_fields.items()}
RETRAINING: Final = RetrainingPolicy(
    cooldown=timedelta(days=DEFAULTS["retraining_cooldown_days"]),
    min_new_results=DEFAULTS["min_new_results"],
    refresh_results=DEFAULTS["refresh_results"],
)


@dataclass(frozen=True)
class Lived:
    """What became of one planted change, in matches after it; None for what did not happen while one looked.

    error: the first look that said ERROR of whoever served. promoted: the first challenger of a failed check that was.
    recovered: the first promotion of a model that costs under half of what the change was to cost. gap: what who serves
    in the end costs, nats a match beside the market. broken: see `broken_rules`.
    """

    error: int | None
    promoted: int | None
    recovered: int | None
    gap: float
    broken: list[str]


def changed_life(seed: int, *, cost: float = 0.08, weeks: int = 38) -> Lived:
    """A champion fitted to six seasons serves in the seventh, in which a change costs it `cost`, by turns after each of
    the first 28 matchweeks; and so many matchweeks after the change."""
    change_at = BEFORE * SEASON + WEEK * (seed % 28 + 1)
    features = frame(league(BEFORE + 2, seed, change_at=change_at, cost=cost))
    platform = Platform(features, BEFORE * SEASON)
    for _ in platform.live(change_at + weeks * WEEK):
        pass
    after = features.iloc[change_at:]
    promoted = [gate for gate in platform.gates if gate.verdict.promoted and gate.matches > change_at]
    asked_for = [gate.matches for gate in promoted if gate.cause == "degradation"]
    good = [gate.matches for gate in promoted if gap_to_market(gate.challenger.model, after) < cost / 2.0]
    errors = [n for n in platform.errors if n > change_at]
    error, first, recovered = (next((n - change_at for n in found), None) for found in (errors, asked_for, good))
    return Lived(error, first, recovered, gap_to_market(platform.champion.model, after), broken_rules(platform))


def quiet_life(seed: int) -> Platform:
    """A platform that has lived a season in which nothing changes."""
    platform = Platform(frame(league(BEFORE + 1, seed)), BEFORE * SEASON)
    for _ in platform.live((BEFORE + 1) * SEASON):
        pass
    return platform


def equal_challengers(seed: int) -> list[Gate]:
    """The gate on challengers that are as good as the champion, ten matchweeks apart in a quiet season: both are fits
    of the logit to all matches, the champion's on six seasons, theirs on what came since as well. Nobody is replaced.

    Where the stand-in has fancied a change they are not equal, and are left out.
    """
    platform = Platform(frame(league(BEFORE + 1, seed)), BEFORE * SEASON)
    gates = [platform.challenge(platform.since + WEEK * week, "degradation") for week in (10, 20, 30, 37)]
    if platform.champion.model.since_change is not None:
        return []
    return [gate for gate in gates if gate.challenger.model.since_change is None]


def surely_nearer(gate: Gate) -> bool:
    """Better by the results, and beyond noise by what is expected if the market is right, however little."""
    live, sure = gate.windows.live, gate.windows.live_expected
    return live is not None and sure is not None and sure.low is not None and live.mean > 0.0 and sure.low > 0.0


def gap_to_market(model: StandIn, features: pd.DataFrame) -> float:
    """What a model's forecasts cost beside the market's were these right, nats a match."""
    p = model.forecast(features)[list(PROBABILITIES)].to_numpy(dtype=np.float64)
    market = features[list(MARKET)].to_numpy(dtype=np.float64)
    return float((expected_log_loss(p, market) - expected_log_loss(market, market)).mean())


def broken_rules(platform: Platform) -> list[str]:
    """Which promises a life broke: two trainings within the cooldown, a champion that was refused."""
    moments = [moment for _, moment in platform.trained]
    said = [
        f"trained at {earlier} and at {later}"
        for earlier, later in pairwise(moments)
        if later - earlier < RETRAINING.cooldown
    ]
    refused = {gate.challenger.name for gate in platform.gates if not gate.verdict.promoted}
    served = {gate.champion for gate in platform.gates} | {platform.champion.name}
    return said + [f"{name} served, and was refused" for name in sorted(served & refused)]
