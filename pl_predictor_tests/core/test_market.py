"""Bookmakers' prices to probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pl_predictor.core.market import implied_probabilities, overround


def test_the_overround_is_the_sum_of_the_inverse_odds() -> None:
    odds = np.array([[2.0, 4.0, 5.0], [2.0, np.nan, 5.0]])
    assert_allclose(overround(odds), [0.95, np.nan])


def test_a_fair_book_is_taken_at_its_word() -> None:
    assert_allclose(implied_probabilities(np.array([[2.0, 4.0, 4.0]])), [[0.5, 0.25, 0.25]], atol=1e-12)


def test_the_power_method_gives_the_powers_of_the_inverse_odds() -> None:
    # Odds made from known probabilities and a known power: 0.5, 0.3, 0.2 with k = 1.1.
    p = np.array([[0.5, 0.3, 0.2]])
    assert_allclose(implied_probabilities(p ** (-1.0 / 1.1)), p, atol=1e-12)


def test_a_long_shot_gives_up_more_of_its_price_than_a_favourite() -> None:
    odds = np.array([[1.2, 7.0, 15.0]])
    kept = implied_probabilities(odds) * odds
    assert kept[0, 0] > kept[0, 1] > kept[0, 2]


@given(st.lists(st.tuples(*[st.floats(1.001, 1001.0)] * 3), min_size=1, max_size=20))
def test_probabilities_sum_to_one_and_favour_the_shortest_odds(rows: list[tuple[float, float, float]]) -> None:
    odds = np.array(rows)
    p = implied_probabilities(odds)
    assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert ((p >= 0.0) & (p <= 1.0)).all()
    assert (p.argmax(axis=1) == odds.argmin(axis=1)).all()


@given(st.tuples(*[st.floats(1.05, 101.0)] * 3))
def test_the_three_odds_of_a_book_are_raised_to_one_power(book: tuple[float, float, float]) -> None:
    odds = np.array([book])
    powers = np.log(implied_probabilities(odds)) / np.log(1.0 / odds)
    assert_allclose(powers, powers[:, :1] * np.ones(3), rtol=1e-9)


def test_a_row_without_all_three_odds_is_null_and_leaves_the_others_alone() -> None:
    odds = np.array([[2.0, 3.5, 4.0], [2.0, np.nan, 4.0], [np.nan] * 3])
    p = implied_probabilities(odds)
    assert np.isnan(p[1:]).all()
    assert_allclose(p[0], implied_probabilities(odds[:1])[0], rtol=0, atol=0)


def test_no_odds_are_no_probabilities() -> None:
    assert implied_probabilities(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("wrong", [1.0, 0.0, -2.0, np.inf])
def test_odds_that_cannot_be_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="row 1"):
        implied_probabilities(np.array([[2.0, 3.5, 4.0], [wrong, 3.5, 4.0]]))
    with pytest.raises(ValueError, match="row 1"):
        overround(np.array([[2.0, 3.5, 4.0], [wrong, 3.5, 4.0]]))


def test_odds_have_three_columns() -> None:
    with pytest.raises(ValueError, match="shape"):
        implied_probabilities(np.array([[2.0, 2.0]]))


def test_the_probabilities_of_a_row_do_not_depend_on_the_rows_beside_it() -> None:
    generator = np.random.default_rng(7)
    odds = 1.0 / (generator.dirichlet([2.0, 1.5, 1.0], size=200) * generator.uniform(1.01, 1.12, size=(200, 1)))
    together = implied_probabilities(odds)
    alone = np.vstack([implied_probabilities(row[None, :]) for row in odds])
    np.testing.assert_array_equal(together, alone)
