"""The gate: may a challenger serve in the champion's place?

Here: the paired comparison of two models' forecasts of the same matches, and the rule. Not here: where the forecasts
come from (core/walk_forward.py, the official forecasts of core/settlement.py), and what a promotion moves
(resources/model_registry.py).
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pl_predictor.core.features import MARKET
from pl_predictor.core.matches import KEY, match_day
from pl_predictor.core.scoring import FEWEST_DAYS, LEVEL, PROBABILITIES, log_loss

FEWEST_SEASONS: Final = 5
"""Seasons that both models must have been tried on."""

ROUNDING: Final = 1e-6
"""Nats a match: two fits of the same numbers differ by less (core/leakage.py), and neither is better."""

Rule = Literal["first", "features", "better", "refresh"]
"""By which rule a verdict was reached. first: nobody served. features: the champion reads features that are no more.
better: beyond noise. refresh: of the same family, and not worse."""


@dataclass(frozen=True)
class Delta:
    """Champion's log loss minus challenger's, nats a match, over the n matches that both forecast: over 0 the
    challenger is better. low, high: its 95 % interval; None under five match days. seasons: how many they are of."""

    mean: float
    low: float | None
    high: float | None
    n: int
    seasons: int

    def __str__(self) -> str:
        if self.low is not None and max(abs(self.low), abs(self.high or 0.0)) <= ROUNDING:
            return f"no difference over {self.n} matches"
        interval = "" if self.low is None else f" ({self.low:+.4f} to {self.high:+.4f})"
        return f"{self.mean:+.4f}{interval} over {self.n} matches"


@dataclass(frozen=True)
class Ruling:
    """Whether the challenger serves from now on, by which rule, and the sentence that says why."""

    promoted: bool
    rule: Rule
    words: str


@dataclass(frozen=True)
class Windows:
    """The comparisons that the gate judges by; None where there is no match to compare.

    walk_forward: past seasons that both were tried on. live: the official forecasts since the champion serves.
    live_expected: the same, as it would be expected were the market right; of the matches that have one.
    """

    walk_forward: Delta | None = None
    live: Delta | None = None
    live_expected: Delta | None = None


def paired(champion: pd.DataFrame, challenger: pd.DataFrame) -> Delta | None:
    """The paired difference of two forecast frames with results, on the matches of both; None where there is none."""
    both = _both(champion, challenger)
    result = both["result"].to_numpy()
    own, other = (log_loss(both[names].to_numpy(dtype=np.float64), result) for names in (OWN, OTHER))
    return _delta(both, own - other)


def expected(champion: pd.DataFrame, challenger: pd.DataFrame) -> Delta | None:
    """What `paired` would be expected to find were the market's probabilities right, on the matches that have them
    (MARKET of the champion's forecasts): the luck of the results has no part in it (a control variate)."""
    priced = champion[champion[list(MARKET)].notna().all(axis=1)]
    both = _both(priced, challenger, *MARKET)
    own, other, market = (both[list(names)].to_numpy(dtype=np.float64) for names in (OWN, OTHER, MARKET))
    return _delta(both, (market * np.log(other / own)).sum(axis=1))


OWN: Final = list(PROBABILITIES)
OTHER: Final = [f"{name}_other" for name in PROBABILITIES]


def _both(champion: pd.DataFrame, challenger: pd.DataFrame, *more: str) -> pd.DataFrame:
    columns = [*KEY, "kickoff", "result", *PROBABILITIES, *more]
    theirs = challenger.loc[challenger["result"].notna(), [*KEY, *PROBABILITIES]]
    return champion.loc[champion["result"].notna(), columns].merge(theirs, on=list(KEY), suffixes=("", "_other"))


def _delta(both: pd.DataFrame, difference: NDArray[np.float64]) -> Delta | None:
    """The mean difference; its interval is Student's t over match days, whose matches are not independent: the
    linearised variance of a ratio of sums over days (Cochran 1977, Sampling Techniques, ch. 6)."""
    from scipy.stats import t

    if both.empty:
        return None
    mean, seasons = float(difference.mean()), int(both["season"].nunique())
    days = pd.Series(difference - mean).groupby(match_day(both["kickoff"]).to_numpy()).sum().to_numpy()
    if len(days) < FEWEST_DAYS:
        return Delta(mean, None, None, len(both), seasons)
    error = np.sqrt(len(days) / (len(days) - 1) * (days**2).sum()) / len(both)
    reach = float(t.ppf((1.0 + LEVEL) / 2.0, df=len(days) - 1) * error)
    return Delta(mean, mean - reach, mean + reach, len(both), seasons)


def judge(found: Windows, *, refresh: bool, margin: float, min_sample: int) -> Ruling:
    """The gate's rule.

    better: beyond noise on past seasons, or on the live window (each at 2.5 % one-sided, so at 5 % together), and on
    neither worse. On the live window that is judged as a failed check was: where the matches have a market, better by
    the results, and by what is expected if the market is right better beyond noise and by more than the margin; else
    beyond noise by the results. The margin is asked for there because an expectation has no luck in it: of two fits of
    one recipe it tells which is nearer to the truth by a ten-thousandth of a nat, and such models are equal.
    worse: on a window, beyond noise by more than the margin (nats a match); if the market is right only where the
    results do not say better.
    refresh: a training of the same family that is routine, or for drift when a routine one is due, need not be better,
    only not worse: on no window as above, and on past seasons the mean difference is at least -margin, noise or not.
    Each window speaks for itself: of the same code past seasons say nothing, since its forecasts of them are the same.
    A live window of under `min_sample` matches is no proof of anything.
    """
    past, live, sure = found.walk_forward, found.live, found.live_expected
    if past is None or past.seasons < FEWEST_SEASONS:
        seasons = 0 if past is None else past.seasons
        return Ruling(
            False, "better", f"refused: both were tried on {seasons} seasons, and {FEWEST_SEASONS} are needed"
        )
    live, sure = (delta if delta is not None and delta.n >= min_sample else None for delta in (live, sure))
    windows = {"past seasons": past, "live window": live, "live window if the market is right": sure}
    shown = "; ".join(f"{name} {delta}" for name, delta in windows.items() if delta is not None)
    worse = [name for name, delta in windows.items() if _surely_worse(delta, margin)]
    if live is not None and live.mean > 0.0:  # the results speak for who knows better than the market
        worse = [name for name in worse if windows[name] is not sure]
    if worse:
        where = " and ".join(worse)
        return Ruling(False, "better", f"refused: worse on its {where} by more than {margin} nats a match ({shown})")
    better = ["past seasons"] if _surely_over_0(past) else []
    if sure is None:
        better += ["live window"] if _surely_over_0(live) else []
    elif live is not None and live.mean > 0.0 and sure.mean > margin and _surely_over_0(sure):
        better.append("live window")
    if better:
        return Ruling(True, "better", f"promoted: better beyond noise on its {' and '.join(better)} ({shown})")
    if refresh and past.mean >= -margin:
        words = f"promoted: a refresh, beyond noise not worse by more than {margin} nats a match ({shown})"
        return Ruling(True, "refresh", words)
    nor = f", and on past seasons worse by more than {margin} nats a match" if refresh else ""
    return Ruling(False, "better", f"refused: not better beyond noise{nor} ({shown})")


def _surely_over_0(delta: Delta | None) -> bool:
    return delta is not None and delta.low is not None and delta.low > ROUNDING


def _surely_worse(delta: Delta | None, margin: float) -> bool:
    return delta is not None and delta.high is not None and delta.high < -margin
