"""Are the data as new as the calendar allows? Pure rules, so that summer and international breaks are no alarm.

football-data.co.uk publishes no calendar: a season's file holds what was played, the list of fixtures the next three or
four days. So what is due follows from what is known: a fixture that should have a result, and how long breaks are.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

import pandas as pd

from pl_predictor.core.feed_contract import teams_in
from pl_predictor.core.matches import last_odds_collection, season_name

RESULT_DUE: Final = timedelta(hours=72)
"""Results come from five hours after the final whistle on, as a rule the next day."""
LONGEST_BREAK: Final = timedelta(days=21)
"""Days without a match while a season is on. In 31 seasons only the pandemic and a World Cup in winter took longer."""
RENEWAL_DUE: Final = timedelta(hours=24)
"""After a Tuesday's or Friday's renewal of the list of fixtures."""

State = Literal["ok", "no_round_published", "feed_stale", "feed_broken"]


@dataclass(frozen=True)
class Freshness:
    """Whether results are as new as they can be, and why one thinks so."""

    fresh: bool
    reason: str


@dataclass(frozen=True)
class FixtureState:
    """What the list of fixtures is worth, and why."""

    state: State
    reason: str


def results_freshness(matches: pd.DataFrame, as_of: datetime) -> Freshness:
    """Judge the results of a match frame of one division: stale if a result is overdue at `as_of`.

    A fixture without a result is overdue only if no later match has one: else it was postponed.
    """
    played = matches[matches["result"].notna()]
    if played.empty:
        return Freshness(False, "no result is known yet")
    newest = played["kickoff"].max()
    waiting = matches[
        matches["result"].isna() & (matches["kickoff"] > newest) & (matches["kickoff"] <= as_of - RESULT_DUE)
    ]
    if len(waiting):
        first, days = waiting.iloc[0], (as_of - waiting["kickoff"].iloc[0]).days
        match = f"{first['home_team']} v {first['away_team']} of {first['kickoff']:%d %B %Y}"
        return Freshness(False, f"{match} has no result after {days} days")
    season = int(played["season"].max())
    teams, age = teams_in(season, "E0"), as_of - newest
    if int((played["season"] == season).sum()) == teams * (teams - 1):
        due = datetime(season + 1, 9, 1, tzinfo=timezone.utc)
        if as_of < due:
            return Freshness(True, f"season {season_name(season)} is complete and the next begins in August")
        return Freshness(False, f"season {season_name(season)} is complete and no result of the next is known")
    if age > LONGEST_BREAK:
        return Freshness(
            False, f"the newest result is {age.days} days old, and no break lasts over {LONGEST_BREAK.days}"
        )
    return Freshness(True, f"the newest result is {max(age.days, 0)} days old, and none is overdue")


def fixture_state(coming: pd.DataFrame, newest_listed: datetime | None, as_of: datetime) -> FixtureState:
    """Judge a list of fixtures: those of the division that are to come, and the latest kick-off of any that it lists.

    The list is renewed on Tuesdays and Fridays and covers all leagues: one that ends before its last renewal was due is
    stale, except in June and July, when nobody plays.
    """
    if len(coming):
        return FixtureState("ok", f"{len(coming)} fixtures, the first on {coming['kickoff'].min():%d %B %Y}")
    if newest_listed is None:
        return FixtureState("no_round_published", "the list is empty")
    until = f"the list goes to {newest_listed:%d %B %Y}"
    if as_of.month in {6, 7}:
        return FixtureState("no_round_published", f"{until}: close season")
    if newest_listed < last_odds_collection(as_of - RENEWAL_DUE):
        return FixtureState("feed_stale", f"{until} and was not renewed since")
    return FixtureState("no_round_published", f"{until} and has no Premier League match to come")
