"""`pl-predictor replay`: a season lived again, tick by tick, through the very same jobs, checks and sensors.

Each tick is a run of the job `loop` whose tag says what time it is; then what the checks call for, and the routine
training if one is due, exactly as live. Two ways to have runs executed: by the daemon and its sensors, or, quickly, in
this process. A replay that was killed goes on where it stood; one that keeps a pace tries again what failed.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.loop import LoopResult, Say, collect, execute_in_process, migrate, run_loop
from pl_predictor.settings import Settings
from pl_predictor.sources import get_source

if TYPE_CHECKING:
    import dagster as dg

    from pl_predictor.decisions import Decisions
    from pl_predictor.resources.postgres import Postgres

STEPS: Final = {"week": timedelta(days=7), "day": timedelta(days=1)}
MONDAY: Final = 0
TRIES: Final = 3
"""Failures of one moment in a row that end a replay which keeps a pace."""


class TickFailed(PredictorError):
    """What the moment `as_of` asks for did not come about; the home has lived all that came before it."""

    def __init__(self, as_of: datetime, reason: str) -> None:
        super().__init__(reason)
        self.as_of = as_of


class Conductor(Protocol):
    """Who has the runs of a replay executed."""

    def run(self, job: str, tags: Mapping[str, str]) -> None:
        """Launch a job and wait for its end; PredictorError if it failed."""

    def waited(self) -> bool:
        """Wait until no training is under way that somebody else launched; False where nobody waits for it."""

    def retrain(self, request: "dg.RunRequest") -> None:
        """See to it that the run which retraining_sensor asks for comes to its end; PredictorError if it failed."""


@dataclass
class InThisProcess:
    """Executes each run here, and does what the sensor would. last: what came of the newest run of the loop."""

    instance: "dg.DagsterInstance"
    last: "dg.ExecuteInProcessResult | None" = None

    def run(self, job: str, tags: Mapping[str, str]) -> None:
        """See Conductor."""
        result = execute_in_process(self.instance, job, tags)
        self.last = result if job == "loop" else self.last

    def waited(self) -> bool:
        """See Conductor."""
        return False

    def retrain(self, request: "dg.RunRequest") -> None:
        """See Conductor."""
        self.run("retraining", request.tags)


def moments(first: datetime, last: datetime, step: str) -> list[datetime]:
    """The moments (UTC) from `first` on, a step apart, and `last`; PredictorError where it comes before `first`."""
    if last < first:
        raise PredictorError(f"--last {last.isoformat()} lies before --first {first.isoformat()}: swap them")
    found = [first]
    while found[-1] + STEPS[step] < last:
        found.append(found[-1] + STEPS[step])
    return found if last == first else [*found, last]


def replay(
    settings: Settings, conductor: Conductor, instance: "dg.DagsterInstance", ticks: list[datetime], step: str, say: Say
) -> Generator[datetime, None, None]:
    """Live through the moments; yields each one that was lived. TickFailed as soon as a run fails."""
    from pl_predictor.decisions import Decisions
    from pl_predictor.resources.model_registry import ModelRegistry
    from pl_predictor.resources.policy import Policy

    _require_the_past(settings, ticks)
    policy, registry = Policy.from_settings(settings), ModelRegistry.from_settings(settings)
    with _tables(settings) as postgres:
        decisions = Decisions(instance, postgres, registry, policy)
        lived = _lived(instance, postgres, ticks)
        for as_of in ticks:
            if lived is not None and as_of < lived:
                continue
            try:
                verdicts = _live(conductor, decisions, as_of, step, loop=as_of != lived)
            except (PredictorError, OperationalError) as error:  # the latter: PostgreSQL is being started again
                raise TickFailed(as_of, str(error)) from error
            for line in _told(postgres, as_of, verdicts):
                say(line)
            yield as_of


def _live(conductor: Conductor, decisions: "Decisions", as_of: datetime, step: str, *, loop: bool) -> str:
    """One moment: the loop, unless it was run before, and what follows from it. Returns what the checks call for."""
    from pl_predictor.assets.occasion import decided
    from pl_predictor.core.retraining import UNDER_WAY
    from pl_predictor.resources.match_feed import AS_OF_TAG, REPLAY_TAG, TICK

    tags = {AS_OF_TAG: as_of.isoformat(), REPLAY_TAG: TICK}
    if loop:
        conductor.run("loop", tags)
    found = decisions.findings()
    decision = decisions.retraining(found, as_of)
    while UNDER_WAY in decision.reason and conductor.waited():  # retraining_sensor was quicker, or a replay was killed
        found = decisions.findings()
        decision = decisions.retraining(found, as_of)
    if decision.retrain:
        conductor.retrain(decisions.request(decision))
    elif step == "week" or as_of.weekday() == MONDAY:
        refresh = decisions.refresh(found, as_of)
        if refresh.retrain:
            conductor.run("weekly_retraining_evaluation", {**tags, **decided(refresh).as_tags()})
    return decision.reason


def paced(
    settings: Settings,
    conductor: Conductor,
    instance: "dg.DagsterInstance",
    ticks: list[datetime],
    step: str,
    say: Say,
    *,
    seconds: float,
) -> None:
    """Live through the moments, one in so many seconds at most. One that fails is said, and tried again after the
    pause; PredictorError once it has failed TRIES times in a row."""
    left, failures = ticks, 0
    while left:
        begun = time.monotonic()
        try:
            with closing(replay(settings, conductor, instance, left, step, say)) as living:
                lived = next(living)
            left, failures = [as_of for as_of in left if as_of > lived], 0
        except TickFailed as failed:
            failures += 1
            if failures == TRIES:
                raise PredictorError(
                    f"the replay stops: {failed.as_of:%Y-%m-%d %H:%M} UTC failed {TRIES} times in a row, at last "
                    f"because {failed}. When its cause is removed, go on with `pl-predictor replay --step {step} "
                    f"--every {seconds:g} --first {failed.as_of.isoformat()}`"
                ) from failed
            say(f"{failed.as_of:%a %d %b %Y %H:%M}  failed, and is tried again in {seconds:g} s: {failed}")
        if left:
            time.sleep(max(0.0, begun + seconds - time.monotonic()))


def own_past(settings: Settings) -> datetime | None:
    """The moment (UTC) of a source of the past; None of one of the present, and where somebody chose a moment, which is
    one to stay at."""
    return None if settings.as_of is not None else get_source(settings.source).default_as_of()


def _require_the_past(settings: Settings, ticks: list[datetime]) -> None:
    if get_source(settings.source).default_as_of() is None and ticks[-1] > datetime.now(timezone.utc):
        raise PredictorError(f"--last {ticks[-1].isoformat()} is still to come: a replay lives the past")


NEWEST_WORK = """
    SELECT max(as_of) FROM
        (SELECT as_of FROM model_predictions UNION ALL SELECT as_of FROM retraining_events) work
"""


def _lived(instance: "dg.DagsterInstance", postgres: "Postgres", ticks: list[datetime]) -> datetime | None:
    """The newest moment that this home has lived by a replay; PredictorError where it knows later ones otherwise."""
    from pl_predictor.resources.match_feed import newest_replayed

    lived = newest_replayed(instance)
    with postgres.engine.connect() as connection:
        newest = connection.scalar(text(NEWEST_WORK))
    later = newest is not None and newest >= ticks[0] and (lived is None or newest > lived)
    following = next((as_of for as_of in ticks if lived is None or as_of > lived), None)
    if later and not (following is not None and following >= newest and _begun(instance, newest)):
        raise PredictorError(
            f"this home has forecasts or decisions of {newest:%Y-%m-%d %H:%M} UTC, which no replay made: begin later "
            "than that, or choose an empty home with PL_HOME"
        )
    if lived is not None and ticks[-1] < lived:
        raise PredictorError(
            f"this home has lived {lived:%Y-%m-%d %H:%M} UTC already, and time does not go back in it: choose an empty "
            "home with PL_HOME"
        )
    return lived


def _begun(instance: "dg.DagsterInstance", as_of: datetime) -> bool:
    """True if a tick of a replay began to live this moment, and may have failed after it had forecast."""
    import dagster as dg

    from pl_predictor.resources.match_feed import AS_OF_TAG, REPLAY_TAG, TICK

    tags = {REPLAY_TAG: TICK, AS_OF_TAG: as_of.astimezone(timezone.utc).isoformat()}
    return instance.get_runs_count(dg.RunsFilter(tags=tags)) > 0


@contextmanager
def _tables(settings: Settings) -> Iterator["Postgres"]:
    """The resource that assets use, for use outside a run."""
    import dagster as dg

    from pl_predictor.resources.postgres import Postgres

    with dg.build_resources({"postgres": Postgres.from_settings(settings)}) as resources:
        yield resources.postgres


TOLD = """
    SELECT (SELECT count(*) FROM model_predictions WHERE as_of = :as_of AND model_version = :version),
           (SELECT count(DISTINCT (season, home_team, away_team)) FROM model_predictions
                WHERE actual_result IS NOT NULL AND as_of <= :as_of),
           (SELECT value FROM model_metrics WHERE metric_type = 'log_loss' AND as_of = :as_of
                AND model_version = :version)
"""


def _told(postgres: "Postgres", as_of: datetime, verdicts: str) -> Iterator[str]:
    """What the tables say of a moment, as lines for a person."""
    champion = postgres.retraining.champion(as_of)
    with postgres.engine.connect() as connection:
        made, settled, loss = connection.execute(text(TOLD), {"as_of": as_of, "version": champion}).one()
    score = "" if loss is None else f", log loss {loss:.3f}"
    yield f"{as_of:%a %d %b %Y %H:%M}  {made:2} forecasts, {settled} settled so far{score}; {verdicts}"
    events = postgres.retraining.events()
    for event in events[events["as_of"] == as_of].itertuples():
        yield f"    {event.cause}: version {event.challenger_version} {event.verdict}"


def live_in_this_process(settings: Settings, ticks: list[datetime], step: str, say: Say) -> LoopResult | None:
    """A whole replay in this process, which needs no server; what its last tick left, None if all was lived before."""
    import dagster as dg

    migrate(settings)
    with dg.DagsterInstance.get() as instance:
        here = InThisProcess(instance)
        for _ in replay(settings, here, instance, ticks, step, say):
            pass
    return None if here.last is None else collect(settings, here.last)


def start(settings: Settings, say: Say) -> LoopResult:
    """The first pass of a platform that starts: the loop once; of a source of the past, on a home that has forecast
    nothing yet, the weeks before its moment first."""
    moment = own_past(settings)
    if moment is None or not settings.lived_days:
        return run_loop(settings, say)
    migrate(settings)
    with _tables(settings) as postgres, postgres.engine.connect() as connection:
        forecast_before = connection.scalar(text("SELECT EXISTS (SELECT FROM model_predictions)"))
    if forecast_before:
        return run_loop(settings, say)
    ticks = moments(moment - timedelta(days=settings.lived_days), moment, "week")
    say(f"Living the {len(ticks)} weeks up to {moment:%d %B %Y}")
    result = live_in_this_process(settings, ticks, "week", say)
    assert result is not None, "nothing was lived before"
    return result


def live_under_the_daemon(
    settings: Settings, first: datetime | None, last: datetime | None, step: str, say: Say, *, seconds: float = 0.0
) -> None:
    """A whole replay by the servers of this home, which must run; with `seconds` at that pace (`paced`).

    first: None to go on a step after what this home has lived; last: None for the source's end. PredictorError for a
    source of the present, which its servers go on to live, and train on.
    """
    import dagster as dg

    from pl_predictor.resources.match_feed import newest_replayed
    from pl_predictor.services.launching import UnderTheDaemon

    source = get_source(settings.source)
    own, its_end = source.default_as_of(), source.end()
    if own is None or its_end is None:
        raise PredictorError(
            f"the servers of the source {settings.source} live the present: replay its past in one process and an "
            "empty home, with --in-process and PL_HOME"
        )
    with dg.DagsterInstance.get() as instance:
        begin, end = first or (newest_replayed(instance) or own) + STEPS[step], last or its_end
        if first is None and begin > end:
            say(f"All that the source has is lived: it ends at {end:%Y-%m-%d %H:%M} UTC")
            return
        conductor, ticks = UnderTheDaemon(settings, instance), moments(begin, end, step)
        if seconds:
            paced(settings, conductor, instance, ticks, step, say, seconds=seconds)
        else:
            for _ in replay(settings, conductor, instance, ticks, step, say):
                pass
