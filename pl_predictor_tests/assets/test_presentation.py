"""How scores show themselves to a person."""

import pandas as pd

from pl_predictor.assets.presentation import scores_table, slices_table
from pl_predictor.core.slices import BANDS, SCORE_COLUMNS

NAN = float("nan")


def scores(*rows: tuple[str, float, int, float, float], of: str = "all") -> pd.DataFrame:
    return pd.DataFrame([(2023, of, *row) for row in rows], columns=list(SCORE_COLUMNS))


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_odds_stand_beside_our_figure_and_say_so_where_they_are_of_fewer_matches() -> None:
    ours = [("rps", 0.2, 380, 0.19, 0.21), ("log_loss", 0.98, 380, 0.9, 1.0), ("rps_skill", -1e-5, 201, -2e-5, 0.01)]
    theirs = [("rps_market", 0.1949, 201, 0.1, 0.2), ("log_loss_market", 0.95, 380, 0.9, 1.0)]
    theirs += [("rps_close", 0.19, 380, 0.1, 0.2), ("rps_skill_close", -0.01, 380, -0.02, 0.0)]
    header, _, rps, log_loss, skill, skill_close = cells(scores_table(scores(*ours, *theirs)))
    assert header == ["metric", "ours", "95 % interval", "market", "close", "n", "what it says"]
    assert rps[:6] == ["rps", "0.2000", "0.1900 to 0.2100", "0.1949 (of 201)", "0.1900", "380"]
    assert log_loss[3:5] == ["0.9500", ""]
    assert skill[:6] == ["rps skill", "0.0000", "0.0000 to 0.0100", "", "", "201"]
    assert skill_close[:6] == ["rps skill close", "-0.0100", "-0.0200 to 0.0000", "", "", "380"]


def test_a_score_without_an_interval_says_so() -> None:
    assert "| 0.2000 | too few matches |" in scores_table(scores(("rps", 0.2, 8, NAN, NAN)))


def test_slices_stand_in_their_order_and_what_does_not_exist_is_blank() -> None:
    small = scores(("rps", 0.25, 9, NAN, NAN), of=BANDS[0])
    whole = scores(("rps", 0.2, 380, 0.1, 0.3), ("accuracy", 0.5, 380, 0.4, 0.6))
    assert cells(slices_table(pd.concat([small, whole]))) == [
        ["matches", "n", "rps", "accuracy"],
        ["---", "---", "---", "---"],
        ["all", "380", "0.200 (0.100 to 0.300)", "0.500 (0.400 to 0.600)"],
        [BANDS[0], "9", "0.250", ""],
    ]
