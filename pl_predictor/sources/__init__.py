"""Where matches come from: one interface, several sources, chosen by name.

A source answers one question: what was knowable about matches at a moment. What a match is belongs to `core.matches`,
the file layout to `sources.layout`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import pandas as pd

from pl_predictor.core.errors import PredictorError
from pl_predictor.sources.snapshot import Snapshot


class MatchSource(Protocol):
    """Says what was knowable about matches at a moment."""

    @property
    def name(self) -> str:
        """The name that `get_source` knows it by."""

    def default_as_of(self) -> datetime | None:
        """The moment to stand at where none is asked for, in UTC; None stands for now."""

    def matches(self, as_of: datetime) -> pd.DataFrame:
        """A valid match frame of all that was knowable at `as_of` (see `core.matches.known_at`).

        Raises PredictorError where `as_of` lies before the source's first match, FeedError where its files are damaged.
        """


_SOURCES: Final[dict[str, Callable[[], MatchSource]]] = {Snapshot.name: Snapshot}


def get_source(name: str) -> MatchSource:
    """The source of that name. Raises PredictorError for an unknown one."""
    if name not in _SOURCES:
        known = ", ".join(sorted(_SOURCES))
        raise PredictorError(f"there is no match source {name!r}; set PL_SOURCE to one of: {known}")
    return _SOURCES[name]()
