"""Pictures for people who would rather look than read: frames in, markdown with an embedded PNG out.

Nothing here computes a figure that is not in the frame.
"""

import base64
import io
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOME, DRAW, AWAY = "#3b6fb6", "#a8a8a8", "#c8553d"


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _markdown(figure: "Figure", alternative: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return f"![{alternative}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"


def results_by_season(matches: pd.DataFrame) -> str:
    """Share of home wins, draws and away wins by season, of matches with a result."""
    shares = pd.crosstab(matches["season"], matches["result"], normalize="index").reindex(columns=["H", "D", "A"])
    figure, axes = _figure(7, 2.8)
    for outcome, label, colour in (("H", "home win", HOME), ("D", "draw", DRAW), ("A", "away win", AWAY)):
        axes.plot(shares.index, shares[outcome], marker="o", color=colour, label=label)
    axes.set(ylim=(0, 0.6), xlabel="season (first year)", ylabel="share of matches", xticks=list(shares.index))
    axes.legend(ncols=3, frameon=False)
    return _markdown(figure, "share of results by season")


def strengths(teams: pd.DataFrame) -> str:
    """Elo of each team, strongest first (index: team; column elo)."""
    ordered = teams.sort_values("elo")
    figure, axes = _figure(6, 0.8 + 0.22 * len(ordered))
    axes.barh(ordered.index, ordered["elo"], color=HOME)
    axes.set(xlabel="Elo", xlim=(float(ordered["elo"].min()) - 40, float(ordered["elo"].max()) + 20))
    return _markdown(figure, "Elo by team")


def reliability(table: pd.DataFrame) -> str:
    """Forecast probability against observed frequency by outcome (a calibration table); a dot's area is its matches."""
    figure, axes = _figure(4.2, 4)
    axes.plot([0, 1], [0, 1], color=DRAW, linestyle="--", linewidth=1)
    for outcome, label, colour in (("H", "home win", HOME), ("D", "draw", DRAW), ("A", "away win", AWAY)):
        rows = table[table["outcome"] == outcome]
        area = 20 + 200 * rows["n"] / table["n"].max()
        axes.scatter(
            rows["forecast"], rows["observed"], s=area, color=colour, alpha=0.8, label=label, clip_on=False, zorder=3
        )
    axes.legend(frameon=False, loc="lower right")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="forecast probability", ylabel="observed frequency", aspect="equal")
    return _markdown(figure, "reliability diagram")


def fixtures(forecasts: pd.DataFrame) -> str:
    """Probabilities of the coming fixtures as stacked bars, next first."""
    rows = forecasts.iloc[::-1]
    labels = [f"{r.home_team} - {r.away_team}" for r in rows.itertuples()]
    figure, axes = _figure(7, 0.8 + 0.28 * len(rows))
    left = pd.Series(0.0, index=rows.index)
    for column, label, colour in (("p_home", "home", HOME), ("p_draw", "draw", DRAW), ("p_away", "away", AWAY)):
        bars = axes.barh(labels, rows[column], left=left, color=colour, label=label)
        axes.bar_label(bars, [f"{p:.0%}" for p in rows[column]], label_type="center", color="white", fontsize=8)
        left += rows[column]
    axes.set(xlim=(0, 1), xticks=[])
    axes.legend(ncols=3, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _markdown(figure, "forecast probabilities")


def rolling_score(scores: pd.DataFrame, window: int) -> str:
    """Rolling mean RPS of the forecasts, and of the market on the same matches (columns kickoff, rps, rps_market)."""
    figure, axes = _figure(7, 2.8)
    rolling: Any = scores.set_index("kickoff")[["rps", "rps_market"]].rolling(window, min_periods=1).mean()
    axes.plot(rolling.index, rolling["rps"], color=HOME, label="forecasts")
    if rolling["rps_market"].notna().any():
        axes.plot(rolling.index, rolling["rps_market"], color=AWAY, label="market, same matches")
    axes.set(ylabel=f"RPS, mean of {window}", xlabel="kick-off")
    axes.legend(frameon=False)
    _short_dates(axes)
    return _markdown(figure, "rolling RPS")


def rolling_skill(scores: pd.DataFrame, window: int) -> str:
    """1 - RPS / RPS of the market over the last `window` matches with odds (columns kickoff, rps, rps_market)."""
    figure, axes = _figure(7, 2.8)
    priced = scores.dropna(subset="rps_market").set_index("kickoff")
    means: Any = priced[["rps", "rps_market"]].rolling(window).mean()
    skill = (1 - means["rps"] / means["rps_market"]).dropna()
    axes.plot(skill.index, skill, color=HOME)
    axes.axhline(0, color="black", linewidth=0.8)
    # A forecast that is the market's has no skill, whatever the last digit says.
    axes.set_ylim(min(-0.02, float(skill.min())) * 1.1, max(0.02, float(skill.max())) * 1.1)
    axes.set(ylabel=f"RPS skill of {window}", xlabel="kick-off (over 0: better than the market)")
    _short_dates(axes)
    return _markdown(figure, "rolling RPS skill against the market")


def bankroll(ledger: pd.DataFrame, began_with: float) -> str:
    """The bankroll of a ledger after each settled bet (settled_at, bankroll_after), units, and at the start."""
    settled = ledger.dropna(subset="bankroll_after")
    figure, axes = _figure(7, 2.8)
    axes.axhline(began_with, color=DRAW, linestyle="--", linewidth=1, label="at the start")
    axes.step(settled["settled_at"], settled["bankroll_after"], where="post", color=HOME, label="bankroll")
    axes.set(ylabel="units", xlabel="when bets were settled")
    axes.legend(frameon=False)
    _short_dates(axes)
    return _markdown(figure, "bankroll of paper bets")


def claimed_against_realised(scores: pd.DataFrame) -> str:
    """Yield with its 95 % interval beside the claimed value of each slice of bets (rows of betting_scores.SCORE_COLUMNS
    of the slices by outcome and by odds)."""
    realised, claimed = (scores[scores["metric"] == metric].set_index("slice") for metric in ("yield", "claimed_value"))
    rows = realised.astype({"low": float, "high": float})[["value", "low", "high", "n"]].iloc[::-1]
    figure, axes = _figure(7, 1.2 + 0.32 * len(rows))
    place = list(range(len(rows)))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.hlines(place, rows["low"], rows["high"], color=HOME, linewidth=1.5)
    axes.scatter(rows["value"], place, color=HOME, zorder=3, label="yield (95 % interval)")
    axes.scatter(claimed["value"].reindex(rows.index), place, color=AWAY, marker="D", zorder=3, label="claimed value")
    axes.set_yticks(place, [f"{name} (n {n})" for name, n in zip(rows.index, rows["n"], strict=True)])
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set(xlabel="won by a staked unit")
    axes.legend(ncols=2, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _markdown(figure, "claimed against realised value")


def _short_dates(axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib types these two in part
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def drift(columns: pd.DataFrame) -> str:
    """Effect size of each numerical column, drifted ones in red (rows of `drift_scores`)."""
    rows = columns.dropna(subset="effect_size").sort_values("effect_size", key=abs)
    figure, axes = _figure(7, 0.8 + 0.25 * len(rows))
    axes.barh(
        rows["column_name"], rows["effect_size"], color=[AWAY if drifted else DRAW for drifted in rows["drifted"]]
    )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="shift of the mean, in standard deviations of the training window (red: drifted)")
    return _markdown(figure, "drift by column")
