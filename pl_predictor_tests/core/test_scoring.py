"""How good forecasts were."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import entropy
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support
from sklearn.metrics import log_loss as sklearn_log_loss

from pl_predictor.core.features import MARKET
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.scoring import (
    CLOSING,
    FEWEST_DAYS,
    METRICS,
    PROBABILITIES,
    Score,
    brier,
    calibration_table,
    classification,
    confusion,
    log_loss,
    one_hot,
    rps,
    scorecard,
    with_closing_odds,
)
from pl_predictor_tests.frames import forecast, matches, played

SLOPES = ["calibration_slope_home", "calibration_slope_draw", "calibration_slope_away"]
OWN = [
    *(
        "rps",
        "log_loss",
        "log_loss_expected",
        "brier",
        "accuracy",
        "f1_weighted",
        "precision_weighted",
        "recall_weighted",
        "f1_macro",
    ),
    *("calibration_error", *SLOPES),
]
AGAINST_MARKET = ["rps_market", "log_loss_market", "rps_skill", "log_loss_skill", "log_loss_skill_expected"]
AGAINST_CLOSE = ["rps_close", "log_loss_close", "rps_skill_close"]


def forecasts(n: int = 60, *, days: int = 12, priced: int = 0, seed: int = 3) -> pd.DataFrame:
    """A forecast frame with results, the first `priced` of them with market probabilities."""
    rng = np.random.default_rng(seed)
    p, market = rng.dirichlet([4, 3, 3], size=n), rng.dirichlet([5, 3, 3], size=n)
    market[priced:] = np.nan
    frame = pd.DataFrame(p, columns=list(PROBABILITIES))
    frame[list(MARKET)] = market
    frame["prediction"] = np.array(["H", "D", "A"], dtype=object)[p.argmax(axis=1)]
    frame["result"] = rng.choice(np.array(["H", "D", "A"], dtype=object), size=n, p=[0.45, 0.25, 0.3])
    first = pd.Timestamp("2023-08-12 15:00", tz="UTC")
    frame["kickoff"] = [first + pd.Timedelta(days=int(7 * (number * days // n))) for number in range(n)]
    return frame


def by_name(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores}


@pytest.mark.parametrize(
    ("p", "result", "expected"),
    [
        ((1, 0, 0), "H", 0.0),
        ((1, 0, 0), "D", 0.5),
        ((1, 0, 0), "A", 1.0),
        ((0, 1, 0), "A", 0.5),
        # The examples of Constantinou and Fenton (2012).
        ((0.80, 0.10, 0.10), "H", 0.025),
        ((0.60, 0.20, 0.20), "H", 0.1),
        ((0.35, 0.30, 0.35), "D", 0.1225),
        ((0.60, 0.30, 0.10), "D", 0.185),
    ],
)
def test_the_ranked_probability_score_of_known_cases(p: tuple[float, ...], result: str, expected: float) -> None:
    assert rps(np.array([p]), np.array([result]))[0] == pytest.approx(expected)


def test_log_loss_is_natural_and_the_brier_score_sums_over_the_outcomes() -> None:
    p, result = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]), np.array(["H", "D"])
    assert_allclose(log_loss(p, result), -np.log([0.5, 0.2]))
    assert_allclose(brier(p, result), [0.25 + 0.09 + 0.04, 0.04 + 0.64 + 0.36])


def test_a_forecast_of_zero_for_what_happened_costs_36_nats() -> None:
    assert log_loss(np.array([[1.0, 0.0, 0.0]]), np.array(["A"]))[0] == pytest.approx(36.04, abs=0.01)


@pytest.mark.parametrize("wrong", ["X", None, np.nan])
def test_what_is_no_result_is_not_scored(wrong: object) -> None:
    with pytest.raises(ValueError, match="H, D, A"):
        one_hot(np.array(["H", wrong], dtype=object))


@given(st.lists(st.tuples(st.sampled_from("HDA"), st.sampled_from("HDA")), min_size=1, max_size=40))
def test_classification_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    result, prediction = (np.array(column, dtype=object) for column in zip(*pairs, strict=True))
    own = classification(confusion(prediction, result).sum(axis=0))
    precision, recall, f1, _ = precision_recall_fscore_support(
        result, prediction, labels=["H", "D", "A"], average="weighted", zero_division=0
    )
    theirs = {
        "accuracy": accuracy_score(result, prediction),
        "f1_weighted": f1,
        "precision_weighted": precision,
        "recall_weighted": recall,
        "f1_macro": f1_score(result, prediction, labels=["H", "D", "A"], average="macro", zero_division=0),
    }
    assert {name: float(value) for name, value in own.items()} == pytest.approx(theirs)


def test_the_scorecard_holds_the_mean_of_every_score() -> None:
    frame = forecasts(priced=40)
    scores = by_name(scorecard(frame))
    assert list(scores) == OWN + AGAINST_MARKET
    p, result = frame[list(PROBABILITIES)].to_numpy(), frame["result"].to_numpy()
    assert scores["rps"].value == pytest.approx(rps(p, result).mean())
    assert scores["brier"].value == pytest.approx(brier(p, result).mean())
    away_draw_home = p[:, ::-1]
    theirs = sklearn_log_loss(result.astype(str), away_draw_home, labels=["A", "D", "H"])
    assert scores["log_loss"].value == pytest.approx(theirs)
    assert scores["accuracy"].value == pytest.approx((frame["prediction"] == frame["result"]).mean())
    assert {scores[name].n for name in OWN} == {60}


def test_the_market_is_compared_on_its_own_matches_only() -> None:
    frame = forecasts(priced=40)
    scores, priced = by_name(scorecard(frame)), frame.head(40)
    result = priced["result"].to_numpy()
    own, market = (rps(priced[list(names)].to_numpy(), result).mean() for names in (PROBABILITIES, MARKET))
    assert scores["rps_market"].value == pytest.approx(market)
    assert scores["rps_skill"].value == pytest.approx(1 - own / market)
    assert scores["log_loss_market"].value == pytest.approx(log_loss(priced[list(MARKET)].to_numpy(), result).mean())
    assert {scores[name].n for name in AGAINST_MARKET} == {40}


def test_the_skill_in_log_loss_is_what_the_market_lost_more_and_expected_to_be_minus_the_divergence_from_it() -> None:
    frame = forecasts(priced=40)
    scores, priced = by_name(scorecard(frame)), frame.head(40)
    p, market = (priced[list(names)].to_numpy() for names in (PROBABILITIES, MARKET))
    result = priced["result"].to_numpy()
    assert scores["log_loss_skill"].value == pytest.approx((log_loss(market, result) - log_loss(p, result)).mean())
    assert scores["log_loss_skill_expected"].value == pytest.approx(-entropy(market, p, axis=1).mean())
    own = frame[list(PROBABILITIES)].to_numpy()
    assert scores["log_loss_expected"].value == pytest.approx(entropy(own, axis=1).mean())


def test_results_as_the_market_says_cost_what_was_expected_on_average() -> None:
    """The results of each forecast drawn anew from the market's probabilities: only their luck is between the two."""
    frame = pd.concat([forecasts(priced=60)] * 200, ignore_index=True)
    chance = np.random.default_rng(2).random((len(frame), 1))
    happened = (chance > frame[list(MARKET)].to_numpy().cumsum(axis=1)).sum(axis=1)
    frame["result"] = np.array(["H", "D", "A"], dtype=object)[happened]
    scores = by_name(scorecard(frame, wanted=("log_loss_skill", "log_loss_skill_expected")))
    assert scores["log_loss_skill"].value == pytest.approx(scores["log_loss_skill_expected"].value, abs=0.02)
    assert scores["log_loss_skill_expected"].value < -0.1, "the two forecasters differ much, or this says nothing"


def test_what_is_not_wanted_is_left_out_and_changes_nothing_of_the_rest() -> None:
    frame = forecasts(priced=40)
    wanted = ("accuracy", "log_loss_skill", "calibration_slope_home")
    assert scorecard(frame, wanted=wanted) == [score for score in scorecard(frame) if score.metric in wanted]


def test_the_closing_odds_are_compared_on_their_own_matches_only() -> None:
    frame = forecasts(priced=40)
    close = np.random.default_rng(8).dirichlet([5, 3, 3], size=60)
    close[:25] = np.nan
    frame[list(CLOSING)] = close
    scores, closed = by_name(scorecard(frame)), frame.tail(35)
    assert list(scores) == list(METRICS) == OWN + AGAINST_MARKET + AGAINST_CLOSE
    result = closed["result"].to_numpy()
    own, theirs = (rps(closed[list(names)].to_numpy(), result).mean() for names in (PROBABILITIES, CLOSING))
    assert scores["rps_close"].value == pytest.approx(theirs)
    assert scores["rps_skill_close"].value == pytest.approx(1 - own / theirs)
    assert scores["log_loss_close"].value == pytest.approx(log_loss(closed[list(CLOSING)].to_numpy(), result).mean())
    assert {scores[name].n for name in AGAINST_CLOSE} == {35}
    assert {scores[name].n for name in AGAINST_MARKET} == {40}


def test_closing_odds_join_the_forecasts_of_their_match_and_stay_unknown_elsewhere() -> None:
    prices = {"closing_home_odds": 2.0, "closing_draw_odds": 3.5, "closing_away_odds": 4.0, "closing_source": "AvgC"}
    known = matches(
        played("Leeds", "Wigan", "2023-08-12 15:00", 1, 0),
        played("Stoke", "Derby", "2023-08-13 15:00", 1, 0, **prices),
    )
    made = pd.DataFrame(
        [forecast("Stoke", "Derby", "2023-08-13 15:00"), forecast("Leeds", "Wigan", "2023-08-12 15:00")], index=[7, 3]
    )
    settled = pd.Timestamp("2023-08-15 15:00", tz=made["kickoff"].dt.tz)
    joined = with_closing_odds(made, known, settled.to_pydatetime())
    pd.testing.assert_frame_equal(joined[list(made)], made)
    assert_allclose(joined.loc[[7], list(CLOSING)], implied_probabilities(np.array([[2.0, 3.5, 4.0]])))
    assert joined.loc[3, list(CLOSING)].isna().all()
    too_fresh = with_closing_odds(made, known, (settled - pd.Timedelta(minutes=1)).to_pydatetime())
    assert too_fresh[list(CLOSING)].isna().all(axis=None), "until 48 hours after kick-off they are revised"


@pytest.mark.parametrize(
    ("frame", "absent"),
    [
        (forecasts(9, days=9), set(SLOPES)),
        (forecasts().assign(result=["D"] * 9 + ["H", "A", "A"] * 17), {"calibration_slope_draw"}),
        (forecasts().assign(p_home=0.5, p_draw=0.3, p_away=0.2), set(SLOPES)),
    ],
    ids=["too few matches", "nine draws", "always the same forecast"],
)
def test_a_slope_that_does_not_exist_is_absent(frame: pd.DataFrame, absent: set[str]) -> None:
    scores = by_name(scorecard(frame))
    assert set(OWN) - set(scores) == absent
    assert all(np.isfinite(score.value) for score in scores.values())


def test_a_slope_that_some_resample_does_not_have_has_no_interval() -> None:
    """One away win stands between those that would be separated; a resample without its day has no slope."""
    frame = forecasts(24, days=24).assign(p_home=np.linspace(0.2, 0.8, 24), result=["A"] * 12 + ["H"] * 12)
    frame.loc[[11, 12], "result"] = ["H", "A"]
    slope = by_name(scorecard(frame))["calibration_slope_home"]
    assert np.isfinite(slope.value)
    assert (slope.low, slope.high, slope.standard_error) == (None, None, None)


@pytest.mark.parametrize(
    "frame", [forecasts(priced=0), forecasts(priced=0).drop(columns=list(MARKET))], ids=["null", "no such column"]
)
def test_without_market_its_metrics_are_absent(frame: pd.DataFrame) -> None:
    assert list(by_name(scorecard(frame))) == OWN


@pytest.mark.parametrize("frame", [forecasts().iloc[:0], forecasts().assign(result=None)], ids=["empty", "no result"])
def test_without_a_result_the_scorecard_is_empty(frame: pd.DataFrame) -> None:
    assert scorecard(frame) == []
    assert calibration_table(frame).empty


def test_forecasts_without_a_result_do_not_count() -> None:
    frame = forecasts(priced=60)
    frame.loc[30:, "result"] = None
    assert scorecard(frame) == scorecard(frame.head(30))


def test_the_same_seed_gives_the_same_interval_and_another_a_different_one() -> None:
    frame = forecasts(200, days=40, priced=100)
    assert scorecard(frame, seed=5) == scorecard(frame, seed=5)
    one, two = scorecard(frame, seed=5), scorecard(frame, seed=6)
    assert [score.value for score in one] == [score.value for score in two]
    assert all(a.low != b.low for a, b in zip(one, two, strict=True))


def test_an_interval_holds_its_value_and_is_as_wide_as_the_standard_error_says() -> None:
    # A match a day: the blocks are the matches, and the usual standard error applies.
    frame = forecasts(900, days=900)
    for score in scorecard(frame):
        assert score.low is not None
        assert score.high is not None
        assert score.low < score.value < score.high
    accuracy = by_name(scorecard(frame))["accuracy"]
    expected = 2 * 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / 900)
    assert (accuracy.high or 0) - (accuracy.low or 0) == pytest.approx(expected, rel=0.1)
    assert accuracy.standard_error == pytest.approx(expected / 2 / 1.96, rel=0.1)


def test_the_calibration_error_of_calibrated_forecasts_lies_inside_its_interval() -> None:
    """Though every resample's is larger, or nearly: it has the noise of the sample and its own."""
    frame = forecasts(900, days=300)
    chance = np.random.default_rng(1).random((900, 1))
    happened = (chance > frame[list(PROBABILITIES)].to_numpy().cumsum(axis=1)).sum(axis=1)
    error = by_name(scorecard(frame.assign(result=np.array(["H", "D", "A"], dtype=object)[happened])))[
        "calibration_error"
    ]
    assert 0.0 <= (error.low or 0.0) < error.value < (error.high or 0.0)


def test_matches_of_a_day_are_resampled_together() -> None:
    """Ten times the same match on each day is no more information than once."""
    once = forecasts(60, days=60)
    tenfold = pd.concat([once] * 10, ignore_index=True)
    for one, many in zip(scorecard(once), scorecard(tenfold), strict=True):
        assert one.low == pytest.approx(many.low)
        assert one.high == pytest.approx(many.high)


def test_a_day_is_a_day_in_the_uk() -> None:
    frame = forecasts(10, days=10)
    # Five UK days; 23:30 UTC in August is 00:30 of the next day, so UTC would make them ten.
    days = [pd.Timestamp(f"2023-08-{day} {time}", tz="UTC") for day in range(10, 15) for time in ("23:30", "23:30")]
    late = frame.assign(kickoff=days)
    mixed = late.assign(kickoff=[day + pd.Timedelta(hours=hours) for day, hours in zip(days, [0, 12] * 5, strict=True)])
    assert scorecard(mixed) == scorecard(late)


@pytest.mark.parametrize(("days", "has"), [(1, False), (FEWEST_DAYS - 1, False), (FEWEST_DAYS, True)])
def test_too_few_days_give_a_value_without_an_interval(days: int, has: bool) -> None:
    for score in scorecard(forecasts(60, days=days)):
        assert [edge is not None for edge in (score.low, score.high, score.standard_error)] == [has] * 3


def test_the_calibration_table_counts_every_forecast_once_for_each_outcome() -> None:
    frame = forecasts(500)
    table = calibration_table(frame)
    assert table.groupby("outcome")["n"].sum().to_dict() == {"H": 500, "D": 500, "A": 500}
    assert ((table["low"] <= table["forecast"]) & (table["forecast"] < table["high"])).all()
    row = table[(table["outcome"] == "H") & np.isclose(table["low"], 0.4)].iloc[0]
    inside = frame[(frame["p_home"] >= 0.4) & (frame["p_home"] < 0.5)]
    assert row["n"] == len(inside)
    assert row["observed"] == pytest.approx((inside["result"] == "H").mean())
    assert row["forecast"] == pytest.approx(inside["p_home"].mean())


def test_certainty_belongs_to_the_last_bin() -> None:
    frame = forecasts(1).assign(p_home=1.0, p_draw=0.0, p_away=0.0, result="H")
    table = calibration_table(frame, bins=4)
    assert table[["outcome", "low", "high", "observed"]].to_numpy().tolist() == [
        ["H", 0.75, 1.0, 1.0],
        ["D", 0.0, 0.25, 0.0],
        ["A", 0.0, 0.25, 0.0],
    ]
