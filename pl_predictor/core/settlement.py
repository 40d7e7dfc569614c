"""Which forecasts count, and what became of them. Scoring them belongs to `scoring`."""

import pandas as pd

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY


def official_forecasts(forecasts: pd.DataFrame, matches: pd.DataFrame) -> pd.DataFrame:
    """The forecasts that performance is scored on: of each match the last one made before its kick-off.

    forecasts: rows of `model_predictions` of one model, in the order they were written, with as_of, replay, timestamp,
        p_home, p_draw, p_away and the odds that were seen. One that is no replay counts only if the database's own
        clock, too, says that it was written before kick-off: what `matches` said at that time may have been wrong.
    matches: match frame as known at the moment of scoring; a match that was moved has its new kick-off there.
    Returns a forecast frame with as_of, result (None until known), and market_home, market_draw, market_away: the
    de-vigged odds of the forecast's own moment, NaN where there were none.
    """
    forecast_columns = ["as_of", "p_home", "p_draw", "p_away", "prediction", "confidence", "information"]
    odds = ["home_odds", "draw_odds", "away_odds"]
    written = ["replay", "timestamp"]
    columns = [*KEY, *forecast_columns, *odds, *written]
    joined = forecasts[columns].merge(matches[[*KEY, "kickoff", "result"]], on=list(KEY))
    early = (joined["as_of"] < joined["kickoff"]) & (joined["replay"] | (joined["timestamp"] < joined["kickoff"]))
    before = joined[early].sort_values(["kickoff", "home_team", "as_of"], kind="stable")
    # Of forecasts for one moment the first written counts: a past moment can be forecast again by later code.
    first = before.drop_duplicates([*KEY, "as_of"], keep="first")
    official = first.drop_duplicates(list(KEY), keep="last").reset_index(drop=True)
    market = pd.DataFrame(
        implied_probabilities(official[odds].to_numpy(dtype="float64")),
        columns=["market_home", "market_draw", "market_away"],
    )
    return pd.concat([official.drop(columns=[*odds, *written]), market], axis=1)
