"""The record of forecasts cannot be polished: the database itself refuses, whoever asks."""

from datetime import datetime, timedelta, timezone

import pandas as pd
import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor_tests.frames import fixture, forecast, matches, played

KICKOFF = "2024-01-13 15:00"
BEFORE = datetime(2024, 1, 13, 14, 59, tzinfo=timezone.utc)
AFTER = BEFORE + timedelta(minutes=1)


@pytest.fixture
def storage(engine: Engine) -> MetricsStorage:
    MatchStorage(engine).store_matches(matches(fixture("Chelsea", "Fulham", KICKOFF)), "test")
    return MetricsStorage(engine)


def seal(
    storage: MetricsStorage,
    *,
    as_of: datetime = BEFORE,
    replay: bool = True,
    p: tuple[float, float, float] = (0.5, 0.3, 0.2),
    **changed: object,
) -> int:
    rows = pd.DataFrame([{**forecast("Chelsea", "Fulham", KICKOFF, p), **changed}])
    return storage.store_predictions(rows, as_of=as_of, replay=replay, model_version="1", code_version="abc")


def know_result(engine: Engine) -> None:
    MatchStorage(engine).store_matches(matches(played("Chelsea", "Fulham", KICKOFF, 1, 0)), "test")


RESULT = pd.DataFrame([{"season": 2023, "home_team": "Chelsea", "away_team": "Fulham", "result": "H"}])


def test_a_forecast_before_kick_off_is_kept(storage: MetricsStorage) -> None:
    assert seal(storage) == 1
    kept = storage.get_predictions_by_date_range(BEFORE, BEFORE).iloc[0]
    assert (kept["home_team"], kept["prediction"], kept["p_home"], kept["p_draw"], kept["p_away"]) == (
        "Chelsea", "H", 0.5, 0.3, 0.2,
    )  # fmt: skip
    assert pd.isna(kept["home_odds"])
    assert kept["actual_result"] is None


def test_the_same_forecast_twice_is_one_row(storage: MetricsStorage) -> None:
    assert (seal(storage), seal(storage)) == (1, 0)
    assert len(storage.get_predictions_by_date_range(BEFORE, BEFORE)) == 1


def test_another_forecast_for_a_sealed_moment_changes_nothing(storage: MetricsStorage) -> None:
    seal(storage)
    assert seal(storage, p=(0.6, 0.2, 0.2)) == 0
    assert storage.get_predictions_by_date_range(BEFORE, BEFORE)["p_home"].tolist() == [0.5]


def test_a_set_with_one_bad_forecast_leaves_nothing_behind(engine: Engine, storage: MetricsStorage) -> None:
    MatchStorage(engine).store_matches(matches(fixture("Arsenal", "Leeds", "2024-01-13 12:00")), "test")
    rows = pd.DataFrame([forecast("Chelsea", "Fulham", KICKOFF), forecast("Arsenal", "Leeds", "2024-01-13 12:00")])
    with pytest.raises(IntegrityError):
        storage.store_predictions(rows, as_of=BEFORE, replay=True, model_version="1", code_version="abc")
    assert storage.get_predictions_by_date_range(BEFORE, BEFORE).empty


@pytest.mark.parametrize(
    ("cheat", "refusal"),
    [
        ({"as_of": AFTER}, "made_before_kickoff"),
        ({"as_of": AFTER + timedelta(days=1)}, "made_before_kickoff"),
        ({"replay": False}, "after kick-off"),
        ({"replay": False, "as_of": datetime(2023, 1, 1, tzinfo=timezone.utc)}, "for another day"),
        ({"kickoff": pd.Timestamp("2030-01-01", tz="UTC")}, "is not the match's"),
        ({"p_home": 0.9}, "not probabilities"),
        ({"p_home": -0.1, "p_away": 0.8, "confidence": -0.1}, "not probabilities|confidence_is_a_probability"),
        ({"confidence": 0.99}, "with confidence"),
        ({"prediction": "X"}, "prediction_is_an_outcome|not probabilities"),
        ({"information": "a feeling"}, "information_is_known"),
        ({"away_team": "Nowhere"}, "is not the match's|matches_fkey"),
    ],
)
def test_the_database_refuses_a_forecast_that_cheats(
    storage: MetricsStorage, cheat: dict[str, object], refusal: str
) -> None:
    with pytest.raises(IntegrityError, match=refusal):
        seal(storage, **cheat)  # type: ignore[arg-type]
    assert storage.get_predictions_by_date_range(BEFORE, AFTER + timedelta(days=2)).empty


@pytest.mark.parametrize(
    "cheat",
    [
        """UPDATE model_predictions SET probabilities = '{"H": 1, "D": 0, "A": 0}', confidence = 1""",
        "UPDATE model_predictions SET confidence = 0.51",
        "UPDATE model_predictions SET prediction = 'D'",
        "UPDATE model_predictions SET as_of = as_of - interval '1 day'",
        "UPDATE model_predictions SET kickoff = kickoff + interval '1 day'",
        "UPDATE model_predictions SET timestamp = timestamp - interval '1 day'",
        "UPDATE model_predictions SET home_odds = 3.5",
        "SET LOCAL extra_float_digits = -15; UPDATE model_predictions SET confidence = 0.51",
        "SET LOCAL session_replication_role = replica; UPDATE model_predictions SET confidence = 0.51",
        "UPDATE matches SET result = 'A'; UPDATE model_predictions SET actual_result = 'A'",
        "UPDATE model_predictions SET model_version = '2'",
        "UPDATE model_predictions SET actual_result = 'D'",
        "UPDATE model_predictions SET actual_result = NULL WHERE actual_result IS NOT NULL",
        "DELETE FROM model_predictions",
        "TRUNCATE model_predictions CASCADE",
        'INSERT INTO model_predictions SELECT (jsonb_populate_record(p, \'{"id": 99, "model_version": "2"}\')).* '
        "FROM model_predictions p",
    ],
)
def test_the_database_refuses_to_polish_a_settled_forecast(engine: Engine, storage: MetricsStorage, cheat: str) -> None:
    seal(storage)
    know_result(engine)
    storage.settle(RESULT)
    before = storage.get_predictions_by_date_range(BEFORE, BEFORE)
    with engine.connect() as connection, pytest.raises(IntegrityError) as refused:
        connection.execute(text(cheat))
    assert isinstance(refused.value.orig, psycopg2.errors.CheckViolation)
    pd.testing.assert_frame_equal(storage.get_predictions_by_date_range(BEFORE, BEFORE), before)


@pytest.mark.parametrize(
    "cheat",
    [
        "UPDATE pg_temp.matches SET result = 'D'; UPDATE model_predictions SET actual_result = 'D'",
        "UPDATE pg_temp.matches SET kickoff = kickoff + interval '1 day'; INSERT INTO model_predictions "
        'SELECT (jsonb_populate_record(p, \'{"id": 99, "model_version": "2", "kickoff": "2024-01-14T15:00Z"}\')).* '
        "FROM model_predictions p",
    ],
    ids=["a result", "a later kick-off"],
)
def test_a_sessions_own_table_of_matches_deceives_no_guard(engine: Engine, storage: MetricsStorage, cheat: str) -> None:
    seal(storage)
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE matches AS SELECT * FROM public.matches; DISCARD PLANS"))
        with pytest.raises(IntegrityError, match=r"the result of its match|is not the match's"):
            connection.execute(text(cheat))


def test_the_database_writes_its_own_clock_on_a_forecast(engine: Engine, storage: MetricsStorage) -> None:
    seal(storage)
    with engine.connect() as connection:
        age = connection.scalar(text("SELECT clock_timestamp() - timestamp FROM model_predictions"))
    assert isinstance(age, timedelta)
    assert timedelta(0) < age < timedelta(minutes=1)


def test_settling_fills_the_result_of_the_match_key_and_nothing_else(engine: Engine, storage: MetricsStorage) -> None:
    seal(storage)
    sealed = storage.get_predictions_by_date_range(BEFORE, BEFORE)
    know_result(engine)
    assert (storage.settle(RESULT), storage.settle(RESULT)) == (1, 0)
    settled = storage.get_predictions_by_date_range(BEFORE, BEFORE)
    assert settled["actual_result"].tolist() == ["H"]
    pd.testing.assert_frame_equal(settled.drop(columns="actual_result"), sealed.drop(columns="actual_result"))


def test_settling_with_a_result_that_the_match_does_not_have_is_refused(storage: MetricsStorage) -> None:
    seal(storage)
    with pytest.raises(IntegrityError, match="can only be settled with the result of its match"):
        storage.settle(RESULT)


def test_a_postponed_match_keeps_its_forecasts_and_is_settled_by_its_key(
    engine: Engine, storage: MetricsStorage
) -> None:
    seal(storage)
    moved = matches(played("Chelsea", "Fulham", "2024-03-02 15:00", 2, 0))
    MatchStorage(engine).store_matches(moved, "test")
    assert storage.settle(RESULT) == 1
    assert storage.get_predictions_by_date_range(BEFORE, BEFORE)["actual_result"].tolist() == ["H"]
