"""Matches and features come back as they were stored, and nothing that was known is lost."""

from datetime import datetime, timezone

import pandas as pd
import pytest
from sqlalchemy import Engine

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import build
from pl_predictor.core.matches import known_at
from pl_predictor.sources.snapshot import Snapshot
from pl_predictor.storage.matches import Changes, MatchStorage
from pl_predictor_tests.frames import fixture, matches, played

LATER = datetime(2024, 6, 1, tzinfo=timezone.utc)
ODDS = {"home_odds": 1.9, "draw_odds": 3.4, "away_odds": 4.2, "odds_source": "Avg"}


def test_every_match_of_the_snapshot_comes_back_as_it_was_stored(engine: Engine) -> None:
    as_of = datetime(2023, 12, 29, 20, tzinfo=timezone.utc)
    known = Snapshot().matches(as_of)
    MatchStorage(engine).store_matches(known, "snapshot")
    pd.testing.assert_frame_equal(MatchStorage(engine).matches(as_of), known)


def test_a_write_counts_what_is_new_revised_and_unchanged(engine: Engine) -> None:
    storage = MatchStorage(engine)
    first = matches(fixture("Chelsea", "Fulham", "2024-01-13 12:30"), fixture("Leeds", "Arsenal", "2024-01-13 15:00"))
    assert storage.store_matches(first, "test") == Changes(new=2, revised=0, unchanged=0)
    assert storage.store_matches(first, "test") == Changes(new=0, revised=0, unchanged=2)
    second = matches(
        played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0),
        fixture("Leeds", "Arsenal", "2024-01-13 15:00"),
        fixture("Leeds", "Fulham", "2024-01-20 15:00"),
    )
    assert storage.store_matches(second, "test") == Changes(new=1, revised=1, unchanged=1)


def test_what_was_known_is_not_replaced_by_unknown(engine: Engine) -> None:
    storage = MatchStorage(engine)
    full = matches(played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0, **ODDS))
    storage.store_matches(full, "test")
    assert storage.store_matches(matches(fixture("Chelsea", "Fulham", "2024-01-13 12:30")), "test") == Changes(0, 0, 1)
    pd.testing.assert_frame_equal(storage.matches(LATER), full)


def test_a_postponed_match_stays_one_match_with_its_new_kick_off(engine: Engine) -> None:
    storage = MatchStorage(engine)
    storage.store_matches(matches(fixture("Chelsea", "Fulham", "2024-01-13 12:30")), "test")
    moved = matches(fixture("Chelsea", "Fulham", "2024-03-02 15:00"))
    assert storage.store_matches(moved, "test") == Changes(new=0, revised=1, unchanged=0)
    pd.testing.assert_frame_equal(storage.matches(LATER), moved)


def test_reading_at_an_earlier_moment_shows_only_what_was_known_then(engine: Engine) -> None:
    storage = MatchStorage(engine)
    full = matches(played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0, **ODDS))
    storage.store_matches(full, "test")
    before_the_result = datetime(2024, 1, 13, 18, tzinfo=timezone.utc)
    seen = storage.matches(before_the_result)
    pd.testing.assert_frame_equal(seen, known_at(full, before_the_result))
    assert seen["result"].tolist() == [None]


def test_features_come_back_bit_by_bit(engine: Engine) -> None:
    as_of = datetime(2023, 12, 29, 20, tzinfo=timezone.utc)
    storage, known = MatchStorage(engine), Snapshot().matches(as_of)
    storage.store_matches(known, "snapshot")
    built = build(known)
    for _ in range(2):
        storage.store_features(built, as_of=as_of, code_version="abc")
    pd.testing.assert_frame_equal(storage.features(as_of, code_version="abc"), built, check_exact=True)


def test_features_that_know_too_much_are_refused(engine: Engine) -> None:
    storage = MatchStorage(engine)
    rows = matches(played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0))
    storage.store_matches(rows, "test")
    storage.store_features(build(rows), as_of=LATER, code_version="abc")
    with pytest.raises(
        PredictorError, match="built at 2024-06-01 00:00 UTC and know what 2024-01-13 00:00 UTC could not"
    ):
        storage.features(datetime(2024, 1, 13, tzinfo=timezone.utc), code_version="abc")


def test_features_of_another_moment_are_refused_where_the_moment_matters(engine: Engine) -> None:
    storage = MatchStorage(engine)
    rows = matches(played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0))
    storage.store_matches(rows, "test")
    storage.store_features(build(rows), as_of=datetime(2024, 1, 20, tzinfo=timezone.utc), code_version="abc")
    assert len(storage.features(LATER, code_version="abc")) == 1
    with pytest.raises(PredictorError, match="built at 2024-01-20 00:00 UTC and lack what 2024-06-01 00:00 UTC knew"):
        storage.features(LATER, code_version="abc", exactly=True)


def test_features_that_other_code_built_are_refused(engine: Engine) -> None:
    storage = MatchStorage(engine)
    rows = matches(played("Chelsea", "Fulham", "2024-01-13 12:30", 1, 0))
    storage.store_matches(rows, "test")
    storage.store_features(build(rows), as_of=LATER, code_version="old")
    with pytest.raises(PredictorError, match="built by version old of their code and this is new: materialize feat"):
        storage.features(LATER, code_version="new")


def test_no_features_yet_is_an_error_that_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(PredictorError, match="materialize matches and features first"):
        MatchStorage(engine).features(LATER, code_version="abc")
