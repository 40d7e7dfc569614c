"""How strong each team was before each match."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from pl_predictor.core.errors import FeedError
from pl_predictor.core.matches import match_frame
from pl_predictor.core.ratings import MATCH_RATINGS, RatingRules, rate, rounds
from pl_predictor_tests.core.league import fixtures_only, league

RULES = RatingRules()
LEVEL, HOME = math.exp(RULES.level), math.exp(RULES.level + RULES.home_advantage)


def played(*rows: tuple[int, str, str, str, int | None, int | None], **statistics: tuple[int, int]) -> pd.DataFrame:
    """Match frame of (season, UK time, home, away, goals, goals); statistics of both sides, the same in every match."""
    season, time, home, away, goals_home, goals_away = zip(*rows, strict=True)
    kickoff = pd.to_datetime(list(time)).tz_localize("Europe/London").tz_convert("UTC")
    frame = {
        "season": season,
        "home_team": home,
        "away_team": away,
        "kickoff": kickoff,
        "kickoff_time_known": [True] * len(rows),
        "home_goals": goals_home,
        "away_goals": goals_away,
    }
    for name, (of_home, of_away) in statistics.items():
        frame |= {f"home_{name}": [of_home] * len(rows), f"away_{name}": [of_away] * len(rows)}
    return match_frame(frame)


FIRST = (2020, "2020-09-12 15:00", "A", "B", 3, 0)


def test_at_first_everyone_is_average_and_only_home_advantage_counts() -> None:
    before = rate(played(FIRST)).per_match.iloc[0]
    assert before["expected_home_goals"] == pytest.approx(HOME)
    assert before["expected_away_goals"] == pytest.approx(LEVEL)
    assert (before["home_elo"], before["away_elo"], before["home_attack"]) == (RULES.elo_mean, RULES.elo_mean, 0.0)


def test_a_result_moves_both_sides_by_the_gradient_of_its_likelihood() -> None:
    teams = rate(played(FIRST)).per_team
    assert teams.loc["A", "attack"] == pytest.approx(RULES.learning_rate * (3 - HOME))
    assert teams.loc["B", "defence"] == pytest.approx(-RULES.learning_rate * (3 - HOME))
    assert teams.loc["B", "attack"] == pytest.approx(RULES.learning_rate * (0 - LEVEL))
    assert teams.loc["A", "defence"] == pytest.approx(-RULES.learning_rate * (0 - LEVEL))
    expected = 1 / (1 + 10 ** (-RULES.elo_home / 400))
    assert teams.loc["A", "elo"] == pytest.approx(1500 + RULES.elo_k * (1 - expected))
    assert teams.loc["B", "elo"] == pytest.approx(1500 - RULES.elo_k * (1 - expected))
    assert teams["played"].tolist() == [1, 1]
    assert teams.index.tolist() == ["A", "B"], "strongest first"


@pytest.mark.parametrize(("goals", "score"), [((1, 1), 0.5), ((0, 2), 0.0)])
def test_elo_counts_a_draw_as_half_a_win(goals: tuple[int, int], score: float) -> None:
    expected = 1 / (1 + 10 ** (-RULES.elo_home / 400))
    teams = rate(played((*FIRST[:4], *goals))).per_team
    assert teams.loc["A", "elo"] == pytest.approx(1500 + RULES.elo_k * (score - expected))


WEEKLY = [f"2020-09-{day:02d} 15:00" for day in (5, 12, 19, 26)] + [f"2020-10-{day:02d} 15:00" for day in (3, 10, 17)]


@pytest.mark.parametrize(
    ("statistics", "of_goals", "of_statistics"),
    [
        ({}, 1.0, 0.0),
        ({"shots_on_target": (4, 2)}, 0.55, 0.45 * 0.25 * 4),
        ({"shots": (9, 2)}, 0.90, 0.10 * 0.11 * 9),
        ({"corners": (5, 3)}, 0.75, 0.25 * 0.26 * 5),
        (
            {"shots_on_target": (4, 2), "shots": (9, 2), "corners": (5, 3)},
            0.20,
            0.45 * 0.25 * 4 + 0.10 * 0.11 * 9 + 0.25 * 0.26 * 5,
        ),
    ],
)
def test_each_statistic_that_is_there_counts_as_the_goals_it_usually_makes(
    statistics: dict[str, tuple[int, int]], of_goals: float, of_statistics: float
) -> None:
    teams = rate(played(FIRST, **statistics)).per_team
    scored = of_goals * 3 + of_statistics
    assert teams.loc["A", "attack"] == pytest.approx(RULES.learning_rate * (scored - HOME))


def test_the_going_rate_of_a_shot_follows_the_league() -> None:
    """A league whose shots always miss comes to count them for less."""
    rows = [(2020, day, "A", "B", 0, 0) for day in WEEKLY]
    moved = rate(played(*rows, shots_on_target=(9, 9))).per_match
    surprise = moved["home_attack"].diff().shift(-1) / RULES.learning_rate + moved["expected_home_goals"]
    counted = surprise.dropna() / (RULES.shots_on_target_share * 9)
    assert counted.iloc[0] == pytest.approx(RULES.goals_per_shot_on_target)
    assert (counted.diff().dropna() < 0).all()


def test_home_advantage_and_level_drift_with_the_results() -> None:
    rows = [(2020, day, "A", "B", 0, 3) for day in WEEKLY]
    later = rate(played(*rows)).per_match
    # A's and B's own ratings explain most of it; what both have in common moves too, without them.
    ratio = np.log((later["expected_home_goals"] / later["expected_away_goals"]).to_numpy())
    advantage = ratio - (later["home_attack"] - later["away_defence"] - later["away_attack"] + later["home_defence"])
    assert advantage.iloc[0] == pytest.approx(RULES.home_advantage)
    assert (advantage.diff().dropna() < 0).all()
    level = np.log(later["expected_away_goals"].to_numpy()) - later["away_attack"] + later["home_defence"]
    assert level.iloc[0] == pytest.approx(RULES.level)
    assert (level.diff().dropna() != 0).all()


def test_the_matches_between_two_collections_of_odds_are_rated_before_any_of_them_counts() -> None:
    saturday, sunday = (2020, "2020-09-12 12:30", "A", "B", 5, 0), (2020, "2020-09-13 15:00", "A", "C", 1, 1)
    tuesday = (2020, "2020-09-15 20:00", "A", "D", 1, 1)
    before = rate(played(saturday, sunday, tuesday)).per_match["home_attack"]
    assert before.iloc[:2].tolist() == [0.0, 0.0]
    assert before.iloc[2] == pytest.approx(RULES.learning_rate * (5 - HOME) + RULES.learning_rate * (1 - HOME))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # Saturday to Tuesday afternoon is one round; on Tuesday evening its results are known.
        (["2020-09-12 15:00", "2020-09-14 20:00", "2020-09-15 20:00"], [([], [0, 1]), ([0, 1], [2]), ([2], [])]),
        # A Friday evening's result is not known to the collection of that Friday, but to Tuesday's.
        (["2020-09-11 20:30", "2020-09-12 15:00", "2020-09-15 20:00"], [([], [0, 1]), ([0, 1], [2]), ([2], [])]),
        # A Tuesday's result is known on Wednesday: to Friday's.
        (["2020-09-15 20:00", "2020-09-16 20:00", "2020-09-18 21:00"], [([], [0, 1]), ([0, 1], [2]), ([2], [])]),
        # 00:30 on a Tuesday in the UK, 23:30 UTC on Monday: its day ends after Tuesday's collection.
        (
            ["2020-09-15 00:30", "2020-09-15 20:00", "2020-09-18 21:00"],
            [([], [0]), ([], [1]), ([0, 1], [2]), ([2], [])],
        ),
    ],
)
def test_a_round_knows_the_results_of_days_that_ended_before_its_odds_were_collected(
    times: list[str], expected: list[tuple[list[int], list[int]]]
) -> None:
    matches = played(*((2020, time, f"A{n}", f"B{n}", 1, 0) for n, time in enumerate(times)))
    assert list(rounds(matches)) == expected


def test_pi_ratings_learn_from_the_home_team_at_home_and_less_so_away() -> None:
    pi = rate(played(FIRST)).per_team[["pi_home", "pi_away"]].to_dict("index")
    step = RULES.pi_rate * 3 * math.log10(1 + 3)
    assert pi["A"] == pytest.approx({"pi_home": step, "pi_away": 0.7 * step})
    assert pi["B"] == pytest.approx({"pi_home": -0.7 * step, "pi_away": -step})
    again = rate(played(FIRST, (2020, "2020-09-19 15:00", "A", "B", None, None))).per_match.iloc[1]
    assert again["pi_goal_difference"] == pytest.approx(2 * (10 ** (step / 3) - 1))


def test_a_fixture_is_rated_and_changes_nothing() -> None:
    matches = league(seasons=2)
    unplayed = matches.index.to_series() % 5 == 0
    some = rate(fixtures_only(matches, unplayed))
    without = rate(fixtures_only(matches, unplayed)[~unplayed])
    assert_frame_equal(some.per_match[~unplayed], without.per_match, check_exact=True)
    assert_frame_equal(some.per_team, without.per_team, check_exact=True)
    assert some.per_match.notna().all(axis=None)


def test_between_seasons_a_tenth_of_the_distance_to_the_mean_is_forgotten() -> None:
    season = (FIRST, (2020, "2020-09-19 15:00", "B", "A", 0, 2))
    end = rate(played(*season)).per_team
    start = rate(played(*season, (2021, "2021-08-14 15:00", "A", "B", None, None))).per_team
    for name in ("attack", "defence", "elo"):
        assert_allclose(start[name], end[name].mean() + 0.9 * (end[name] - end[name].mean()), atol=1e-12)
    assert start["played"].tolist() == [0, 0]


def test_the_promoted_start_as_the_bottom_three_of_the_last_table_ended() -> None:
    matches = league(seasons=1)
    table = pd.concat(
        [
            matches.assign(team=matches["home_team"], own=matches["home_goals"], other=matches["away_goals"]),
            matches.assign(team=matches["away_team"], own=matches["away_goals"], other=matches["home_goals"]),
        ]
    )
    margin = table["own"] - table["other"]
    table = table.assign(points=3 * (margin > 0) + (margin == 0), margin=margin)
    ordered = table.groupby("team")[["points", "margin", "own"]].sum().sort_values(["points", "margin", "own"])
    bottom = ordered.index[:3]
    end = rate(matches).per_team
    opening = played((2011, "2011-08-13 15:00", "Newcomer", "Team 00", None, None))
    start = rate(pd.concat([matches, opening], ignore_index=True)).per_team
    for name in ("attack", "defence", "elo"):
        shrunk = end[name].mean() + 0.9 * (end[name] - end[name].mean())
        assert start.loc["Newcomer", name] == pytest.approx(shrunk[bottom].mean(), abs=1e-12)


def test_the_promoted_are_told_apart_by_the_division_below_where_it_is_known() -> None:
    first = (2020, "2020-09-12 15:00", "A", "B", 1, 0)
    opening = (2021, "2021-08-13 20:00", "Up", "A", None, None)
    round_of_it = (first, opening, (2021, "2021-08-14 15:00", "Also up", "B", None, None))
    below = rate(played((2020, "2020-09-12 15:00", "Up", "Also up", 4, 0))).by_season
    there = below[2020]["attack"]
    usual, told, alone, unknown = (
        rate(played(*rows), below=known).per_team["attack"].to_dict()
        for rows, known in (
            (round_of_it, None),
            (round_of_it, below),
            ((first, opening), below),
            (round_of_it, {2019: below[2020]}),
        )
    )
    assert usual["Up"] == usual["Also up"]
    for name in ("Up", "Also up"):
        apart = RULES.promotion_share * (there.to_dict()[name] - there.mean())
        assert told[name] - usual[name] == pytest.approx(apart, abs=1e-12)
    assert alone["Up"] == told["Up"], "whatever else the list of fixtures names by then"
    assert unknown == usual


def test_nobody_is_promoted_from_or_relegated_by_a_season_that_was_not_played() -> None:
    one, none, two = (
        (year, f"{year}-09-12 15:00", home, away, *goals)
        for year, home, away, goals in (
            (2020, "A", "B", (4, 0)),
            (2021, "A", "B", (None, None)),
            (2022, "N", "A", (None, None)),
        )
    )
    after_it = rate(played(one, none, two)).per_team["elo"].to_dict()
    assert after_it["N"] == pytest.approx(RULES.elo_mean, abs=0.5)
    skipped = rate(played(one, two)).per_match.iloc[-1]
    assert skipped["home_promoted"] == 0.0, "who was there in between is not known"


def test_the_promoted_are_those_who_were_not_there_last_season() -> None:
    per_match = rate(league(seasons=2)).per_match
    matches = league(seasons=2)
    for side in ("home", "away"):
        expected = matches[f"{side}_team"] == "Promoted 2011"
        assert (per_match[f"{side}_promoted"] == 1.0).tolist() == expected.tolist()


def test_who_returns_after_a_year_below_is_a_newcomer() -> None:
    two = [(year, f"{year}-09-12 15:00", "A", "B", 4, 0) for year in (2020, 2022)]
    between = (2021, "2021-09-12 15:00", "B", "C", 0, 0)
    teams = rate(played(two[0], between, (2022, "2022-09-12 15:00", "A", "B", None, None))).per_team
    at_first = rate(played(between)).per_team["elo"].mean()
    assert abs(teams["elo"].to_dict()["A"] - at_first) < 5, "the win of 2020 is forgotten"


def test_the_ratings_find_out_who_is_strong() -> None:
    teams = rate(league(seasons=6)).per_team
    known = [f"Team {number:02d}" for number in range(4)]
    assert [name for name in teams.index if name in known] == known
    assert teams["elo"].idxmax() == "Team 00"


def test_the_index_and_order_of_the_matches_are_kept() -> None:
    matches = league(seasons=2)
    shuffled = matches.sample(frac=1, random_state=1)
    per_match = rate(shuffled).per_match
    assert per_match.index.equals(shuffled.index)
    assert_allclose(per_match.sort_index(), rate(matches).per_match, atol=1e-12)


def test_a_match_dated_into_the_next_season_is_refused() -> None:
    with pytest.raises(FeedError, match="C v D of season 2020 is dated after the first match of season 2021"):
        rate(played((2021, "2021-08-14 15:00", "A", "B", 1, 0), (2020, "2021-08-15 15:00", "C", "D", 1, 0)))


def test_no_matches_have_no_ratings() -> None:
    nothing = rate(league(seasons=1).iloc[:0])
    assert list(nothing.per_match.columns) == list(MATCH_RATINGS)
    assert nothing.per_match.empty
    assert nothing.per_team.empty
