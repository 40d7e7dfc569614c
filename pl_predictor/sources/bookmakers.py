"""football-data.co.uk's columns of prices: whose they are, when they were taken, and what a possible price is.

Tables, not patterns: over the years the same letters meant different things. BFD alone is Betfair's draw (2024/25);
BFDH, BFDD, BFDA are Betfred (2025/26). A bookmaker has prices in a file only if all three of its columns are there.
"""

import re
from typing import Final

Triplet = tuple[str, str, str]
Bounds = tuple[float, float]
Prices = tuple[float, float, float]

BOOKMAKERS: Final[dict[str, str]] = {
    "1XB": "1xBet",
    "B365": "Bet365",
    "BF": "Betfair",
    "BFD": "Betfred",
    "BFE": "Betfair Exchange",
    "BMGM": "BetMGM",
    "BS": "Blue Square",
    "BV": "BetVictor",
    "BW": "bwin",
    "CL": "Coral",
    "GB": "Gamebookers",
    "IW": "Interwetten",
    "LB": "Ladbrokes",
    "PS": "Pinnacle",
    "SB": "Sportingbet",
    "SJ": "Stan James",
    "SO": "Sporting Odds",
    "SY": "Stanleybet",
    "VC": "VC Bet, later BetVictor",
    "WH": "William Hill",
}
"""Code to name of everybody who ever quoted home, draw and away in the files."""


def _columns(code: str) -> Triplet:
    return (f"{code}H", f"{code}D", f"{code}A")


PRE_MATCH: Final[dict[str, Triplet]] = {code: _columns(code) for code in BOOKMAKERS}
CLOSING: Final[dict[str, Triplet]] = {code: _columns(f"{code}C") for code in BOOKMAKERS}

# Preferred source first: a file uses the first one whose columns it has, for all its rows.
CONSENSUS: Final[dict[str, Triplet]] = {
    "Avg": ("AvgH", "AvgD", "AvgA"),  # since 2019/20
    "BbAv": ("BbAvH", "BbAvD", "BbAvA"),  # 2005/06 to 2018/19
    "B365": ("B365H", "B365D", "B365A"),  # since 2002/03
}
BEST: Final[dict[str, Triplet]] = {
    "Max": ("MaxH", "MaxD", "MaxA"),
    "BbMx": ("BbMxH", "BbMxD", "BbMxA"),
}
CLOSING_CONSENSUS: Final[dict[str, Triplet]] = {
    "AvgC": ("AvgCH", "AvgCD", "AvgCA"),  # since 2019/20
    "PSC": ("PSCH", "PSCD", "PSCA"),  # since 2012/13; stops in January 2026
}
_BEST_CLOSING: Final = {"MaxC": ("MaxCH", "MaxCD", "MaxCA")}
TRIPLETS: Final = (
    *PRE_MATCH.values(),
    *CLOSING.values(),
    *CONSENSUS.values(),
    *BEST.values(),
    *CLOSING_CONSENSUS.values(),
    *_BEST_CLOSING.values(),
)

# Goals over and under, and handicaps, of every bookmaker and aggregate: known, and not read.
_OTHER_MARKETS: Final = re.compile(
    r"(Bb)?(Mx|Av|Max|Avg|P|[A-Z0-9]{2,4})?C?(>2\.5|<2\.5|AH[HA]?)|Bb(1X2|OU|AH|AHh)|AHC?h", re.ASCII
)
_HIGHEST: Final = 10_000.0
NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def is_other_market(column: str) -> bool:
    """Whether a column holds prices of a market that is not home, draw, away."""
    return _OTHER_MARKETS.fullmatch(column) is not None


def possible_prices(cells: tuple[str, ...], bounds: Bounds) -> Prices | None:
    """Three cells as decimal odds; None unless all are over 1 and their inverses sum to within `bounds`."""
    if all(map(NUMBER.fullmatch, cells)):
        home, draw, away = map(float, cells)
        sane = min(home, draw, away) > 1 and max(home, draw, away) < _HIGHEST
        if sane and bounds[0] <= 1 / home + 1 / draw + 1 / away <= bounds[1]:
            return home, draw, away
    return None
