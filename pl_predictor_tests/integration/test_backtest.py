"""`pl-predictor backtest`: a forecast a row, from what was known before its match, and errors that say what to do."""

from pathlib import Path

import pandas as pd
import pytest

from pl_predictor.settings import Settings
from pl_predictor_tests.integration.platform import run, using
from pl_predictor_tests.services.test_betting_report import rows

COLUMNS = ["season", "home_team", "away_team", "kickoff", "made_at", "p_home", "p_draw", "p_away", "prediction"]
TIMES = ["kickoff", "made_at"]


@pytest.mark.parametrize(("options", "priced"), [([], {"odds", "no_odds"}), (["--no-odds"], {"no_odds"})])
def test_every_match_is_forecast_once_from_before_its_kick_off(
    environment: Settings, tmp_path: Path, options: list[str], priced: set[str]
) -> None:
    file = tmp_path / "forecasts.csv"
    done = run("backtest", "--first", "2022", "--last", "2023", "--out", str(file), *options, env=using(environment))
    assert done.returncode == 0, done.stderr
    assert "Walk-forward of 2022/23 to 2023/24" in done.stdout
    assert "By season" in done.stdout
    assert ("rps market" in done.stdout) is (not options)
    assert "Bets on paper" not in done.stdout
    forecasts = pd.read_csv(file, parse_dates=TIMES)
    assert list(forecasts) == [*COLUMNS, "information", "model"]
    assert forecasts.groupby("season").size().to_dict() == {2022: 380, 2023: 380}
    assert not forecasts.duplicated(["season", "home_team", "away_team"]).any()
    assert (forecasts["made_at"] <= forecasts["kickoff"]).all()
    assert (forecasts[["p_home", "p_draw", "p_away"]].sum(axis=1) - 1).abs().max() < 1e-9
    assert set(forecasts["prediction"]) == {"H", "D", "A"}
    assert set(forecasts["information"]) == priced
    assert set(forecasts.loc[forecasts["season"] == 2022, "information"]) == {"no_odds"}


def test_bets_follow_forecasts_that_saw_no_odds_and_take_what_odds_there_are(environment: Settings) -> None:
    done = run("backtest", "--first", "2022", "--last", "2023", "--no-odds", "--bets", env=using(environment))
    assert done.returncode == 0, done.stderr
    assert "Walk-forward of 2022/23 to 2023/24" in done.stdout
    assert "Bets on paper: best prices, 0.25 of Kelly's stakes, from 1000.00 units" in done.stdout
    assert "Matches without best prices, which are not bet on: 380" in done.stdout
    shown = rows(done.stdout.partition("Bets on paper")[2])
    assert shown["2022/23"][0] == "0"
    assert shown["2023/24"][0] == shown["profit"][2] == shown["our choice, best"][1] != "0"
    assert shown["2023/24"][-1] == shown["bankroll"][0]
    assert shown["blind every outcome, consensus"][3] == "380"
    assert "our choice, B365" not in shown
    assert "clv" not in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("2023", "2022"), "--first 2023 is after --last 2022: name the earlier season first"),
        (("2014", "2015"), "season 2014 cannot be forecast: .* are 2015 to 2025; choose among these"),
        (("2025", "2030"), "season 2026 cannot be forecast: .* are 2015 to 2025"),
    ],
)
def test_seasons_that_cannot_be_forecast_are_an_error(
    environment: Settings, arguments: tuple[str, str], sentence: str
) -> None:
    done = run("backtest", "--first", arguments[0], "--last", arguments[1], env=using(environment))
    assert done.returncode == 1
    assert pd.Series([done.stderr]).str.contains(sentence).all(), done.stderr


def test_a_folder_that_is_not_there_is_an_error(environment: Settings, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "forecasts.csv"
    done = run("backtest", "--first", "2023", "--last", "2023", "--out", str(file), env=using(environment))
    assert done.returncode == 1
    assert f"{file} cannot be written (No such file or directory): name a folder that exists" in done.stderr
