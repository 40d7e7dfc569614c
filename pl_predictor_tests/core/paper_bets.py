"""What the tests of paper bets share: how they stake, and prices as cells of a match frame."""

from dataclasses import replace
from typing import Any

from pl_predictor.core.betting import BET_COLUMNS, Staking
from pl_predictor.core.matches import MAX_ODDS, PRE_MATCH_ODDS

STAKING = Staking("best", "kelly", 1000.0, 0.25, 0.01, 0.05, 0.02, 0.30)
FLAT = replace(STAKING, method="flat")
Odds = tuple[float, float, float]
EVEN: Odds = (2.0, 4.0, 4.0)
LEDGER_COLUMNS = [*BET_COLUMNS, "settlement", "profit", "bankroll_after"]


def prices(best: Odds | None = None, consensus: Odds | None = EVEN) -> dict[str, Any]:
    """The cells of a match frame; best: as the consensus where it is not given."""
    pairs = [(MAX_ODDS, best or consensus), (PRE_MATCH_ODDS, consensus)]
    cells = {name: price for names, odds in pairs if odds for name, price in zip(names, odds, strict=True)}
    return cells | ({"odds_source": "Avg"} if consensus else {})
