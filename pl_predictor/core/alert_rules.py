"""Which facts are a condition that somebody should know of, and how much it matters. One function a rule.

A rule knows no Dagster: `alert_facts` gathers the facts. What becomes of a condition belongs to `core.alerts`. A rule
that cannot tell, because a run is still at work or its verdict never came, says so: the key is then undecided.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from pl_predictor.core.alerts import Condition, Level
from pl_predictor.core.feed_contract import CLAIMS
from pl_predictor.core.freshness import FixtureState

FRESHNESS_CHECK: Final = "results_are_fresh"
FIXTURES_CHECK: Final = "fixture_list_is_sound"
LEAK_CHECK: Final = "nothing_knows_the_future"
SOURCE_CHECKS: Final = frozenset(CLAIMS) | {FRESHNESS_CHECK, FIXTURES_CHECK}
"""Checks that speak of the source: together they are one alert."""

NAMED_AT_MOST: Final = 10

RunState = Literal["at_work", "succeeded", "failed", "canceled", "deleted"]


@dataclass(frozen=True)
class CheckOutcome:
    """The newest verdict of a check. `severe`: a failure beyond noise, Dagster's severity ERROR."""

    asset: str
    check: str
    passed: bool
    severe: bool
    said: str


@dataclass(frozen=True)
class Unjudged:
    """The newest execution of a check that has no verdict. `started`: its step did begin, in the run of that state."""

    asset: str
    check: str
    run_id: str
    run: RunState
    started: bool

    @property
    def crashed(self) -> bool:
        """True if it began in a run that is over, or a successful run skipped it; else nobody can tell."""
        return self.run == "succeeded" or (self.run == "failed" and self.started)


@dataclass(frozen=True)
class FinishedRun:
    """The last run of a job that came to an end by itself. `reason`: of a failure, in words."""

    job: str
    run_id: str
    failed: bool
    reason: str = ""


@dataclass(frozen=True)
class Unforecast:
    """A match that kicks off soon (UTC) and has no forecast."""

    home_team: str
    away_team: str
    kickoff: datetime


@dataclass(frozen=True)
class Facts:
    """What the rules judge. `forecasting`: a run is at work that may yet forecast; `listed`: the fixture list's state,
    None in a replay; `registry_problem`: why the model registry does not answer, or lacks the version that
    serves."""

    runs: Sequence[FinishedRun] = ()
    verdicts: Sequence[CheckOutcome] = ()
    unjudged: Sequence[Unjudged] = ()
    unforecast: Sequence[Unforecast] = ()
    forecasting: bool = False
    listed: FixtureState | None = None
    registry_problem: str | None = None


@dataclass(frozen=True)
class Judged:
    """The conditions that hold, and the keys of those of which nobody can tell now."""

    conditions: list[Condition] = field(default_factory=list)
    undecided: frozenset[str] = frozenset()


def judge(facts: Facts) -> Judged:
    """Apply every rule."""
    crashed = crashed_checks(facts.unjudged)
    forecasts = missing_forecasts(facts.unforecast, forecasting=facts.forecasting)
    return Judged(
        [
            *failed_runs(facts.runs),
            *failed_checks(facts.verdicts),
            *dead_source(facts.verdicts, facts.listed),
            *dead_registry(facts.registry_problem),
            *crashed.conditions,
            *forecasts.conditions,
        ],
        crashed.undecided | forecasts.undecided,
    )


def failed_runs(last: Iterable[FinishedRun]) -> list[Condition]:
    """A job whose last run failed is an error until a run of it succeeds."""
    return [
        Condition(
            f"run_failed:{run.job}", Level.ERROR, f"{run.job} failed", f"Run {run.run_id}: {run.reason}", run.run_id
        )
        for run in last
        if run.failed
    ]


def check_key(asset: str, check: str) -> str:
    """The key of the alert about a check that failed; those of the source share one."""
    return "source" if check in SOURCE_CHECKS else f"check_failed:{asset}:{check}"


def failed_checks(verdicts: Iterable[CheckOutcome]) -> list[Condition]:
    """A failure beyond noise is a warning, a leak is critical.

    A failure within noise is no alert: a model as good as its threshold would cry half of the time.
    """
    return [
        Condition(
            check_key(found.asset, found.check),
            Level.CRITICAL if found.check == LEAK_CHECK else Level.WARNING,
            f"{found.check.replace('_', ' ')}: failed",
            f"{found.asset}: {found.said}",
        )
        for found in verdicts
        if not found.passed and found.severe and found.check not in SOURCE_CHECKS
    ]


def dead_source(verdicts: Iterable[CheckOutcome], listed: FixtureState | None) -> list[Condition]:
    """One critical alert where a Premier League file is refused or was never had, a result is overdue, or the list of
    fixtures is broken or stale.

    A result that is overdue is so at any severity. The list is judged by its newest state, and not by the check on it,
    which may be older.
    """
    causes = [
        found.said
        for found in verdicts
        if not found.passed
        and (found.check == FRESHNESS_CHECK or (found.severe and found.check in SOURCE_CHECKS - {FIXTURES_CHECK}))
    ]
    if listed is not None and listed.state in {"feed_broken", "feed_stale"}:
        causes.append(f"{listed.state}: {listed.reason}")
    if not causes:
        return []
    return [Condition("source", Level.CRITICAL, "The source of matches is dead or broken", "; ".join(causes))]


def dead_registry(problem: str | None) -> list[Condition]:
    """A registry that does not answer, or lacks the version that serves, is critical: nothing can be forecast by that
    version, and nothing is trained."""
    if problem is None:
        return []
    return [Condition("registry", Level.CRITICAL, "The model registry does not answer, or was replaced", problem)]


def crashed_checks(unjudged: Iterable[Unjudged]) -> Judged:
    """A check that began in a run which is over, and has no verdict, crashed; so did one that a successful run skipped.

    Where the run is at work, was canceled or deleted, or failed before the check began, nobody can tell: of the
    failure speaks the run's own alert.
    """
    conditions, undecided = [], set()
    for found in unjudged:
        key = f"check_crashed:{found.asset}:{found.check}"
        if found.crashed:
            said = f"The check on {found.asset} ended without a verdict, in run {found.run_id}; its last verdict is old"
            title = f"{found.check.replace('_', ' ')}: crashed"
            conditions.append(Condition(key, Level.ERROR, title, said, found.run_id))
        else:
            undecided.add(key)
    return Judged(conditions, frozenset(undecided))


def missing_forecasts(matches: Sequence[Unforecast], *, forecasting: bool) -> Judged:
    """A match about to kick off without a forecast is critical: a forecast cannot be made afterwards.

    A run that is at work may be about to make it.
    """
    key = "no_forecast"
    if not matches:
        return Judged()
    if forecasting:
        return Judged(undecided=frozenset({key}))
    ordered = sorted(matches, key=lambda match: match.kickoff)
    named = [f"{m.home_team} - {m.away_team} ({m.kickoff:%d %b %H:%M} UTC)" for m in ordered[:NAMED_AT_MOST]]
    more = f" and {len(ordered) - NAMED_AT_MOST} more" * (len(ordered) > NAMED_AT_MOST)
    count = f"{len(ordered)} match{'es' * (len(ordered) > 1)} about to kick off without a forecast"
    return Judged([Condition(key, Level.CRITICAL, count, f"No forecast of {', '.join(named)}{more}")])
