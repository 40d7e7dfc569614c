"""Bets on paper through the very assets: taken, completed, settled, scored, and what is refused to them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from sqlalchemy import text

from pl_predictor.core.betting import best_of_each
from pl_predictor.definitions import build_defs
from pl_predictor.resources.match_feed import AS_OF_TAG
from pl_predictor.services.environment import exported
from pl_predictor.settings import Settings
from pl_predictor.storage.bets import BetStorage
from pl_predictor_tests.conftest import Platforms
from pl_predictor_tests.integration.platform import count, database, run, run_json, using

AS_OF, LATER = "2023-12-29T20:00", "2024-01-05T20:00"
EDGE = 0.003
"""At this least edge the fixtures of 29 December 2023 have a bet; at the default none has."""


@pytest.fixture(scope="module")
def installed(platforms: Platforms) -> Iterator[Settings]:
    """A platform on which the loop has run once, by the default rule."""
    with platforms("betting") as settings:
        yield settings


@pytest.fixture(scope="module")
def env(installed: Settings) -> dict[str, str]:
    return {**using(installed), "PL_MIN_EDGE": str(EDGE)}


@pytest.fixture(scope="module")
def first(env: dict[str, str]) -> dict[str, Any]:
    """The loop by the default rule, which finds nothing to bet on."""
    return run_json("run", env={**env, "PL_MIN_EDGE": "0.02"})


def alone(installed: Settings, *names: str, check: str | None = None, as_of: str = AS_OF) -> dg.ExecuteInProcessResult:
    """These assets, or a check of one, materialized without those before them."""
    keys = frozenset(dg.AssetKey(name) for name in names)
    checks = frozenset({dg.AssetCheckKey(dg.AssetKey("bet_ledger"), check)} if check else ())
    with exported(installed), dg.DagsterInstance.get() as instance:
        job = build_defs().resolve_implicit_global_asset_job_def()
        return job.get_subset(asset_selection=keys, asset_check_selection=checks).execute_in_process(
            instance=instance,
            tags={AS_OF_TAG: as_of},
            run_config={"resources": {"policy": {"config": {"min_edge": EDGE}}}},
        )


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def ledger(installed: Settings) -> pd.DataFrame:
    with database(installed, installed.postgres_db) as engine:
        return BetStorage(engine).ledger(replay=True)


def change(installed: Settings, statement: str) -> None:
    with database(installed, installed.postgres_db) as engine, engine.begin() as connection:
        connection.execute(text(statement))


@pytest.fixture(scope="module")
def taken(installed: Settings, first: dict[str, Any]) -> pd.DataFrame:
    """The ledger after the steps of betting alone, of a run that did not come to them, one match having moved since."""
    assert first["forecasts"]
    match = "home_team = 'Liverpool' AND away_team = 'Newcastle' AND season = 2023"
    change(installed, f"UPDATE matches SET kickoff = kickoff + interval '2 hours' WHERE {match}")
    alone(installed, "market_edges", "bet_ledger")
    moved = ledger(installed)
    change(installed, f"UPDATE matches SET kickoff = kickoff - interval '2 hours' WHERE {match}")
    alone(installed, "market_edges", "bet_ledger")
    both = ledger(installed)
    assert set(both["home_team"]) - set(moved["home_team"]) == {"Liverpool"}, "only what did not move could be bet on"
    return both


def test_without_value_there_is_no_bet_and_the_ledger_says_what_came_nearest(
    first: dict[str, Any],
) -> None:
    assert len(first["edges"]) == 3 * len(first["forecasts"]) == 30
    assert first["bets"] == []
    assert "no outcome of 9 fixtures with odds is worth a bet; the most, " in first["reasons"]["bet_ledger"]
    unpriced = {row["home_team"] for row in first["edges"] if row["verdict"] == "no odds"}
    assert unpriced == {forecast["home_team"] for forecast in first["forecasts"] if forecast["home_odds"] is None}


def test_a_run_that_was_cut_short_is_completed_by_its_last_steps(taken: pd.DataFrame, installed: Settings) -> None:
    with database(installed, installed.postgres_db) as engine:
        edges = BetStorage(engine).edges()
    worth = edges[edges["verdict"] == "value"]
    assert len(edges) == 30
    assert set(taken["home_team"]) == set(worth["home_team"]) >= {"Liverpool"}
    bets = taken.merge(worth, on=["season", "home_team", "away_team", "outcome"], suffixes=("", "_worth"))
    assert (bets["odds"] == bets["odds_worth"]).all()
    assert (bets["edge"] >= EDGE).all()
    assert taken["settlement"].isna().all()


def test_a_match_is_bet_on_once(taken: pd.DataFrame, installed: Settings) -> None:
    result = alone(installed, "bet_ledger")
    pd.testing.assert_frame_equal(ledger(installed), taken)
    assert "is bet on already" in shown(result, "bet_ledger")["reason"]


def test_what_moved_in_price_since_the_forecast_is_not_bet_on(taken: pd.DataFrame, installed: Settings) -> None:
    assert len(taken)
    match = "home_team = 'Liverpool' AND away_team = 'Newcastle' AND season = 2023"
    change(installed, f"UPDATE matches SET home_odds = home_odds + 0.1 WHERE {match}")
    result = alone(installed, "market_edges")
    change(installed, f"UPDATE matches SET home_odds = home_odds - 0.1 WHERE {match}")
    assert shown(result, "market_edges")["without_odds"] == 2


def test_another_bankroll_than_the_ledger_began_with_is_an_error(taken: pd.DataFrame, env: dict[str, str]) -> None:
    assert len(taken)
    result = run("run", env={**env, "PL_BANKROLL": "34567.89"})
    assert result.returncode == 1
    assert "the ledger began with 1000.00 units and PL_BANKROLL is 34567.89: set it to 1000.00" in result.stderr


def test_a_later_moment_settles_and_scores_the_bets(
    taken: pd.DataFrame, installed: Settings, env: dict[str, str]
) -> None:
    run_json("run", "--as-of", LATER, env=env)
    settled = ledger(installed).head(len(taken))
    assert set(settled["settlement"]) <= {"won", "lost"}
    last = settled.sort_values(["settled_at", "kickoff", "home_team"])["bankroll_after"].iloc[-1]
    assert last == pytest.approx(1000 + settled["profit"].sum())
    said = "SELECT count(*) FROM betting_scores WHERE slice = 'all' AND metric = 'yield'"
    assert count(installed, said) == 1
    (verdict,) = alone(installed, check="ledger_adds_up", as_of=LATER).get_asset_check_evaluations()
    assert verdict.passed


def test_an_earlier_moment_leaves_the_ledger_as_it_is(
    taken: pd.DataFrame, installed: Settings, env: dict[str, str]
) -> None:
    assert len(taken)
    before = ledger(installed)
    said = run_json("run", "--as-of", "2023-12-30T09:00", env=env)
    assert "the ledger stands at 05 January 2024, 20:00 UTC" in said["reasons"]["bet_ledger"]
    pd.testing.assert_frame_equal(ledger(installed), before)


def test_a_result_that_is_another_one_since_is_told(taken: pd.DataFrame, installed: Settings) -> None:
    bet = ledger(installed).iloc[0]
    other = next(outcome for outcome in "HDA" if (outcome == bet["outcome"]) != (bet["settlement"] == "won"))
    where = f"season = 2023 AND home_team = '{bet['home_team']}' AND away_team = '{bet['away_team']}'"
    change(installed, f"UPDATE matches SET result = '{other}' WHERE {where}")
    (verdict,) = alone(installed, check="ledger_adds_up", as_of=LATER).get_asset_check_evaluations()
    assert not verdict.passed
    assert f"bet {bet['id']} on {bet['outcome']} was {bet['settlement']}" in str(verdict.description)
    assert f"is {other} now" in str(verdict.description)
    assert len(taken)


def test_of_a_fixture_the_outcome_that_is_bet_on_is_shown_before_one_that_is_worth_more() -> None:
    match = {
        "season": 2023,
        "home_team": "Leeds",
        "away_team": "Derby",
        "kickoff": pd.Timestamp("2024-01-13", tz="UTC"),
    }
    rows = [
        {**match, "outcome": outcome, "probability": p, "market_probability": p, "odds": odds, "edge": p * odds - 1.0}
        for outcome, p, odds in (("H", 0.5, 2.1), ("D", 0.3, 3.0), ("A", 0.2, 5.5))
    ]
    worth = pd.DataFrame(rows).assign(verdict=["value", "edge under 2 %", "probability under 30 %"])
    assert best_of_each(worth)["outcome"].tolist() == ["H"]
    assert best_of_each(worth.assign(verdict="probability under 90 %"))["outcome"].tolist() == ["A"]
