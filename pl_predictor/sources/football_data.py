"""football-data.co.uk, live: which of its files are wanted when, and what each of them says now.

A season that is over is fetched once; the running one, and the last one for some weeks, whenever asked, and the site
answers "not modified" as long as nothing is new. What was accepted is not read again, unless the code that reads has
changed: then from the bytes that were kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from pl_predictor.core.errors import FeedError
from pl_predictor.core.freshness import FixtureState
from pl_predictor.sources.download import Download, Folder, HttpSite, Patience, Site, Unreachable
from pl_predictor.sources.fixtures import FILE, FixtureList, parse_fixtures
from pl_predictor.sources.interface import Record, SeasonFile, Shelf
from pl_predictor.sources.layout import parse, season_folder

FIRST_SEASON: Final = 1993
DIVISIONS: Final = ("E0", "E1")
GIVE_UP_AFTER: Final = 3
"""Files in a row that nobody answers for: then the site is not asked for the others."""
ADDRESSES: Final = ("https://www.football-data.co.uk", "https://football-data.co.uk")


@dataclass(frozen=True)
class FootballData:
    """The site at `addresses` (http, https), or a folder laid out as it."""

    addresses: tuple[str, ...] = ADDRESSES
    patience: Patience = field(default_factory=Patience)
    first_season: int = FIRST_SEASON
    name: ClassVar[str] = "football-data"

    def default_as_of(self) -> None:
        """Now."""

    @cached_property
    def _site(self) -> Site:
        """One for as long as this object lives: its pause between requests is between all of them."""
        if self.addresses[0].startswith(("http://", "https://")):
            return HttpSite(self.addresses, self.patience)
        return Folder(Path(self.addresses[0]))

    def end(self) -> None:
        """See MatchSource."""

    def seasons(self, as_of: datetime, shelf: Shelf, *, refetch: bool = False) -> Iterator[SeasonFile]:
        """Every season of both divisions that may say something new, newest first; see MatchSource."""
        unanswered = 0
        for season in range(running_season(as_of), self.first_season - 1, -1):
            for division in DIVISIONS:
                path = f"mmz4281/{season_folder(season)}/{division}.csv"
                record = shelf.record(path)
                settled = is_settled(season, as_of) and not refetch
                if settled and self._is_done(record):
                    continue
                try:
                    if unanswered >= GIVE_UP_AFTER:
                        raise Unreachable(f"{path} was not asked for: nobody answers at {' or '.join(self.addresses)}")
                    found = self._content(path, record, shelf, settled=settled)
                    unanswered = 0
                    yield self._season(season, division, path, found, record)
                except Unreachable as error:
                    unanswered += GIVE_UP_AFTER if error.dead else 1
                    yield SeasonFile(season, division, path, error=error)
                except FeedError as error:
                    unanswered = 0
                    yield SeasonFile(season, division, path, error=error)

    def _is_done(self, record: Record | None) -> bool:
        """Whether a season that is over need not be looked at: read, or known not to be there."""
        if record is None:
            return False
        absent = record.state == "absent" and isinstance(self._site, HttpSite)
        return absent or (record.state == "accepted" and record.by_todays_code)

    def _content(self, path: str, record: Record | None, shelf: Shelf, *, settled: bool) -> Download | None:
        """What the site has now; of a settled season the bytes that older code accepted, which nobody sends again.

        Only what was accepted is named to the site as known: a damaged copy must not stand for the file.
        """
        known = shelf.latest(path)
        trusted = known if known is not None and record is not None and known.digest == record.accepted else None
        if settled and trusted is not None and record is not None and record.state == "accepted":
            return trusted
        found = self._site.get(path, trusted)
        if found is not None and found is not trusted:
            shelf.keep(found)
        return found

    def _season(
        self, season: int, division: str, path: str, found: Download | None, record: Record | None
    ) -> SeasonFile:
        if found is None:
            if record is not None and record.accepted is not None:
                raise FeedError(f"{path} was there before and is gone: look at the address", "files_arrive_whole")
            return SeasonFile(season, division, path)
        if record is not None and record.by_todays_code and found.digest == record.accepted:
            return SeasonFile(season, division, path, digest=found.digest)
        parsed = parse(found.content, file=found.url, season=season, division=division, complete=True)
        return SeasonFile(season, division, path, digest=found.digest, parsed=parsed)

    def fixtures(self, shelf: Shelf) -> FixtureList | FixtureState:
        """The list of fixtures as the site has it now, or why there is none."""
        known = shelf.latest(FILE)
        try:
            listed = None if known is None else parse_fixtures(known.content, file=known.url)
        except FeedError:  # a damaged copy: ask for the file, whatever the site has told of it
            known = listed = None
        try:
            found = self._site.get(FILE, known)
            if found is None:
                raise FeedError(f"{FILE} is not there: try again later", "files_arrive_whole")
            if listed is not None and found is known:
                return listed
            shelf.keep(found)
            return parse_fixtures(found.content, file=found.url)
        except FeedError as error:
            return FixtureState("feed_broken", str(error))


def running_season(as_of: datetime) -> int:
    """The season of a moment, by its first year; files of a new one appear in August, and may be asked for in July."""
    return as_of.year if as_of.month >= 7 else as_of.year - 1


def is_settled(season: int, as_of: datetime) -> bool:
    """Whether a season's file no longer changes: from two months after the season must be over."""
    return as_of >= datetime(season + 1, 10, 1, tzinfo=timezone.utc)
