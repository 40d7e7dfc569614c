"""The order of events in a walk through past seasons."""

import pandas as pd
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import build
from pl_predictor.core.matches import odds_known_from, result_known_from
from pl_predictor.core.walk_forward import REFIT, Forecaster, seasons_with_history, trials, walk_forward
from pl_predictor_tests.core.league import fixtures_only, league

MATCHES = league(seasons=5)
FEATURES = build(MATCHES)
IDENTITY = ["season", "home_team", "away_team", "kickoff", "result"]
KNOWN = result_known_from(FEATURES["kickoff"])


def noted(past: pd.DataFrame, season: pd.DataFrame) -> pd.DataFrame:
    """A trial that writes down what it was fitted on."""
    return season[IDENTITY].assign(fitted_on=str(sorted(set(past["season"].tolist()))))


RECORD = trials(FEATURES, first_season=2012, forecast=noted)


class Witness:
    """A forecaster that writes down what it was fitted on and asked about."""

    def __init__(self) -> None:
        self.seen: list[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]] = []

    def fit(self, past: pd.DataFrame, record: pd.DataFrame) -> Forecaster:
        self.past, self.record = past, record
        return self

    def forecast(self, features: pd.DataFrame) -> pd.DataFrame:
        self.seen.append((self.past, self.record, features))
        return features[IDENTITY]


def test_each_season_is_tried_by_what_was_fitted_on_the_seasons_before_it() -> None:
    assert RECORD.groupby("season")["fitted_on"].first().to_dict() == {
        2012: "[2010, 2011]",
        2013: "[2010, 2011, 2012]",
        2014: "[2010, 2011, 2012, 2013]",
    }


def test_every_finished_match_is_tried_once_in_order() -> None:
    expected = FEATURES.loc[FEATURES["season"] >= 2012, IDENTITY].reset_index(drop=True)
    pd.testing.assert_frame_equal(RECORD[IDENTITY], expected)


def test_every_finished_match_of_a_season_is_forecast_once_in_order() -> None:
    forecasts = walk_forward(FEATURES, RECORD, season=2014, fit=Witness().fit)
    expected = FEATURES.loc[FEATURES["season"] == 2014, IDENTITY].reset_index(drop=True)
    pd.testing.assert_frame_equal(forecasts[IDENTITY], expected)
    assert forecasts["made_at"].equals(odds_known_from(expected["kickoff"]))


def test_a_forecaster_is_fitted_every_four_weeks_on_what_was_known_then() -> None:
    witness = Witness()
    walk_forward(FEATURES, RECORD, season=2014, fit=witness.fit)
    assert len(witness.seen) == 5, "18 rounds, a week apart"
    for past, record, asked in witness.seen:
        moments = odds_known_from(asked["kickoff"])
        assert moments.max() - moments.min() < REFIT
        pd.testing.assert_frame_equal(past, FEATURES[moments.min() >= KNOWN])
        assert len(record) == (past["season"] >= 2012).sum()
        assert (result_known_from(record["kickoff"]) <= moments.min()).all()


def test_fixtures_and_other_seasons_are_left_out() -> None:
    unplayed = MATCHES["kickoff"] > MATCHES.loc[MATCHES["season"] == 2013, "kickoff"].iloc[40]
    features = build(fixtures_only(MATCHES, unplayed))
    played = int((~unplayed & (MATCHES["season"] == 2013)).sum())
    record = trials(features, first_season=2012, forecast=noted)
    assert record["season"].value_counts().to_dict() == {2012: 90, 2013: played}
    assert set(trials(FEATURES, first_season=2012, last_season=2013, forecast=noted)["season"]) == {2012, 2013}
    forecasts = walk_forward(features, record, season=2013, fit=Witness().fit)
    assert forecasts["season"].value_counts().to_dict() == {2013: played}


@pytest.mark.parametrize(("first", "before"), [(2010, 0), (2011, 90)])
def test_too_few_results_before_a_season_are_refused(first: int, before: int) -> None:
    says = f"season {first} needs 100 results .* there are {before};"
    with pytest.raises(PredictorError, match=says):
        trials(FEATURES, first_season=first, forecast=noted)
    with pytest.raises(PredictorError, match=says):
        walk_forward(FEATURES, RECORD, season=first, fit=Witness().fit)


def test_nothing_to_forecast_is_refused() -> None:
    with pytest.raises(PredictorError, match="No match from season 2015 on is finished"):
        trials(FEATURES, first_season=2015, forecast=noted)
    with pytest.raises(PredictorError, match="No match of season 2015 is finished"):
        walk_forward(FEATURES, RECORD, season=2015, fit=Witness().fit)


def test_seasons_with_history_have_a_hundred_results_before_them() -> None:
    features = pd.DataFrame({"season": [2010] * 99 + [2011] * 2 + [2012] * 50 + [2013], "result": "H"})
    features.loc[features["season"] == 2013, "result"] = None
    assert seasons_with_history(features) == [2012]
