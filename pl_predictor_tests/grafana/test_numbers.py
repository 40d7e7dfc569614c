"""What the boards show of a small season is what the platform's own functions make of it."""

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from grafana.queries import official
from pl_predictor.core.betting_scores import ALL, ledger_scores
from pl_predictor.core.matches import KEY, OUTCOMES
from pl_predictor.core.scoring import PROBABILITIES, calibration_table, confusion, scorecard
from pl_predictor.core.settlement import official_forecasts
from pl_predictor.settings import Settings
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.core.paper_bets import STAKING
from pl_predictor_tests.frames import fixture, forecast
from pl_predictor_tests.grafana.grafana import Frame, answer, ask, asked, connected
from pl_predictor_tests.grafana.macros import expanded
from pl_predictor_tests.grafana.season import EVERYTHING, LAST
from pl_predictor_tests.grafana.written import World
from pl_predictor_tests.storage.ledgers import know

WORDS = dict(zip(OUTCOMES, ("home win", "draw", "away win"), strict=True))


@pytest.fixture(scope="module")
def settled(world: World) -> pd.DataFrame:
    """The settled official forecasts of version 1, by core.settlement."""
    forecasts = world.season.official("1")
    return forecasts[forecasts["result"].notna()].reset_index(drop=True)


@pytest.fixture(scope="module")
def scores(world: World) -> pd.DataFrame:
    """Those of the ledger, by core.betting_scores."""
    season = world.season
    return ledger_scores(season.settled_bets(), season.known(), season.scored_at, began_with=STAKING.bankroll)


def assert_shown(frame: Frame, rows: pd.DataFrame, but: Set[str] = frozenset()) -> None:
    """Each column of the frame is that of the rows with the same name, but some."""
    for name in frame.names:
        if name not in but:
            expected = rows[name].astype(object).where(rows[name].notna(), None).tolist()
            assert frame.column(name) == expected, name


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_official_forecasts_are_those_of_the_platform(world: World, version: str) -> None:
    sql = f"WITH {official(repr(version))} SELECT * FROM official ORDER BY kickoff, home_team"
    with connected(world.settings, "mlops-pg") as connection:
        frame = ask(connection, expanded(sql, world.season.view()))
    expected = world.season.official(version)
    assert len(expected) == (57 if version == "1" else 56)
    for name in (*KEY, "kickoff", "as_of", "prediction", "confidence"):
        assert frame.column(name) == expected[name].tolist()
    assert frame.column("actual_result") == expected["result"].tolist()
    said = [[p[outcome] for outcome in OUTCOMES] for p in frame.column("probabilities")]
    np.testing.assert_allclose(said, expected[list(PROBABILITIES)], atol=1e-12)


def test_a_live_forecast_that_was_written_after_kick_off_is_not_official(engine: Engine) -> None:
    now = datetime.now(timezone.utc)
    later, past = (f"{now + timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S}" for minutes in (60, -1))
    games = [("Chelsea", "Fulham"), ("Arsenal", "Everton")]
    know(engine, *(fixture(*teams, later) for teams in games))
    rows = pd.DataFrame([forecast(*teams, later) for teams in games])
    storage = MetricsStorage(engine)
    as_of = now - timedelta(minutes=2)
    storage.store_predictions(rows, as_of=as_of, replay=False, model_version="1", code_version="abc")
    know(engine, fixture(*games[0], past))  # the list of fixtures had it at a wrong time
    made = storage.get_predictions_by_date_range(as_of, now)
    expected = official_forecasts(made, MatchStorage(engine).season(2023, "E0"))["home_team"].tolist()
    with engine.connect() as connection:
        sql = f"WITH {official(repr('1'))} SELECT home_team FROM official ORDER BY 1"
        assert connection.exec_driver_sql(sql).scalars().all() == expected == ["Arsenal"]


def test_settled_and_waiting_forecasts_are_counted(world: World, settled: pd.DataFrame) -> None:
    assert world.row("performance", "How many forecasts have been judged?") == {"settled": len(settled)}
    for board, title in (
        ("performance", "How many results are missing?"),
        ("predictions", "How many forecasts wait for a result?"),
    ):
        assert world.row(board, title) == {"waiting": 4}
    waits = world.season.games["kickoff"].iloc[-4:].min()
    lag = world.row("performance", "How long has the oldest of them waited?")["days"]
    assert lag == pytest.approx((world.season.end - waits).total_seconds() / 86400)
    forecasts = world.season.official("1").assign(run="run-1")
    waiting = forecasts[forecasts["result"].isna() & (forecasts["kickoff"] < world.season.end)]
    waiting = waiting.sort_values(["kickoff", "home_team"]).assign(prediction=waiting["prediction"].map(WORDS))
    days = (world.season.end - waiting["kickoff"]) / timedelta(days=1)
    frame = world.ask("predictions", "Which forecasts wait for a result?")
    names = {"kickoff": "kick-off", "home_team": "home", "away_team": "away"}
    assert_shown(frame, waiting.rename(columns=names), but={"waits for"})
    np.testing.assert_allclose(frame.column("waits for"), days)


@pytest.mark.parametrize(
    ("board", "title", "metric"),
    [
        ("performance", "How often is it right?", "accuracy"),
        ("performance", "How good is its weighted F1?", "f1_weighted"),
        ("overview", "How good is its F1?", "f1_weighted"),
        ("overview", "How good is its RPS?", "rps"),
    ],
)
def test_a_score_is_that_of_the_scorecard(
    world: World, settled: pd.DataFrame, board: str, title: str, metric: str
) -> None:
    (score,) = scorecard(settled, wanted=(metric,))
    shown = world.row(board, title)
    assert (shown["metric"], shown["value"]) == (f"{score.n} matches", pytest.approx(score.value))


@pytest.mark.parametrize("version", ["0", "15", "3"])
def test_a_version_that_was_never_scored_has_no_score(world: World, version: str) -> None:
    view = replace(world.season.view(), variables={**world.season.view().variables, "version": version})
    for title in ("How often is it right?", "How good is its weighted F1?", "Is it better than the market, lately?"):
        assert answer(world.settings, asked(title, "mlops-performance"), view).rows == []


def test_an_outage_of_a_replay_is_marked_where_it_was_lived(season: Settings) -> None:
    (row,) = answer(season, asked("Source outages", "mlops-overview"), EVERYTHING).rows
    assert row[:2] == (LAST, LAST)


def test_the_lines_end_in_the_newest_scores(world: World, settled: pd.DataFrame) -> None:
    frame = world.ask("performance", "How do accuracy, F1, precision and recall develop?")
    last = dict(zip(frame.column("metric"), frame.column("value"), strict=True))
    called = {
        **{"accuracy": "accuracy", "f1_weighted": "weighted F1"},
        **{"precision_weighted": "weighted precision", "recall_weighted": "weighted recall"},
    }
    assert last == {called[s.metric]: pytest.approx(s.value) for s in scorecard(settled, wanted=tuple(called))}


def test_the_market_and_the_model_are_drawn_by_the_same_matches(world: World, settled: pd.DataFrame) -> None:
    priced = settled[settled["market_home"].notna()].reset_index(drop=True)
    assert len(priced) < len(settled)
    expected = {s.metric: pytest.approx(s.value) for s in scorecard(priced, wanted=("rps", "rps_market"))}
    for board, title in (
        ("performance", "Is the RPS below the market's?"),
        ("overview", "How have the forecasts done?"),
    ):
        frame = world.ask(board, title)
        last = dict(zip(frame.column("metric"), frame.column("value"), strict=True))
        assert last == {"the model": expected["rps"], "the market": expected["rps_market"]}


def test_versions_are_compared_by_their_newest_scores(world: World) -> None:
    frame = world.ask("performance", "Which version is better?")
    assert frame.column("version") == ["2", "1"]
    for version, n, rps in zip(frame.column("version"), frame.column("n"), frame.column("rps"), strict=True):
        (score,) = scorecard(world.season.official(version), wanted=("rps",))
        assert (n, rps) == (score.n, pytest.approx(score.value))


def test_the_confusion_is_that_of_scoring(world: World, settled: pd.DataFrame) -> None:
    frame = world.ask("performance", "Which results are taken for which?")
    expected = confusion(settled["prediction"].to_numpy(), settled["result"].to_numpy()).sum(axis=0).reshape(3, 3)
    assert frame.column("happened") == list(WORDS.values())
    assert [list(row[1:]) for row in frame.rows] == expected.astype(int).tolist()


def test_the_calibration_is_that_of_scoring_over_the_three_results(world: World, settled: pd.DataFrame) -> None:
    frame = world.ask("performance", "Does what is called 60 % happen in 60 % of the cases?")
    table = calibration_table(settled)
    sums = table.assign(forecast=table["forecast"] * table["n"], observed=table["observed"] * table["n"])
    bins = sums.groupby("low")[["forecast", "observed", "n"]].sum()
    bins = bins[bins["n"] >= 10]
    assert len(bins) >= 4
    np.testing.assert_allclose(frame.column("forecast"), bins["forecast"] / bins["n"])
    np.testing.assert_allclose(frame.column("happened"), bins["observed"] / bins["n"])


def test_the_success_of_each_prediction_is_the_share_that_came_true(world: World, settled: pd.DataFrame) -> None:
    frame = world.ask("predictions", "How often does each prediction come true?")
    right = settled.assign(right=settled["prediction"] == settled["result"]).groupby("prediction")
    expected = right.agg(n=("right", "size"), true=("right", "mean"), said=("confidence", "mean"))
    expected = expected.reindex([outcome for outcome in OUTCOMES if outcome in expected.index])
    assert [name.split(" (n = ") for name in frame.column("prediction")] == [
        [WORDS[str(outcome)], f"{n})"] for outcome, n in expected["n"].items()
    ]
    np.testing.assert_allclose(frame.column("came true"), expected["true"])
    np.testing.assert_allclose(frame.column("was promised"), expected["said"])


def test_confidences_and_predictions_are_counted_once_a_match(world: World) -> None:
    forecasts = world.season.official("1")
    sure = world.ask("predictions", "How sure are the forecasts?")
    bins = forecasts.assign(true=forecasts["prediction"] == forecasts["result"]).groupby(
        forecasts["confidence"].floordiv(0.05)
    )
    counted = bins.agg(n=("confidence", "size"), settled=("result", "count"), true=("true", "sum"))
    steps = range(int(counted.index.min()), 20)
    assert sure.column("from") == [f"{step * 5} %" for step in steps]
    assert [list(row[1:]) for row in sure.rows] == counted.reindex(steps, fill_value=0).to_numpy().tolist()
    mix = world.ask("predictions", "What is predicted, week by week?")
    weeks = [moment.timestamp() // (7 * 86400) * 7 * 86400 for moment in forecasts["kickoff"]]
    said = forecasts["prediction"].map(WORDS).groupby([weeks, forecasts["prediction"].map(WORDS)]).size()
    assert {row[:2]: row[2] for row in mix.rows} == said.to_dict()


def test_a_draw_that_is_predicted_as_the_least_likely_result_is_counted_too(season: Settings) -> None:
    with connected(season, "mlops-pg") as connection:
        sql = f"WITH {official(repr('1'))} SELECT count(*), min(confidence) FROM official HAVING min(confidence) < 0.3"
        ((n, _),) = ask(connection, expanded(sql, EVERYTHING)).rows
    sure = answer(season, asked("How sure are the forecasts?", "mlops-predictions"), EVERYTHING)
    assert sum(sure.column("forecasts")) == n


def test_the_fixtures_of_the_next_days_are_those_within_as_many_hours(world: World) -> None:
    assert world.row("overview", "Is all of the next 7 days forecast?") == {"not forecast": 0, "fixtures": 1}
    assert world.row("overview", "How many forecasts in the last 24 hours?") == {"made": 0}
    coming = world.ask("predictions", "What is coming, and what is forecast?")
    assert coming.column("home") == ["Coming 167.5", "Coming 168.5", "Coming 239.5"]
    assert [version is None for version in coming.column("version")] == [False, True, True]


def test_the_market_is_as_often_right_as_its_favourites(world: World, settled: pd.DataFrame) -> None:
    market = settled[["market_home", "market_draw", "market_away"]].to_numpy()
    priced = settled[~np.isnan(market).any(axis=1)]
    favourite = np.array(OUTCOMES)[market[priced.index].argmax(axis=1)]
    assert len(priced) < len(settled)
    assert len(priced) < 50, "too few to say how far ahead it is"
    assert world.row("overview", "Is it right more often than the market?") == {
        "the model": pytest.approx((priced["prediction"] == priced["result"]).mean()),
        "the market": pytest.approx((favourite == priced["result"]).mean()),
        "ahead, at most": None,
        "matches": len(priced),
    }


def test_a_return_is_that_of_the_ledger_with_its_interval(world: World, scores: pd.DataFrame) -> None:
    whole = scores[scores["slice"] == ALL].set_index("metric")
    for board, title, metric in (
        ("overview", "What do the bets on paper return?", "roi"),
        ("betting", "What have the bets returned?", "roi"),
        ("betting", "Do the bets beat the closing line?", "clv"),
    ):
        shown = list(world.row(board, title).values())
        assert shown == [pytest.approx(whole.loc[metric, name]) for name in ("value", "low", "high", "n")]
        assert shown[-1] > 20
    assert world.row("betting", "Do the bets earn what they claim?") == {
        "claimed": pytest.approx(whole.loc["claimed_value", "value"]),
        "earned": pytest.approx(whole.loc["yield", "value"]),
        "bets": whole.loc["yield", "n"],
    }


def test_bankroll_and_drawdown_are_those_of_the_ledger(world: World, scores: pd.DataFrame) -> None:
    whole = scores[scores["slice"] == ALL].set_index("metric")["value"]
    ledger = world.season.bets.ledger(replay=True)
    assert {"won", "lost", "void"} <= set(ledger["settlement"])
    shown = world.row("betting", "How large is the bankroll?")
    assert shown == {
        "bankroll": pytest.approx(whole["bankroll"]),
        "at stake": pytest.approx(ledger.loc[ledger["settlement"].isna(), "stake"].sum()),
        "began with": STAKING.bankroll,
    }
    assert shown["at stake"] > 0
    bets = world.season.settled_bets()
    after = np.array([STAKING.bankroll, *bets["bankroll_after"]])
    below = 1 - after / np.maximum.accumulate(after)
    assert below[1] > 0, "the first bet was lost, from the highest bankroll by then"
    fall = world.row("betting", "How far is the bankroll below its peak?")
    assert fall["at the worst"] == pytest.approx(whole["max_drawdown"])
    assert fall["now"] == pytest.approx(below[-1])
    line = world.ask("betting", "How deep were the falls?")
    worst = pd.Series(below[1:]).groupby(bets["settled_at"].dt.floor("1d").to_numpy()).max()
    np.testing.assert_allclose(line.column("value"), worst)


@pytest.mark.parametrize("interval", ["1m", "1d", "365d"])
def test_the_lines_of_the_ledger_end_where_it_stands(world: World, interval: str) -> None:
    bets = world.season.settled_bets()
    line = world.ask("betting", "How has the bankroll moved?", interval)
    last = dict(zip(line.column("metric"), line.column("value"), strict=True))
    assert last == {"bankroll": pytest.approx(bets["bankroll_after"].iloc[-1]), "began with": STAKING.bankroll}
    won = world.ask("betting", "On which results was it won and lost?", interval)
    last = dict(zip(won.column("metric"), won.column("value"), strict=True))
    by_outcome = bets.groupby("outcome")["profit"].sum()
    expected = {f"on the {WORDS[str(outcome)]}": pytest.approx(profit) for outcome, profit in by_outcome.items()}
    assert last == {"all bets": pytest.approx(bets["profit"].sum()), **expected}


@pytest.mark.parametrize("interval", ["1m", "365d"])
def test_the_lines_of_what_was_earned_end_in_the_newest_scores(
    world: World, scores: pd.DataFrame, interval: str
) -> None:
    whole = scores[scores["slice"] == ALL].set_index("metric")
    for title, shown in (
        (
            "Does the claimed value lie within what was earned?",
            {
                **{"earned": ("yield", "value"), "claimed": ("claimed_value", "value")},
                **{"earned, at least": ("yield", "low"), "earned, at most": ("yield", "high")},
            },
        ),
        (
            "How does the closing line value develop?",
            {"closing line value": ("clv", "value"), "at least": ("clv", "low"), "at most": ("clv", "high")},
        ),
    ):
        line = world.ask("betting", title, interval)
        last = dict(zip(line.column("metric"), line.column("value"), strict=True))
        assert last == {name: pytest.approx(whole.loc[of]) for name, of in shown.items()}


def test_bets_by_kind_are_the_slices_of_the_ledger(world: World, scores: pd.DataFrame) -> None:
    frame = world.ask("betting", "Which bets earn, by result and by odds?")
    assert frame.column("bets") == list(dict.fromkeys(scores["slice"]))
    shown = {"staked": "turnover", "profit": "profit", "earned": "yield", "claimed": "claimed_value", "won": "hit_rate"}
    ends = {"at least": ("yield", "low"), "at most": ("yield", "high"), "n": ("profit", "n")}
    values = {
        name: (metric, "value") for name, metric in (shown | {"implied": "hit_rate_implied", "CLV": "clv"}).items()
    }
    assert {"bets", *values, *ends} == set(frame.names)
    for column, (metric, cell) in (values | ends).items():
        of_slice = scores[scores["metric"] == metric].set_index("slice")[cell].reindex(frame.column("bets"))
        np.testing.assert_allclose(np.array(frame.column(column), dtype=float), of_slice)


def test_blind_betting_stands_beside_the_ledger(world: World) -> None:
    frame = world.ask("betting", "Would blind betting have earned more?")
    stored = world.season.bets.scores(world.season.scored_at, replay=True)
    yields = stored[stored["metric"] == "yield"].set_index("slice")
    slices = yields.index[yields.index.str.contains("blind|choice")]
    first = sorted(slices, key=lambda name: (not name.startswith("our choice"), name))
    assert len(first) == 10
    expected = yields.loc[[ALL, *first]].rename(columns={"value": "earned", "low": "at least", "high": "at most"})
    names = [("the ledger", "as taken"), *(tuple(name.split(", ")) for name in first)]
    assert [row[:2] for row in frame.rows] == names
    assert_shown(frame, expected, but={"bets", "prices"})


BET: dict[str, str] = {
    **{"kickoff": "kick-off", "home_team": "home", "away_team": "away", "edge": "claimed", "as_of": "taken at"},
    **{"model_version": "version", "dagster_run_id": "run", "settled_at": "settled", "bankroll_after": "bankroll"},
}
"""Columns of the ledger, and what the boards call them."""


def test_open_and_settled_bets_are_all_bets(world: World) -> None:
    ledger = world.season.bets.ledger(replay=True)
    ledger = ledger.assign(**{"bet on": ledger["outcome"].map(WORDS)})
    still_open = ledger[ledger["settlement"].isna()].sort_values(["kickoff", "home_team"])
    assert len(still_open) > 1
    assert_shown(world.ask("betting", "Which bets are open?"), _called(still_open))
    settled = ledger.loc[world.season.settled_bets().index[::-1]]
    assert len(settled) + len(still_open) == len(ledger)
    assert_shown(world.ask("betting", "Which bets were settled last?"), _called(settled))


def _called(bets: pd.DataFrame) -> pd.DataFrame:
    return bets.drop(columns="bankroll", errors="ignore").rename(columns=BET)


def test_the_value_of_the_coming_round_is_told_with_the_best_first(world: World) -> None:
    frame = world.ask("betting", "What is worth a bet in the coming round?")
    edges = world.season.bets.edges()
    coming = edges[edges["kickoff"] > world.season.end]
    assert len(frame.rows) == len(coming) == 9 < len(edges)
    coming = coming.assign(worse=coming["verdict"] != "value", place=coming["outcome"].map(OUTCOMES.index))
    coming = coming.sort_values(
        ["worse", "edge", "kickoff", "home_team", "place"], ascending=[True, False, True, True, True]
    )
    names = {**BET, "edge": "value", "as_of": "as of", "probability": "we say", "market_probability": "market says"}
    coming["bet on"] = coming["outcome"].map(WORDS)
    assert_shown(frame, coming.rename(columns=names))
    assert frame.column("odds")[-3:] == [None] * 3
