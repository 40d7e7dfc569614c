"""What a season's file has to keep before any of it is stored: the claims, and those that need more than the file.

Each claim is one asset check. What a row alone can break is found where rows are read (`sources.layout`) and by
`core.matches.validate`; here is what takes the calendar, the names of teams, or what was known before.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from difflib import get_close_matches
from typing import Final

import pandas as pd

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import KEY, Where, check_full_season, season_name

CLAIMS: Final[dict[str, str]] = {
    "files_arrive_whole": "Every file is there, is the one that was asked for, and ends where a line ends.",
    "columns_are_known": "Every column that files of the season have is there; the names of new ones are shown.",
    "rows_are_readable": "Every row has a date and a time that exist, and nothing outside the named columns.",
    "teams_are_known": "Every team's name is one that the first or second division had before.",
    "pairings_are_unique": "A season has each pairing once.",
    "dates_lie_in_the_season": "Every match is played in its season, and no team plays twice a day.",
    "scores_are_plausible": "Goals, result and shots are possible, and agree with each other.",
    "odds_are_plausible": "Prices are over 1 and carry a bookmaker's margin; nearly none had to be discarded.",
    "finished_seasons_are_complete": "A season that is over is a full double round robin with every result.",
    "results_are_kept": "No result that was known has changed or vanished.",
}
"""Name of each asset check, and what it claims."""

SLIPS: Final = 2
MOST_DISCARDED: Final = 0.02
"""Consensus prices of a season that may be impossible, two or this share: more is no slip but a column mixed up."""


def teams_in(season: int, division: str) -> int:
    """How many teams play: E0 had 22 until 1994/95 and has had 20 since, E1 has had 24 throughout."""
    return 24 if division == "E1" else 22 if season < 1995 else 20


def is_over(season: int, as_of: datetime) -> bool:
    """From 1 August after it a season must be complete; the latest end was that of 2019/20, on 26 July 2020."""
    return as_of >= datetime(season + 1, 8, 1, tzinfo=timezone.utc)


def check_teams(matches: pd.DataFrame, where: Where, known: Collection[str]) -> None:
    """FeedError naming the first unknown team and the nearest known ones."""
    unknown = sorted((set(matches["home_team"]) | set(matches["away_team"])) - set(known))
    if unknown:
        nearest = get_close_matches(unknown[0], sorted(known), n=3, cutoff=0.4)
        like = f"; the nearest known are {', '.join(nearest)}" if nearest else ""
        theirs = matches[(matches["home_team"] == unknown[0]) | (matches["away_team"] == unknown[0])].iloc[0]
        raise FeedError(
            f"{where.row(theirs)}: team {unknown[0]!r} is unknown ({len(unknown)} such names){like}; correct the name, "
            "or add a team that is new to PL_NEW_TEAMS",
            "teams_are_known",
        )


def check_odds(matches: pd.DataFrame, discarded: Mapping[str, int], where: Where) -> None:
    """FeedError if more of the consensus prices were discarded as impossible than slips explain."""
    lost, kept = discarded.get("odds", 0), int(matches["home_odds"].notna().sum())
    if lost > max(SLIPS, MOST_DISCARDED * (lost + kept)):
        raise FeedError(
            f"{where.file}: {lost} of {lost + kept} consensus prices of home, draw, away are impossible, more than "
            f"{MOST_DISCARDED:.0%}; the columns may be mixed up: fetch the file again",
            "odds_are_plausible",
        )


def check_results_kept(matches: pd.DataFrame, stored: pd.DataFrame, where: Where) -> None:
    """FeedError if a result of `stored`, the matches of the same season as known so far, is another one or gone now."""
    known = stored[stored["result"].notna()]
    both = known.merge(matches, on=list(KEY), how="left", suffixes=("", "_now"))
    for problem, broken in (
        ("vanished", both["result_now"].isna()),
        ("changed", (both["home_goals"] != both["home_goals_now"]) | (both["away_goals"] != both["away_goals_now"])),
    ):
        bad = both[broken.fillna(False).astype(bool)]
        if len(bad):
            first = bad.iloc[0]
            now = "no longer there" if problem == "vanished" else f"{first['home_goals_now']}-{first['away_goals_now']}"
            match = f"{season_name(first['season'])} {first['home_team']} v {first['away_team']}"
            raise FeedError(
                f"{where.row(first)}: {len(bad)} known results {problem}: {match} was "
                f"{first['home_goals']}-{first['away_goals']} and is {now}; if the site corrected it, materialize "
                "matches with accept_changed_results",
                "results_are_kept",
            )


def check_season(
    matches: pd.DataFrame,
    discarded: Mapping[str, int],
    stored: pd.DataFrame,
    *,
    where: Where,
    season: int,
    division: str,
    as_of: datetime,
    known_teams: Collection[str],
) -> None:
    """Everything in this module, on the valid match frame of one season. FeedError for the first claim that fails.

    stored: the season's matches whose results must still be those.
    """
    check_teams(matches, where, known_teams)
    check_odds(matches, discarded, where)
    check_results_kept(matches, stored, where)
    if is_over(season, as_of):
        check_full_season(matches, where.file, teams_in(season, division))
