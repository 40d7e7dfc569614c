"""The packaged matches: a source that needs no network and never changes, for a replay of seasons gone by.

What is in it, and where it came from, stands in `pl_predictor/snapshot/README.md`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

import pandas as pd

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.freshness import FixtureState
from pl_predictor.core.matches import Where, check_full_season, join, known_at, match_day, odds_frame, validate
from pl_predictor.sources.interface import SeasonFile, Shelf
from pl_predictor.sources.layout import Parsed, parse, season_folder

PACKAGED: Final = Path(__file__).parent.parent / "snapshot" / "mmz4281"
SEASONS: Final = range(2014, 2026)
TEAMS: Final = 20

# In the middle of 2023/24, the one season with odds, on a Friday evening when those of the weekend are out.
_DEFAULT_AS_OF: Final = datetime(2023, 12, 29, 20, tzinfo=timezone.utc)
_RESTORE: Final = "restore the file with `git checkout`, or install pl_predictor again"


@dataclass(frozen=True)
class Snapshot:
    """Finished seasons in football-data.co.uk's layout, `<folder>/<yyzz>/E0.csv` for each of `years`."""

    folder: Path = PACKAGED
    years: Sequence[int] = SEASONS
    name: ClassVar[str] = "snapshot"

    def default_as_of(self) -> datetime:
        """29 December 2023, 20:00 UTC."""
        return _DEFAULT_AS_OF

    def end(self) -> datetime:
        """A week after its last match."""
        last: datetime = self._all["kickoff"].max().to_pydatetime()
        return last + timedelta(days=7)

    def seasons(self, as_of: datetime, shelf: Shelf, *, refetch: bool = False) -> Iterator[SeasonFile]:  # noqa: ARG002
        """See MatchSource; nothing here is ever fetched, or refused."""
        known = self.matches(as_of)
        for season in sorted(set(known["season"].tolist()), reverse=True):
            rows = known[known["season"] == season].reset_index(drop=True)
            path = f"{self.name}/{season_folder(season)}/E0.csv"
            yield SeasonFile(season, "E0", path, parsed=Parsed(rows, odds_frame([]), {}, (), Where(path)))

    def fixtures(self, shelf: Shelf) -> FixtureState:  # noqa: ARG002
        """See MatchSource; nobody asks, since the snapshot's moments are of the past."""
        return FixtureState("no_round_published", "the snapshot has no list: its fixtures are among its matches")

    def matches(self, as_of: datetime) -> pd.DataFrame:
        """The match frame of all that was knowable at `as_of`; fixtures of the running season have no result yet.

        Raises FeedError where a file is missing or damaged, PredictorError where `as_of` is before the first match.
        """
        known = known_at(self._all, as_of)
        kickoff = self._all["kickoff"]
        if as_of < kickoff.min():
            first, last = match_day(kickoff).min(), match_day(kickoff).max()
            raise PredictorError(
                f"the {self.name} has matches from {first:%d %B %Y} to {last:%d %B %Y}, none before"
                f" {as_of.isoformat()}; choose a moment after its first match"
            )
        return known

    @cached_property
    def _all(self) -> pd.DataFrame:
        # The files do not change while a process runs.
        matches = join(self._read(season) for season in self.years)
        validate(matches, Where(str(self.folder)))
        return matches

    def _read(self, season: int) -> pd.DataFrame:
        file = self.folder / season_folder(season) / "E0.csv"
        try:
            content = file.read_bytes()
        except OSError as error:
            raise FeedError(f"{file} cannot be read ({error.strerror}); {_RESTORE}") from error
        matches = parse(content, file=str(file), season=season).matches
        check_full_season(matches, str(file), TEAMS)
        return matches
