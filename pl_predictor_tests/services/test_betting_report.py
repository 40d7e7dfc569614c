"""The tables of a small ledger show what can be computed by hand, and where there is no bet a sentence says why."""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pytest

from pl_predictor.core.betting import Staking
from pl_predictor.core.betting_scores import BOOKMAKER_ODDS, METRICS
from pl_predictor.core.matches import CLOSING_ODDS, MAX_ODDS, PRE_MATCH_ODDS
from pl_predictor.services.betting_report import print_bets
from pl_predictor_tests.frames import forecast, matches, played

STAKING = Staking("best", "kelly", 1000.0, 0.25, 0.01, 0.05, 0.02, 0.30)
AS_OF = datetime(2024, 6, 1, tzinfo=timezone.utc)
WON, LOST, NO_EDGE, NO_ODDS = "2022-09-03 14:00", "2023-09-02 14:00", "2023-09-09 14:00", "2023-09-16 14:00"


def odds(names: tuple[str, ...], *prices: float) -> dict[str, Any]:
    return dict(zip(names, prices, strict=True))


def priced(*best: float) -> dict[str, Any]:
    return {**odds(MAX_ODDS, *best), **odds(PRE_MATCH_ODDS, *(0.95 * price for price in best)), "odds_source": "Avg"}


MATCHES = matches(
    played(
        *("Arsenal", "Leeds", WON, 2, 0),
        **{**priced(2.0, 4.0, 5.0), "season": 2022, "closing_source": "PSC", **odds(CLOSING_ODDS, 1.6, 4.0, 8.0)},
    ),
    played("Arsenal", "Chelsea", LOST, 2, 0, **priced(3.2, 3.9, 2.2)),
    played("Everton", "Chelsea", NO_EDGE, 1, 1, **priced(2.0, 4.0, 5.0)),
    played("Chelsea", "Everton", NO_ODDS, 1, 1),
).assign(**odds(BOOKMAKER_ODDS, 1.9, 3.8, 4.5))
FORECASTS = pd.DataFrame(
    [
        forecast("Arsenal", "Leeds", WON, (0.6, 0.2, 0.2), season=2022),
        forecast("Arsenal", "Chelsea", LOST, (0.3, 0.2, 0.5)),
        forecast("Everton", "Chelsea", NO_EDGE, (0.5, 0.25, 0.25)),
        forecast("Chelsea", "Everton", NO_ODDS, (0.8, 0.1, 0.1)),
    ]
).assign(made_at=lambda rows: rows["kickoff"] - pd.Timedelta(days=1))


def rows(printed: str) -> dict[str, list[str]]:
    """The cells of the rows of all tables by the first of them; a line that goes on in the next one is cut off."""
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in printed.splitlines() if "│" in line]
    return {first: rest for first, *rest in lines if first}


def test_each_score_is_that_of_the_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    print_bets(FORECASTS, MATCHES, STAKING, AS_OF)
    printed = capsys.readouterr().out
    shown = rows(printed)
    # 50.00 at 2.0 (a twentieth, Kelly asks for as much) is won; of 1,050 a quarter of 0.1 / 1.2 at 2.2 is lost.
    assert {name: shown[name.replace("_", " ")][0] for name in METRICS} == {
        "bankroll": "1028.13",
        "profit": "28.13",
        "turnover": "71.87",
        "roi": "2.8%",
        "yield": "39.1%",
        "claimed_value": "17.0%",
        "overconfidence": "-22.2%",
        "hit_rate": "50.0%",
        "hit_rate_implied": "47.7%",
        "clv": "25.0%",
        "max_drawdown": "2.1%",
    }
    assert shown["yield"][:3] == ["39.1%", "", "2"]  # too few match days for an interval
    assert shown["clv"][2] == "1"
    assert shown["home wins"] == ["1", "100.0%", "", "20.0%", "25.0%"]
    assert shown["odds 2 to 3"] == ["2", "39.1%", "", "17.0%", "25.0%"]
    assert shown["2022/23"] == ["1", "50.00", "50.00", "100.0%", "100.0%", "50.0%", "25.0%", "20.0%", "0.0%", "1050.00"]
    assert shown["2023/24"] == ["1", "21.87", "-21.87", "-100.0%", "0.0%", "45.5%", "", "10.0%", "2.1%", "1028.13"]
    assert "Matches without best prices, which are not bet on: 1" in printed


def test_blind_betting_stands_beside_it_on_the_same_matches_and_on_all(capsys: pytest.CaptureFixture[str]) -> None:
    print_bets(FORECASTS, MATCHES, STAKING, AS_OF)
    shown = rows(capsys.readouterr().out)
    assert shown["our choice, best"] == ["0.0%", "2", "", ""]
    assert shown["our choice, B365"] == ["-5.0%", "2", "", ""]
    assert shown["blind home, best"] == ["160.0%", "2", "73.3%", "3"]
    assert shown["blind home, B365"] == ["90.0%", "2", "-5.0%", "4"]


@pytest.mark.parametrize(
    ("staking", "known", "sentence", "blind"),
    [
        (STAKING, MATCHES[3:], "none of the 4 matches has best prices, and none are made up", False),
        (
            replace(STAKING, min_edge=0.25),
            MATCHES,
            "of the 3 matches with best prices no outcome with a probability of 30.0% (PL_MIN_CONFIDENCE) has an edge "
            "of 25.0% (PL_MIN_EDGE); the largest is +20.0%",
            True,
        ),
        (replace(STAKING, min_confidence=0.9), MATCHES, "no outcome has a probability of 90.0%", True),
        (replace(STAKING, bankroll=0.1), MATCHES, "every stake is under a hundredth of a unit; PL_BANKROLL=0.1", True),
    ],
    ids=["no odds", "no edge", "not likely", "no money"],
)
def test_where_there_is_no_bet_a_sentence_says_why(
    staking: Staking, known: pd.DataFrame, sentence: str, blind: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    print_bets(FORECASTS, known.drop(columns=list(BOOKMAKER_ODDS)), staking, AS_OF)
    printed = capsys.readouterr().out
    assert printed.startswith(f"No bets on paper: {sentence}")
    assert ("blind every outcome, best" in printed) is blind
    assert "yield" not in printed
    assert "our choice" not in printed
