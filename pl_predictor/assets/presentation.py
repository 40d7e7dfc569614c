"""How an asset shows itself in the Dagster UI: who owns it, its columns, its first rows."""

import math
from typing import Any, Final

import dagster as dg
import pandas as pd
from sqlalchemy import Table

from pl_predictor.core.betting_scores import METRICS as BETTING_METRICS
from pl_predictor.core.scoring import METRICS
from pl_predictor.core.slices import SLICES

OWNERS: Final = ["team:forecasting"]
PREVIEW_ROWS: Final = 10
_BESIDE: Final = {"rps": ("rps_market", "rps_close"), "log_loss": ("log_loss_market", "log_loss_close")}
_OF_THE_ODDS: Final = {name for names in _BESIDE.values() for name in names}
_CHIEF: Final = ("rps", "rps_skill", "rps_skill_close", "accuracy", "f1_macro", "calibration_error")


def column_schema(table: Table) -> dict[str, Any]:
    """Definition metadata: the table's name, columns, types and meanings."""
    columns = [
        dg.TableColumn(
            column.name,
            type=str(column.type).lower(),
            description=column.comment,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=False),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table.name,
    }


def rows(frame: pd.DataFrame, preview: pd.DataFrame | None = None) -> dict[str, Any]:
    """Materialization metadata: the number of rows, and the first of them (of `preview`, if it reads better)."""
    shown = (frame if preview is None else preview).head(PREVIEW_ROWS)
    return {"dagster/row_count": len(frame), "preview": dg.MetadataValue.md(table(shown))}


def table(frame: pd.DataFrame) -> str:
    """A frame as a table in markdown."""
    return str(frame.to_markdown(index=False, floatfmt=".3f"))


def scores_table(scores: pd.DataFrame) -> str:
    """The scores of one slice (rows of `backtest_scores`) in markdown: ours beside those of the odds, a metric a row.

    Where fewer matches have odds than there are, the figure of the odds says of how many it is.
    """
    found: dict[str, Any] = {str(score.metric): score for score in scores.itertuples()}
    lines = []
    for name, meaning in METRICS.items():
        if name not in found or name in _OF_THE_ODDS:
            continue
        score = found[name]
        market, close = (_beside(score.n, found.get(theirs)) for theirs in _BESIDE.get(name, ("", "")))
        lines.append(
            {
                "metric": name.replace("_", " "),
                "ours": _rounded(score.value, 4),
                "95 % interval": _interval(score, 4) or "too few matches",
                "market": market,
                "close": close,
                "n": str(score.n),
                "what it says": meaning,
            }
        )
    return _markdown(lines)


def slices_table(scores: pd.DataFrame) -> str:
    """The chief scores of each slice (rows of `backtest_scores` of one season) in markdown, with 95 % intervals."""
    lines = []
    for name in SLICES:
        found: dict[str, Any] = {str(score.metric): score for score in scores[scores["slice"] == name].itertuples()}
        if found:
            line = {"matches": name, "n": str(found["rps"].n)}
            lines.append(line | {metric.replace("_", " "): _with_interval(found.get(metric)) for metric in _CHIEF})
    return _markdown(lines)


def _rounded(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # adding 0 turns -0.0 into 0.0


def _interval(score: Any, digits: int) -> str:
    return "" if math.isnan(score.low) else f"{_rounded(score.low, digits)} to {_rounded(score.high, digits)}"


def _with_interval(score: Any) -> str:
    if score is None:
        return ""
    interval = _interval(score, 3)
    return _rounded(score.value, 3) + (f" ({interval})" if interval else "")


def _beside(n: int, theirs: Any) -> str:
    if theirs is None:
        return ""
    return _rounded(theirs.value, 4) + ("" if theirs.n == n else f" (of {theirs.n})")


def _markdown(lines: list[dict[str, str]]) -> str:
    """Lines of equal columns as a table; a column that is blank in all of them is left out."""
    columns = [column for column in lines[0] if any(line[column] for line in lines)]
    cells = [columns, ["---"] * len(columns), *([line[column] for column in columns] for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def betting_table(scores: pd.DataFrame) -> str:
    """Scores of a ledger (rows of `betting_scores` of one moment) in markdown: a slice a row, in all first."""
    lines = []
    for name, part in scores.groupby("slice", sort=False):
        found: dict[str, Any] = {str(score.metric): score for score in part.itertuples()}
        line = {"bets": str(name), "n": str(found["yield"].n)}
        lines.append(line | {metric.replace("_", " "): _with_interval(found.get(metric)) for metric in BETTING_METRICS})
    return _markdown(lines)
