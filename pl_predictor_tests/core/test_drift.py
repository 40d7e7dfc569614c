"""Drift is found where it was planted, and hardly ever where nothing changed."""

from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest

from pl_predictor.core.drift import FAMILY_ERROR_RATE, comparable, compare, windows

NUMERICAL = [f"feature_{i}" for i in range(8)]


def window(rows: int, seed: int, draws: float = 0.25) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, len(NUMERICAL))), columns=NUMERICAL)
    frame["result"] = random.choice(["H", "D", "A"], rows, p=[0.75 - draws, draws, 0.25])
    return frame


def test_the_reference_is_what_the_model_was_trained_on_without_the_recent_matches() -> None:
    kickoffs = pd.date_range("2024-01-01 15:00", periods=10, freq="D", tz="UTC")
    played = pd.DataFrame({"kickoff": kickoffs})
    trained_until = datetime(2024, 1, 9, tzinfo=timezone.utc)  # results of up to the 8th
    reference, current = windows(played, trained_until=trained_until, recent=1)
    assert (reference.index.tolist(), current.index.tolist()) == ([0, 1, 2, 3, 4, 5, 6, 7], [9])
    reference, current = windows(played, trained_until=trained_until, recent=4)
    assert (reference.index.tolist(), current.index.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_a_column_that_shifted_is_found_and_measured_and_the_others_are_not() -> None:
    reference, current = window(3000, 1), window(100, 2)
    current["feature_3"] += 1.0
    drift = compare(reference, current, numerical=NUMERICAL, categorical=["result"])
    found = drift.columns.set_index("column_name")
    assert found.index[found["drifted"]].tolist() == ["feature_3"]
    assert drift.share == pytest.approx(1 / 9)
    assert found.loc["feature_3", "effect_size"] == pytest.approx(1.0, abs=0.2)
    assert (found["method"].drop("result") == "ks").all()
    assert found.loc["result", "method"] == "chisquare"
    assert found["effect_size"].isna().tolist() == [*[False] * 8, True]
    assert (found["threshold"] == FAMILY_ERROR_RATE / 9).all()
    assert (found[["reference_n", "current_n"]] == [3000, 100]).all(axis=None)


def test_a_category_that_shifted_is_found() -> None:
    drift = compare(window(3000, 1), window(100, 2, draws=0.6), numerical=NUMERICAL, categorical=["result"])
    assert drift.columns.set_index("column_name").loc["result", "drifted"]


def test_the_scores_are_those_of_scipy() -> None:
    from scipy.stats import ks_2samp

    reference, current = window(500, 1), window(100, 2)
    drift = compare(reference, current, numerical=NUMERICAL, categorical=["result"])
    expected = [ks_2samp(reference[column], current[column]).pvalue for column in NUMERICAL]
    assert drift.columns["score"].tolist()[: len(NUMERICAL)] == pytest.approx(expected, rel=1e-9)


def test_windows_that_are_alike_are_hardly_ever_called_drifted() -> None:
    flagged = 0
    for seed in range(20):
        drift = compare(window(1000, seed), window(100, 1000 + seed), numerical=NUMERICAL, categorical=["result"])
        flagged += int(drift.columns["drifted"].any())
    # The chance of any flag is at most 5 % a comparison: 5 of 20 or more have a chance of 0.3 %.
    assert flagged < 5


def test_the_report_for_reading_needs_nothing_from_elsewhere() -> None:
    html = compare(window(500, 1), window(100, 2), numerical=NUMERICAL, categorical=["result"]).html
    assert "feature_3" in html
    assert 'src="http' not in html
    assert '<link href="http' not in html


def test_columns_that_cannot_be_tested_are_left_out() -> None:
    reference, current = window(50, 1), window(50, 2)
    reference["constant"] = current["constant"] = 1.0
    reference["absent_before"], current["absent_before"] = np.nan, 1.0
    reference["absent_now"], current["absent_now"] = 1.0, np.nan
    reference["moved"], current["moved"] = 1.0, 2.0
    columns = [*NUMERICAL, "constant", "absent_before", "absent_now", "moved"]
    assert comparable(reference, current, columns) == [*NUMERICAL, "moved"]
