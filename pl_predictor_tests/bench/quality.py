"""How good forecasts are against Bet365's prices before the match, on the same matches."""

from pathlib import Path

import pandas as pd

from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY
from pl_predictor.core.scoring import PROBABILITIES, classification, confusion, rps
from pl_predictor.sources.layout import parse, season_folder


def bet365_scores(forecasts: Path, mirror: Path) -> tuple[float, float, dict[str, float]]:
    """Mean RPS of a backtest's file, that of Bet365 (power method), and the accuracy and F1 of the decisions."""
    ours = pd.read_csv(forecasts)
    rows = []
    for season in sorted(set(ours["season"])):
        file = mirror / "mmz4281" / season_folder(season) / "E0.csv"
        parsed = parse(file.read_bytes(), file=str(file), season=season)
        prices = parsed.odds[(parsed.odds["bookmaker"] == "B365") & (parsed.odds["moment"] == "pre_match")]
        results = parsed.matches[[*KEY, "result"]]
        rows.append(prices.merge(results, on=list(KEY)))
    both = ours.merge(pd.concat(rows), on=list(KEY), validate="one_to_one")
    if len(both) != len(ours):
        raise ValueError(f"{len(ours) - len(both)} forecasts have no price of Bet365's")
    result = both["result"].to_numpy()
    market = implied_probabilities(both[["home_odds", "draw_odds", "away_odds"]].to_numpy(dtype="float64"))
    own = both[list(PROBABILITIES)].to_numpy(dtype="float64")
    classes = classification(confusion(both["prediction"].to_numpy(), result).sum(axis=0))
    return float(rps(own, result).mean()), float(rps(market, result).mean()), {k: float(v) for k, v in classes.items()}
