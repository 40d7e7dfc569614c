"""Metrics and drift scores: sets written once, the same twice as once, found by the moment that they speak of."""

from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.frames import fixture, forecast, matches

AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def storage(engine: Engine) -> MetricsStorage:
    return MetricsStorage(engine)


def test_a_metric_comes_back_with_its_value_and_what_explains_it(storage: MetricsStorage) -> None:
    storage.store_model_metric("accuracy", 0.1 + 0.2, as_of=AS_OF, model_version="1", metadata={"n": 40, "low": None})
    found = storage.get_metrics_by_date_range(AS_OF, AS_OF)
    assert found[["metric_type", "value", "model_name", "model_version"]].to_dict("records") == [
        {"metric_type": "accuracy", "value": 0.1 + 0.2, "model_name": "premier_league_predictor", "model_version": "1"}
    ]
    assert found["metadata"].tolist() == [{"n": 40, "low": None}]


def test_a_repeated_metric_replaces_its_row(storage: MetricsStorage) -> None:
    for value in (0.5, 0.6):
        storage.store_model_metric("accuracy", value, as_of=AS_OF, model_version="1")
    assert storage.get_metrics_by_date_range(AS_OF, AS_OF)["value"].tolist() == [0.6]


def test_a_date_range_includes_both_ends_and_runs_oldest_first(storage: MetricsStorage) -> None:
    for days in (3, 0, 1, 2):
        storage.store_model_metric("rps", days, as_of=AS_OF + days * DAY, model_version="1")
    assert storage.get_metrics_by_date_range(AS_OF, AS_OF + 2 * DAY)["value"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("wanted", "values"), [({}, [1, 2, 3]), ({"metric_type": "rps"}, [1, 3]), ({"model_version": "2"}, [3])]
)
def test_metrics_are_narrowed_by_type_and_version(
    storage: MetricsStorage, wanted: dict[str, str], values: list[int]
) -> None:
    storage.store_model_metric("rps", 1, as_of=AS_OF, model_version="1")
    storage.store_model_metric("accuracy", 2, as_of=AS_OF, model_version="1")
    storage.store_model_metric("rps", 3, as_of=AS_OF, model_version="2")
    assert storage.get_metrics_by_date_range(AS_OF, AS_OF, **wanted)["value"].tolist() == values


def test_an_empty_range_has_no_rows_and_all_columns(storage: MetricsStorage) -> None:
    assert {"metric_type", "value", "as_of"} <= set(storage.get_metrics_by_date_range(AS_OF, AS_OF))
    empty = storage.get_predictions_by_date_range(AS_OF, AS_OF)
    assert empty.empty
    assert {"home_team", "p_home", "p_draw", "p_away"} <= set(empty)


def test_a_set_of_metrics_is_written_whole_or_not_at_all(storage: MetricsStorage) -> None:
    rows = pd.DataFrame({"metric_type": ["rps", "x" * 51], "value": [0.2, 0.3], "metadata": [{}, {}]})
    with pytest.raises(Exception, match="value too long"):
        storage.store_model_metrics(rows, as_of=AS_OF, model_version="1")
    assert storage.get_metrics_by_date_range(AS_OF, AS_OF).empty


def test_the_drift_of_each_column_is_a_row_and_repeats_replace_it(engine: Engine, storage: MetricsStorage) -> None:
    row = {"column_name": "elo_difference", "score": 0.2, "effect_size": None, "method": "ks", "threshold": 0.005,
           "drifted": False, "reference_n": 3000, "current_n": 100}  # fmt: skip
    for score in (0.2, 0.001):
        storage.store_drift(
            pd.DataFrame([{**row, "score": score, "drifted": score < 0.005}]), as_of=AS_OF, model_version="1"
        )
    with engine.connect() as connection:
        found = connection.execute(text("SELECT column_name, score, effect_size, drifted, current_n FROM drift_scores"))
        assert [tuple(r) for r in found] == [("elo_difference", 0.001, None, True, 100)]


@pytest.mark.parametrize(
    ("after", "until", "replay", "teams"),
    [
        (AS_OF, AS_OF + DAY, True, ["Leeds"]),
        (AS_OF, AS_OF + 2 * DAY, True, ["Leeds", "Wigan"]),
        (AS_OF + DAY, AS_OF + 2 * DAY, True, ["Wigan"]),
        (AS_OF - DAY, AS_OF + DAY, True, ["Leeds", "Stoke"]),
        (AS_OF, AS_OF + DAY, False, ["Leeds", "Stoke"]),
    ],
    ids=["the end is in", "two days", "the start is not", "before it was made", "a replay's is none live"],
)
def test_the_matches_of_a_span_that_had_no_forecast_by_its_start_are_found(
    storage: MetricsStorage, engine: Engine, after: datetime, until: datetime, replay: bool, teams: list[str]
) -> None:
    pairs = [("Leeds", "Derby", "2024-01-14 06:00"), ("Stoke", "Hull", "2024-01-14 06:00")]
    later = ("Wigan", "Bury", "2024-01-15 06:00")
    MatchStorage(engine).store_matches(matches(*(fixture(*pair) for pair in (*pairs, later))), "test")
    below = matches(fixture("Luton", "York", "2024-01-14 06:00"))
    MatchStorage(engine).store_matches(below, "test", division="E1")
    sealed = forecast(*pairs[1])
    storage.store_prediction(sealed, as_of=AS_OF, replay=True, model_version="1", code_version="c")
    assert [home for home, _, _ in storage.unforecast(after, until, replay=replay)] == teams
