"""Where matches come from: one interface, several sources, chosen by name.

A source answers one question: what was knowable about matches at a moment. The interface is `sources.interface`; what
a match is belongs to `core.matches`, the file layout to `sources.layout`, storing to `intake`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pl_predictor.core.errors import PredictorError
from pl_predictor.sources.download import Patience
from pl_predictor.sources.football_data import ADDRESSES, FootballData
from pl_predictor.sources.interface import MatchSource
from pl_predictor.sources.snapshot import Snapshot

__all__ = ["MatchSource", "SourceOptions", "get_source"]


@dataclass(frozen=True)
class SourceOptions:
    """What can be said of a source besides its name: where it is (addresses, or a folder, in the order to try them),
    and the seconds between two requests."""

    addresses: tuple[str, ...] = ADDRESSES
    interval: float = 1.0


_SOURCES: Final[dict[str, Callable[[SourceOptions], MatchSource]]] = {
    FootballData.name: lambda options: FootballData(options.addresses, Patience(interval=options.interval)),
    Snapshot.name: lambda _: Snapshot(),
}


def get_source(name: str, options: SourceOptions | None = None) -> MatchSource:
    """The source of that name. Raises PredictorError for an unknown one."""
    if name not in _SOURCES:
        known = ", ".join(sorted(_SOURCES))
        raise PredictorError(f"there is no match source {name!r}; set PL_SOURCE to one of: {known}")
    return _SOURCES[name](options or SourceOptions())
