"""What a pass of the loop looks like on a terminal, and as JSON."""

from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from pl_predictor.core.betting import best_of_each
from pl_predictor.core.matches import KEY, season_name
from pl_predictor.services.loop import LoopResult
from pl_predictor.settings import MODEL_NAME

FORECAST_FIELDS = (
    *("season", "home_team", "away_team", "p_home", "p_draw", "p_away", "prediction", "information"),
    *("home_odds", "draw_odds", "away_odds"),
)
EDGE_FIELDS = (*KEY, "outcome", "probability", "market_probability", "odds", "prices", "edge", "verdict")
BET_FIELDS = (*KEY, "outcome", "probability", "odds", "prices", "edge", "stake", "bankroll")
SHOWN_SCORES = ("accuracy", "f1_weighted", "rps", "rps_skill", "log_loss", "brier", "drift_share")
SHOWN_OF_A_SEASON = (
    *("rps", "rps_market", "rps_close", "rps_skill", "rps_skill_close", "log_loss", "accuracy", "f1_weighted"),
)
NARROWEST = 110
"""Columns that the tables need; a pipe has 80 unless it says otherwise, which cuts the teams' names."""


def as_document(result: LoopResult) -> dict[str, Any]:
    """Forecasts and metrics as JSON's types; times in ISO 8601, UTC; a null is something that is not known."""
    return {
        "as_of": result.as_of.isoformat(),
        "run_id": result.run_id,
        "model": MODEL_NAME,
        "model_version": result.model_version,
        "forecasts": _rows(result.forecasts, FORECAST_FIELDS),
        "metrics": {
            row["metric_type"]: {"value": row["value"], **row["metadata"]} for row in result.metrics.to_dict("records")
        },
        "edges": _rows(result.edges, EDGE_FIELDS),
        "bets": _rows(result.bets, BET_FIELDS),
        "walk_forward": result.walk_forward,
        "failed_checks": result.failed_checks,
        "reasons": result.reasons,
    }


def _rows(frame: pd.DataFrame, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    known = frame.astype(object).where(frame.notna(), None)
    return [
        {"kickoff": row["kickoff"].isoformat(), **{name: row[name] for name in fields}}
        for row in known.to_dict("records")
    ]


def print_result(result: LoopResult) -> None:
    """Forecasts of the coming fixtures and the metrics, as tables on stdout."""
    console = Console()
    console.width = max(console.width, NARROWEST)
    title = f"Forecasts of {result.as_of:%a %d %b %Y %H:%M} UTC, model version {result.model_version}"
    if result.forecasts.empty:
        console.print(f"{title}: none, {result.reasons.get('predictions', 'no reason given')}")
    else:
        console.print(_fixtures(result, title))
        if result.edges["odds"].notna().any():
            console.print(_edges(result))
        else:
            console.print("No fixture has odds yet: nothing can be said of its value, and there is no bet on it")
    console.print(_scores(result))
    for name, verdict in result.failed_checks.items():
        console.print(f"[red]check failed[/red] {name}: {verdict}")


def print_scorecard(forecasts: pd.DataFrame) -> None:
    """Every metric of a forecast frame with its interval, and those of the odds, as a table on stdout; of several
    seasons also a row each."""
    from pl_predictor.core.scoring import scorecard

    seasons = f"{season_name(forecasts['season'].min())} to {season_name(forecasts['season'].max())}"
    table = Table(title=f"Walk-forward of {seasons}", title_justify="left")
    for name in ("", "value", "95 % interval", "n"):
        table.add_column(name, justify="left" if not name else "right")
    for score in scorecard(forecasts):
        interval = "" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"
        table.add_row(score.metric.replace("_", " "), f"{score.value:.4f}", interval, str(score.n))
    console = Console()
    console.width = max(console.width, NARROWEST)
    console.print(table)
    if forecasts["season"].nunique() > 1:
        console.print(_by_season(forecasts))


def _by_season(forecasts: pd.DataFrame) -> Table:
    """The chief scores of each season, a row each; blank where a season has none, absent where none has."""
    from pl_predictor.core.scoring import scorecard

    seasons = {int(str(season)): rows for season, rows in forecasts.groupby("season")}
    found = {season: {score.metric: score.value for score in scorecard(rows)} for season, rows in seasons.items()}
    shown = [metric for metric in SHOWN_OF_A_SEASON if any(metric in scores for scores in found.values())]
    table = Table(title="By season", title_justify="left")
    for name in ("", "n", *(metric.replace("_", " ") for metric in shown)):
        table.add_column(name, justify="right" if name else "left")
    for season, scores in found.items():
        cells = [f"{scores[metric]:.4f}" if metric in scores else "" for metric in shown]
        table.add_row(season_name(season), str(len(seasons[season])), *cells)
    return table


def _fixtures(result: LoopResult, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("kick-off (UTC)", "home", "away"):
        table.add_column(name)
    for name in ("home win", "draw", "away win"):
        table.add_column(name, justify="right")
    table.add_column("says")
    table.add_column("odds")
    for row in result.forecasts.to_dict("records"):
        table.add_row(
            f"{row['kickoff']:%a %d %b %H:%M}",
            *(row["home_team"], row["away_team"]),
            *(f"{row[name]:.1%}" for name in ("p_home", "p_draw", "p_away")),
            row["prediction"],
            "yes" if row["information"] == "odds" else "no",
        )
    return table


def _edges(result: LoopResult) -> Table:
    """Of each fixture with odds the outcome that is worth most, and whether it is bet on."""
    priced = result.edges[result.edges["odds"].notna()]
    title = f"What an outcome is worth at the {priced['prices'].iloc[0]} prices (bets on paper only)"
    table = Table(title=title, title_justify="left")
    for name in ("home", "away", "outcome"):
        table.add_column(name)
    for name in ("ours", "market", "odds", "edge", "stake"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    stakes = result.bets.set_index([*KEY, "outcome"])["stake"]
    for row in best_of_each(priced).to_dict("records"):
        stake = stakes.get(tuple(row[name] for name in (*KEY, "outcome")))
        table.add_row(
            *(row["home_team"], row["away_team"], row["outcome"], f"{row['probability']:.1%}"),
            "" if pd.isna(row["market_probability"]) else f"{row['market_probability']:.1%}",
            *(f"{row['odds']:.2f}", f"{row['edge']:+.1%}"),
            *("" if stake is None else f"{stake:.2f}", row["verdict"]),
        )
    return table


def _scores(result: LoopResult) -> Table:
    table = Table(title="Scores", title_justify="left")
    for name in ("", "settled forecasts (95 % interval)", "n", "walk-forward", "n"):
        table.add_column(name, justify="left" if not name else "right")
    settled = {row["metric_type"]: row for row in result.metrics.to_dict("records")}
    for name in SHOWN_SCORES:
        cells = ["", "", "", ""]
        if name in settled:
            facts = settled[name]["metadata"]
            low, high = facts.get("low"), facts.get("high")
            interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
            cells[:2] = [f"{settled[name]['value']:.4f}{interval}", str(facts["n"])]
        if name in result.walk_forward:
            cells[2:] = [f"{result.walk_forward[name]:.4f}", f"{result.walk_forward[f'{name}_n']:.0f}"]
        if any(cells):
            table.add_row(name.replace("_", " "), *cells)
    return table
