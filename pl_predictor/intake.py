"""From a source into the tables: a season at a time, whole or not at all.

A season that breaks the contract is refused, the others land, and what was there stays. Only when matches and prices of
a season are stored is its file noted as accepted: whoever is killed in between does it again, to the same end.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from pl_predictor.core.errors import FeedError
from pl_predictor.core.feed_contract import check_season, check_teams
from pl_predictor.core.freshness import FixtureState, fixture_state
from pl_predictor.core.matches import KEY, known_at, upcoming
from pl_predictor.sources.download import Unreachable
from pl_predictor.sources.interface import MatchSource, SeasonFile
from pl_predictor.sources.layout import Parsed
from pl_predictor.storage.feed import FeedStorage, FileState
from pl_predictor.storage.matches import Changes, MatchStorage


@dataclass(frozen=True)
class SeasonIntake:
    """What became of one season's file: the row of `feed_files`, and what it changed in `matches` and `match_odds`."""

    file: FileState
    changes: Changes
    new_odds: int


@dataclass(frozen=True)
class Intake:
    """Takes in what a source has. `known_teams`: the names that are no mistake."""

    source: MatchSource
    matches: MatchStorage
    feed: FeedStorage
    known_teams: Collection[str]

    def seasons(
        self, as_of: datetime, *, refetch: bool = False, accept_changed_results: bool = False
    ) -> list[SeasonIntake]:
        """Take in every season that may say something new."""
        return [
            self._season(file, as_of, accept_changed_results)
            for file in self.source.seasons(as_of, self.feed, refetch=refetch)
        ]

    def _season(self, file: SeasonFile, as_of: datetime, accept_changed_results: bool) -> SeasonIntake:
        about = (file.path, file.season, file.division, self.source.name)
        changes, new_odds = Changes(0, 0, 0), 0
        error, parsed = file.error, file.parsed
        if parsed is not None:
            error = self._broken(file, parsed, as_of, accept_changed_results)
        if error is not None:
            state = "unreachable" if isinstance(error, Unreachable) else "refused"
            became = FileState(*about, state, claim=error.claim, problem=str(error))
        elif parsed is not None:
            changes = self.matches.store_matches(parsed.matches, self.source.name, file.division)
            if accept_changed_results:
                withdrawn = self.matches.withdraw_results(parsed.matches, file.season, file.division)
                changes = replace(changes, revised=changes.revised + withdrawn)
            new_odds = self.feed.store_odds(parsed.odds)
            became = FileState(
                *(*about, "accepted", file.digest, len(parsed.matches), parsed.discarded, parsed.unknown_columns)
            )
        else:
            became = FileState(*about, "accepted" if file.digest else "absent", file.digest)
        self.feed.note(became)
        return SeasonIntake(became, changes, new_odds)

    def _broken(
        self, file: SeasonFile, parsed: Parsed, as_of: datetime, accept_changed_results: bool
    ) -> FeedError | None:
        stored = self.matches.season(file.season, file.division)
        try:
            check_season(
                parsed.matches,
                parsed.discarded,
                # In a replay the table may know results that the source does not tell yet at that moment.
                stored.iloc[:0] if accept_changed_results else known_at(stored, as_of, recorded=True),
                where=parsed.where,
                season=file.season,
                division=file.division,
                as_of=as_of,
                known_teams=self.known_teams,
            )
        except FeedError as error:
            return error
        return None

    def fixtures(self, as_of: datetime) -> FixtureState:
        """Take in the list of fixtures: those to come whose result is not known. A broken list changes nothing."""
        found = self.source.fixtures(self.feed)
        if isinstance(found, FixtureState):
            return found
        listed = found.parsed
        try:
            check_teams(listed.matches, listed.where, self.known_teams)
        except FeedError as error:
            return FixtureState("feed_broken", str(error))
        coming = upcoming(listed.matches, as_of, as_of + timedelta(days=365))
        known = pd.concat(
            [self.matches.season(season, "E0") for season in sorted(set(coming["season"].tolist()))] or [coming]
        )
        coming = _without(coming, known[known["result"].notna()])
        if len(coming):
            self.matches.store_matches(coming, self.source.name)
            self.feed.store_odds(listed.odds.merge(coming[list(KEY)], on=list(KEY)))
        state = fixture_state(coming, found.newest_listed, as_of)
        return replace(state, reason=state.reason + _no_longer_listed(known, coming, found.newest_listed, as_of))


def _without(matches: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The matches that are not among the others, by their key (match frames)."""
    keys, other_keys = (pd.MultiIndex.from_frame(frame[list(KEY)]) for frame in (matches, others))
    return matches[~keys.isin(other_keys)]


def _no_longer_listed(
    known: pd.DataFrame, coming: pd.DataFrame, newest_listed: datetime | None, as_of: datetime
) -> str:
    """A clause about fixtures that were known for the days of the list and are not on it: withdrawn, or postponed."""
    if newest_listed is None or known.empty:
        return ""
    gone = _without(upcoming(known, as_of, newest_listed + timedelta(days=1)), coming)
    names = ", ".join(f"{match['home_team']} v {match['away_team']}" for _, match in gone.iterrows())
    return f"; known before and no longer listed: {names}" if names else ""
