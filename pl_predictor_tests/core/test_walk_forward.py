"""The order of events in a walk through past seasons."""

import pandas as pd
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import build
from pl_predictor.core.walk_forward import Forecaster, forecast_moment, seasons_with_history, walk_forward
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=5)
FEATURES = build(MATCHES)


class Witness:
    """A forecaster that writes down what it was fitted on and asked about."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[int], list[int], list[int]]] = []

    def fit(self, past: pd.DataFrame, record: pd.DataFrame) -> Forecaster:
        seasons = sorted(set(record["season"])) if len(record) else []
        self.seen.append((sorted(set(past["season"])), seasons, []))
        return self

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        self.seen[-1][2].extend(sorted(set(features["season"])))
        return features[["season", "home_team", "away_team", "kickoff", "result"]]


def test_each_season_is_forecast_from_the_seasons_and_the_record_before_it() -> None:
    witness = Witness()
    walk_forward(FEATURES, first_season=2012, fit=witness.fit)
    assert witness.seen == [
        ([2010, 2011], [], [2012]),
        ([2010, 2011, 2012], [2012], [2013]),
        ([2010, 2011, 2012, 2013], [2012, 2013], [2014]),
    ]


def test_every_finished_match_is_forecast_once_in_order() -> None:
    record = walk_forward(FEATURES, first_season=2012, fit=Witness().fit)
    expected = FEATURES[FEATURES["season"] >= 2012].reset_index(drop=True)
    pd.testing.assert_frame_equal(record, expected[list(record.columns)])


def test_fixtures_and_later_seasons_are_left_out() -> None:
    unplayed = MATCHES["kickoff"] > MATCHES.loc[MATCHES["season"] == 2013, "kickoff"].iloc[40]
    record = walk_forward(build(fixtures_only(MATCHES, unplayed)), first_season=2012, fit=Witness().fit)
    assert record["season"].value_counts().to_dict() == {
        2012: 90,
        2013: int((~unplayed & (MATCHES["season"] == 2013)).sum()),
    }
    record = walk_forward(FEATURES, first_season=2012, last_season=2013, fit=Witness().fit)
    assert set(record["season"]) == {2012, 2013}


@pytest.mark.parametrize(("first", "before"), [(2010, 0), (2011, 90)])
def test_too_few_results_before_the_first_season_are_refused(first: int, before: int) -> None:
    with pytest.raises(PredictorError, match=f"season {first} needs 100 results .* there are {before};"):
        walk_forward(FEATURES, first_season=first, fit=Witness().fit)


def test_nothing_to_forecast_is_refused() -> None:
    with pytest.raises(PredictorError, match="No match from season 2015 on is finished"):
        walk_forward(FEATURES, first_season=2015, fit=Witness().fit)


@pytest.mark.parametrize(
    ("kickoff", "priced", "moment"),
    [
        ("2024-01-13 15:00", False, "2024-01-13 00:00"),
        ("2024-01-13 15:00", True, "2024-01-13 00:00"),  # priced on Friday
        ("2024-01-12 20:00", True, "2024-01-12 19:00"),  # a Friday's match, priced an hour before
        ("2024-01-12 20:00", False, "2024-01-12 00:00"),
        ("2024-01-16 19:45", True, "2024-01-16 15:00"),  # a Tuesday's
        ("2024-04-02 18:45", False, "2024-04-01 23:00"),  # in summer the UK's day begins an hour earlier
        ("2024-03-31 13:00", False, "2024-03-31 00:00"),  # the day the clocks change
        ("2024-03-31 23:00", False, "2024-03-31 23:00"),  # only the day is known: 1 April
    ],
)
def test_a_forecast_is_made_as_its_day_begins_or_as_its_odds_come_out(kickoff: str, priced: bool, moment: str) -> None:
    made = forecast_moment(pd.Series([pd.Timestamp(kickoff, tz="UTC")]), pd.Series([priced]))
    assert made.tolist() == [pd.Timestamp(moment, tz="UTC")]


def test_seasons_with_history_have_a_hundred_results_before_them() -> None:
    features = pd.DataFrame({"season": [2010] * 99 + [2011] * 2 + [2012] * 50 + [2013], "result": "H"})
    features.loc[features["season"] == 2013, "result"] = None
    assert seasons_with_history(features) == [2012]
