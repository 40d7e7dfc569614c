"""How good forecasts are against Bet365's prices before the match, on the same matches."""

from pathlib import Path

import pandas as pd

from pl_predictor.core.features import MARKET
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import KEY
from pl_predictor.core.scoring import PROBABILITIES, Score, scorecard
from pl_predictor.sources.layout import parse, season_folder


def against_bet365(forecasts: Path, mirror: Path) -> tuple[dict[str, Score], dict[str, Score]]:
    """The scorecards, by metric, of a backtest's file and of Bet365 (power method), each with Bet365 as the market."""
    ours = pd.read_csv(forecasts, parse_dates=["kickoff"])
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
    both[list(MARKET)] = implied_probabilities(both[["home_odds", "draw_odds", "away_odds"]].to_numpy(dtype="float64"))
    theirs = both.assign(**{name: both[market] for name, market in zip(PROBABILITIES, MARKET, strict=True)})
    own, market = ({score.metric: score for score in scorecard(frame)} for frame in (both, theirs))
    return own, market


def matches_played(mirror: Path, first: int, last: int) -> int:
    """How many matches the files of these seasons hold."""
    files = [mirror / "mmz4281" / season_folder(season) / "E0.csv" for season in range(first, last + 1)]
    return sum(
        int(parse(file.read_bytes(), file=str(file), season=season).matches["result"].notna().sum())
        for season, file in zip(range(first, last + 1), files, strict=True)
    )
