"""The gate: may a challenger serve in the champion's place?

Here: the paired comparison of two models' forecasts of the same matches, and the rule. Not here: where the forecasts
come from (core/walk_forward.py, the official forecasts of core/settlement.py), and what a promotion moves
(resources/model_registry.py).
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from pl_predictor.core.matches import KEY, match_day
from pl_predictor.core.scoring import FEWEST_DAYS, LEVEL, PROBABILITIES, log_loss

FEWEST_SEASONS: Final = 5
"""Seasons that both models must have been tried on."""

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
        interval = "" if self.low is None else f" ({self.low:+.4f} to {self.high:+.4f})"
        return f"{self.mean:+.4f}{interval} over {self.n} matches"


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger serves from now on, by which rule, and the sentence that says why."""

    promoted: bool
    rule: Rule
    words: str


def paired(champion: pd.DataFrame, challenger: pd.DataFrame) -> Delta | None:
    """The paired difference of two forecast frames with results, on the matches of both; None where there is none.

    The interval is Student's t over match days, whose matches are not independent: the linearised variance of a ratio
    of sums over days (Cochran 1977, Sampling Techniques, ch. 6).
    """
    from scipy.stats import t

    columns = [*KEY, "kickoff", "result", *PROBABILITIES]
    theirs = challenger.loc[challenger["result"].notna(), [*KEY, *PROBABILITIES]]
    both = champion.loc[champion["result"].notna(), columns].merge(theirs, on=list(KEY), suffixes=("", "_other"))
    if both.empty:
        return None
    result = both["result"].to_numpy()
    own, other = (
        log_loss(both[[f"{name}{suffix}" for name in PROBABILITIES]].to_numpy(dtype=np.float64), result)
        for suffix in ("", "_other")
    )
    difference = own - other
    mean, seasons = float(difference.mean()), int(both["season"].nunique())
    days = pd.Series(difference - mean).groupby(match_day(both["kickoff"]).to_numpy()).sum().to_numpy()
    if len(days) < FEWEST_DAYS:
        return Delta(mean, None, None, len(both), seasons)
    error = np.sqrt(len(days) / (len(days) - 1) * (days**2).sum()) / len(both)
    reach = float(t.ppf((1.0 + LEVEL) / 2.0, df=len(days) - 1) * error)
    return Delta(mean, mean - reach, mean + reach, len(both), seasons)


def judge(walk_forward: Delta | None, live: Delta | None, *, refresh: bool, margin: float, min_sample: int) -> Verdict:
    """The gate's rule on the two windows: past seasons of both models, and the matches since the champion serves.

    better: beyond noise on one of the windows (each at 2.5 % one-sided, so at 5 % together), and on neither worse.
    refresh: a routine training of the same family need not be better, only not worse. Not worse: over all matches the
    mean difference is at least -margin (nats a match), and on no window is all of the interval below it. A live window
    of under `min_sample` matches is no proof of anything.
    """
    if walk_forward is None or walk_forward.seasons < FEWEST_SEASONS:
        found = 0 if walk_forward is None else walk_forward.seasons
        return Verdict(False, "better", f"refused: both were tried on {found} seasons, and {FEWEST_SEASONS} are needed")
    windows = {"past seasons": walk_forward}
    if live is not None and live.n >= min_sample:
        windows["live window"] = live
    shown = "; ".join(f"{name} {delta}" for name, delta in windows.items())
    total = sum(delta.n for delta in windows.values())
    mean = sum(delta.n * delta.mean for delta in windows.values()) / total
    worse = [name for name, delta in windows.items() if delta.high is not None and delta.high < -margin]
    if mean < -margin or worse:
        where = f" on its {worse[0]}" if worse else ""
        return Verdict(False, "better", f"refused: worse{where} by more than {margin} nats a match ({shown})")
    better = [name for name, delta in windows.items() if delta.low is not None and delta.low > 0.0]
    if better:
        return Verdict(True, "better", f"promoted: better beyond noise on its {' and '.join(better)} ({shown})")
    if refresh:
        return Verdict(True, "refresh", f"promoted: a refresh, not worse by more than {margin} nats a match ({shown})")
    return Verdict(False, "better", f"refused: not better beyond noise ({shown})")
