"""What takes more than the file to see: names, a share of impossible prices, what was known before, the calendar."""

from datetime import datetime, timezone

import pandas as pd
import pytest

from pl_predictor.core.errors import FeedError
from pl_predictor.core.feed_contract import CLAIMS, check_odds, check_results_kept, check_season, check_teams, is_over
from pl_predictor.core.matches import RULES, Where
from pl_predictor.core.teams import TEAMS
from pl_predictor_tests.frames import fixture, matches, played

FILE = Where("E0.csv", {("Chelsea", "Fulham"): 7})
KNOWN = matches(played("Chelsea", "Fulham", "2024-01-13 15:00", 1, 0), fixture("Leeds", "Hull", "2024-01-20 15:00"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nottm Forest", "team 'Nottm Forest' is unknown .*nearest known are Nott'm Forest"),
        ("Manchester Utd", "the nearest known are Man"),
        ("Zzz", "team 'Zzz' is unknown \\(1 such names\\); correct the name, or add a team .* to PL_NEW_TEAMS"),
    ],
)
def test_an_unknown_team_is_refused_with_the_nearest_known(name: str, said: str) -> None:
    with pytest.raises(FeedError, match=said) as refusal:
        check_teams(matches(fixture(name, "Fulham", "2024-01-13 15:00")), FILE, TEAMS)
    assert refusal.value.claim == "teams_are_known"
    check_teams(matches(fixture(name, "Fulham", "2024-01-13 15:00")), FILE, TEAMS | {name})


@pytest.mark.parametrize(
    ("lost", "kept", "refused"),
    [(0, 10, False), (2, 8, False), (3, 7, True), (7, 373, False), (8, 372, True)],
    ids=["none", "two slips in ten", "three", "two per cent", "more"],
)
def test_prices_may_be_impossible_once_in_a_while(lost: int, kept: int, refused: bool) -> None:
    priced = pd.DataFrame({"home_odds": [2.0] * kept})
    if not refused:
        check_odds(priced, {"odds": lost}, FILE)
        return
    with pytest.raises(FeedError, match=rf"{lost} of {lost + kept} consensus prices .* are impossible") as refusal:
        check_odds(priced, {"odds": lost}, FILE)
    assert refusal.value.claim == "odds_are_plausible"


def test_a_fixture_may_move_vanish_or_be_played_and_a_result_may_not_change() -> None:
    moved = matches(played("Chelsea", "Fulham", "2024-02-13 15:00", 1, 0))
    check_results_kept(moved, KNOWN, FILE)
    check_results_kept(matches(played("Chelsea", "Fulham", "2024-01-13 15:00", 1, 0)), KNOWN, FILE)
    with pytest.raises(FeedError, match=r"E0.csv, line 7: 1 known .* Chelsea v Fulham was 1-0 and is 2-1"):
        check_results_kept(matches(played("Chelsea", "Fulham", "2024-01-13 15:00", 2, 1)), KNOWN, FILE)
    with pytest.raises(FeedError, match="Chelsea v Fulham was 1-0 and is no longer there"):
        check_results_kept(matches(played("Fulham", "Chelsea", "2024-01-13 15:00", 2, 1)), KNOWN, FILE)
    with pytest.raises(FeedError, match="Chelsea v Fulham was 1-0 and is no longer there"):
        check_results_kept(matches(fixture("Chelsea", "Fulham", "2024-01-13 15:00")), KNOWN, FILE)


@pytest.mark.parametrize(("as_of", "over"), [("2024-07-31", False), ("2024-08-01", True)])
def test_a_season_that_is_over_is_complete(as_of: str, over: bool) -> None:
    moment = datetime.fromisoformat(as_of).replace(tzinfo=timezone.utc)
    assert is_over(2023, moment) is over
    arguments = {"where": FILE, "season": 2023, "division": "E0", "as_of": moment, "known_teams": TEAMS}
    if not over:
        check_season(KNOWN, {}, KNOWN.iloc[:0], **arguments)  # type: ignore[arg-type]
        return
    with pytest.raises(FeedError, match="a finished season of 20 teams") as refusal:
        check_season(KNOWN, {}, KNOWN.iloc[:0], **arguments)  # type: ignore[arg-type]
    assert refusal.value.claim == "finished_seasons_are_complete"


def test_a_season_that_is_over_is_not_empty_either() -> None:
    moment = datetime(2024, 8, 1, tzinfo=timezone.utc)
    with pytest.raises(FeedError, match="but found 0 teams, 0 matches"):
        check_season(
            *(KNOWN.iloc[:0], {}, KNOWN.iloc[:0]),
            **{"where": FILE, "season": 2023, "division": "E0", "as_of": moment, "known_teams": TEAMS},  # type: ignore[arg-type]
        )


def test_every_rule_of_a_match_belongs_to_a_claim() -> None:
    assert {rule.claim for rule in RULES} <= set(CLAIMS)
