"""What a backtest holds forecasts and bets against."""

import pandas as pd

from pl_predictor.core.betting_scores import BOOKMAKER_ODDS, with_bookmaker
from pl_predictor.core.matches import odds_frame
from pl_predictor_tests.frames import matches, played

KNOWN = matches(played("Arsenal", "Leeds", "2023-01-01", 1, 0), played("Leeds", "Arsenal", "2023-01-08", 1, 0))


def test_of_all_prices_those_of_one_bookmaker_before_the_match_stand_beside_it() -> None:
    prices = odds_frame(
        [
            (2023, "Arsenal", "Leeds", "B365", "pre_match", 1.5, 4.0, 7.0),
            (2023, "Arsenal", "Leeds", "B365", "closing", 1.4, 4.2, 8.0),
            (2023, "Arsenal", "Leeds", "WH", "pre_match", 1.6, 3.9, 6.5),
        ]
    )
    found = with_bookmaker(KNOWN, prices)[list(BOOKMAKER_ODDS)]
    assert found.iloc[0].tolist() == [1.5, 4.0, 7.0]
    assert found.iloc[1].isna().all()
    pd.testing.assert_frame_equal(with_bookmaker(KNOWN, prices[2:]), KNOWN)
