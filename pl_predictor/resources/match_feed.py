"""Which matches the platform follows, and which moment it takes for now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor.settings import parse_as_of
from pl_predictor.sources import MatchSource, get_source

AS_OF_TAG = "pl_predictor/as_of"
"""Run tag that sets the moment a run takes for now."""

# Parsing takes longer than everything else that a source does; each process parses once.
_source: Callable[[str], MatchSource] = lru_cache(maxsize=None)(get_source)

SEALING_TAKES = timedelta(minutes=1)

RunContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


@dataclass(frozen=True)
class Moment:
    """The platform's now: `as_of` (UTC), and whether that is a moment of the past lived again."""

    as_of: datetime
    replay: bool


class MatchFeed(dg.ConfigurableResource[Any]):
    """The source and its clock: the run's tag, else `as_of`, else the source's own moment, else the run's start."""

    source: str
    as_of: str | None = None

    def moment(self, context: RunContext) -> Moment:
        """The one moment that every step of this run takes for now."""
        run = context.run
        if AS_OF_TAG in run.tags:
            return Moment(parse_as_of(run.tags[AS_OF_TAG], f"run tag {AS_OF_TAG}"), replay=True)
        if self.as_of:
            return Moment(parse_as_of(self.as_of), replay=True)
        own = _source(self.source).default_as_of()
        if own is not None:
            return Moment(own, replay=True)
        record = context.instance.get_run_record_by_id(run.run_id)
        if record is None:
            raise RuntimeError(f"run {run.run_id} is not in the instance's storage")
        return Moment(record.create_timestamp.astimezone(timezone.utc), replay=False)

    def sealable_after(self, moment: Moment) -> datetime:
        """Forecasts of matches that kick off later than this can be sealed: later than the moment, live than now."""
        return moment.as_of if moment.replay else datetime.now(timezone.utc) + SEALING_TAKES

    def matches(self, moment: Moment) -> pd.DataFrame:
        """What the source knew at that moment (match frame)."""
        return _source(self.source).matches(moment.as_of)
