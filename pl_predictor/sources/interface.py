"""What the platform asks of a source, and what a source asks of the platform."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pl_predictor.core.errors import FeedError
from pl_predictor.core.freshness import FixtureState
from pl_predictor.sources.download import Download
from pl_predictor.sources.fixtures import FixtureList
from pl_predictor.sources.layout import Parsed


@dataclass(frozen=True)
class SeasonFile:
    """What a source has of one division in one season.

    With `parsed`, it says something that may be new; with `error`, it could not be read, or not be had; with a `digest`
    alone, it is what was accepted before; with none of these, there is no such file.
    """

    season: int
    division: str
    path: str
    digest: str | None = None
    parsed: Parsed | None = None
    error: FeedError | None = None


@dataclass(frozen=True)
class Record:
    """What became of a file: its state, the digest of what the tables have of it, whether today's code read that."""

    state: str
    accepted: str | None
    by_todays_code: bool


class Shelf(Protocol):
    """Where a source keeps what it downloaded."""

    def latest(self, path: str) -> Download | None:
        """The newest download of that file."""

    def keep(self, download: Download) -> None:
        """Keep a download for ever; of one with the content of the newest, only what the server says of it is new."""

    def record(self, path: str) -> Record | None:
        """What became of that file when it was last looked at; None where it never was."""


class MatchSource(Protocol):
    """Says what was knowable about matches at a moment."""

    @property
    def name(self) -> str:
        """The name that `get_source` knows it by."""

    def default_as_of(self) -> datetime | None:
        """The moment to stand at where none is asked for, in UTC; None stands for now."""

    def end(self) -> datetime | None:
        """The moment (UTC) from which on it says nothing new; None where it is of the present."""

    def seasons(self, as_of: datetime, shelf: Shelf, *, refetch: bool = False) -> Iterator[SeasonFile]:
        """The seasons that may say something new at `as_of`, one at a time, newest first. `refetch`: all there are.

        PredictorError where `as_of` lies before the source's first match.
        """

    def fixtures(self, shelf: Shelf) -> FixtureList | FixtureState:
        """The list of fixtures to come, or the state that there is none for."""
