"""Which matches the platform follows, and which moment it takes for now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import dagster as dg
from pydantic import Field

from pl_predictor.core.teams import TEAMS
from pl_predictor.intake import Intake
from pl_predictor.resources.launchpad import setting, with_defaults
from pl_predictor.settings import Settings, parse_as_of
from pl_predictor.sources import MatchSource, SourceOptions, get_source
from pl_predictor.sources.football_data import ADDRESSES
from pl_predictor.storage.feed import FeedStorage
from pl_predictor.storage.matches import MatchStorage

AS_OF_TAG = "pl_predictor/as_of"
"""Run tag that sets the moment a run takes for now."""
REPLAY_TAG = "pl_predictor/replay"
"""Run tag of the ticks of a replay, always with the same value."""
TICK = "tick"

# Parsing takes longer than everything else that a source does; each process parses once.
_source: Callable[[str, SourceOptions], MatchSource] = lru_cache(maxsize=None)(get_source)

SEALING_TAKES = timedelta(minutes=1)

RunContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


@dataclass(frozen=True)
class Moment:
    """The platform's now: `as_of` (UTC), and whether that is a moment of the past lived again."""

    as_of: datetime
    replay: bool


def newest_replayed(instance: dg.DagsterInstance) -> datetime | None:
    """The moment that the newest tick of a replay has lived; None without any."""
    ticks = dg.RunsFilter(tags={REPLAY_TAG: TICK}, statuses=[dg.DagsterRunStatus.SUCCESS])
    found = instance.get_runs(ticks, limit=1)
    return parse_as_of(found[0].tags[AS_OF_TAG]) if found else None


class MatchFeed(dg.ConfigurableResource[Any]):
    """The source and its clock: the run's tag, else `as_of`, else, of a source of the past, the newest moment replayed
    or its own, else the run's start."""

    source: str = setting("source")
    as_of: str | None = setting("as_of", None)
    football_data_url: str | None = setting("football_data_url", None)
    football_data_interval: float = setting("football_data_interval", 1.0)
    new_teams: str | None = setting("new_teams", None)
    refetch: bool = Field(default=False, description="ask for every season's file again, those that are over included")
    accept_changed_results: bool = Field(
        default=False,
        description="take over results that the site changed or withdrew; else the season is refused",
    )

    @classmethod
    def from_settings(cls, settings: Settings) -> "MatchFeed":
        """The feed that the environment asks for."""
        names = ("source", "as_of", "football_data_url", "football_data_interval", "new_teams")
        return with_defaults(cls, **{name: getattr(settings, name) for name in names})

    def _source(self) -> MatchSource:
        url = self.football_data_url
        addresses = ADDRESSES if url is None else tuple(url.split()) if url.startswith("http") else (url,)
        return _source(self.source, SourceOptions(addresses, self.football_data_interval))

    def of_the_past(self) -> bool:
        """True if the platform stands at a moment of the past unless a run says otherwise."""
        return self.as_of is not None or self._source().default_as_of() is not None

    def moment(self, context: RunContext) -> Moment:
        """The one moment that every step of this run takes for now."""
        run = context.run
        if AS_OF_TAG in run.tags:
            return Moment(parse_as_of(run.tags[AS_OF_TAG], f"run tag {AS_OF_TAG}"), replay=True)
        if self.as_of:
            return Moment(parse_as_of(self.as_of), replay=True)
        own = self._source().default_as_of()
        if own is not None:
            return Moment(newest_replayed(context.instance) or own, replay=True)
        record = context.instance.get_run_record_by_id(run.run_id)
        if record is None:
            raise RuntimeError(f"run {run.run_id} is not in the instance's storage")
        return Moment(record.create_timestamp.astimezone(timezone.utc), replay=False)

    def standing(self, newest: datetime | None) -> Moment:
        """The moment to take for now outside a run: live it is now, in a replay that of the newest features, or where
        there are none the one that a run would take."""
        own = parse_as_of(self.as_of) if self.as_of else self._source().default_as_of()
        return Moment(datetime.now(timezone.utc), replay=False) if own is None else Moment(newest or own, replay=True)

    def sealable_after(self, moment: Moment) -> datetime:
        """Forecasts of matches that kick off later than this can be sealed: later than the moment, live than now."""
        return moment.as_of if moment.replay else datetime.now(timezone.utc) + SEALING_TAKES

    def asked_at(self, moment: Moment) -> datetime:
        """The moment to ask the source for. A live one has what it has now, whatever moment is lived again: the tables
        know what of it was known then."""
        return moment.as_of if self._source().default_as_of() is not None else datetime.now(timezone.utc)

    def intake(self, matches: MatchStorage, feed: FeedStorage) -> Intake:
        """What takes the source's files into these tables."""
        new = {name.strip() for name in (self.new_teams or "").split(",") if name.strip()}
        return Intake(self._source(), matches, feed, TEAMS | new)
