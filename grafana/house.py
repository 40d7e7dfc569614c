"""The house style: how a panel is made. What it asks is the dashboards'.

A panel is a question (its title), what to make of the answer (its description), and SQL. Whatever Grafana would do
wrongly by default is set here once: legends are shown, a stat that has no row is grey and says so, what has no
threshold is not green, limits are within the picture, SQL is written and not clicked together. Makers return the SDK's
builders, so that a dashboard can add what only one panel needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Final

from grafana_foundation_sdk.builders import barchart, common, statetimeline, table, timeseries, trend
from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

from grafana.queries import ONLY

DATA, DAGSTER = "mlops-pg", "dagster-pg"
"""uids of the data sources: the platform's tables, and Dagster's."""
POSTGRES: Final = "grafana-postgresql-datasource"

GREY, RED, AMBER, GREEN, BLUE, PURPLE = "#808080", "red", "orange", "green", "blue", "purple"
SHARE, NUMBER, COUNT, SECONDS, TEXT = "percentunit", "none", "short", "s", "string"
DAYS: Final = "suffix: days"
"""Grafana's own unit would make weeks of them, which no text and no threshold speaks of."""
MOMENT: Final = "time:YYYY-MM-DD HH:mm"
SERIES: Final = {"^the market$|^claimed$": BLUE, "^expected (by|if)|at least$|at most$|^began with$": GREY}
"""Colours of lines by what their names hold: whatever else is drawn, these are what it is compared with."""

ALERT_LIST: Final = {
    **{"viewMode": "list", "groupMode": "default", "groupBy": [], "maxItems": 20, "sortOrder": 3},
    **{"dashboardAlerts": False, "alertName": "", "alertInstanceLabelFilter": "", "showInactiveAlerts": False},
}
"""As Grafana 12.3 writes it down: by rule, the most important first."""

Steps = Sequence[tuple[float, str]]
"""From which value on which colour; what has no value is grey, or in a table as all text."""
Words = Mapping[str, tuple[str, str]]
"""Value to text and colour."""
Panel = Any
"""A builder of the SDK's for one kind of panel; they share their methods and no base class."""


def query(source: str, sql: str, shape: str, ref: str) -> dict[str, Any]:
    """A query as Grafana's PostgreSQL data source reads it. shape: table or time_series."""
    return {
        "datasource": {"type": POSTGRES, "uid": source},
        "editorMode": "code",
        "format": shape,
        "rawQuery": True,
        "rawSql": dedent(sql).strip(),
        "refId": ref,
    }


class Sql(Builder[Dataquery]):
    """A query in the shape of Grafana's PostgreSQL data source, which the SDK has no class for."""

    def __init__(self, source: str, sql: str, shape: str, ref: str) -> None:
        self._query = query(source, sql, shape, ref)

    def build(self) -> Dataquery:
        return _Written(self._query)


class _Written(Dataquery):
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def to_json(self) -> dict[str, Any]:
        return self._document


def reference(source: str) -> kinds.DataSourceRef:
    """A data source by its uid."""
    return kinds.DataSourceRef(POSTGRES, source)


def _panel(panel: Panel, title: str, says: str, sql: str, *, shape: str, source: str, none: str = "no data") -> Panel:
    described = panel.title(title).description(" ".join(says.split())).no_value(none).datasource(reference(source))
    return described.targets([Sql(source, sql, shape, "A")])


def stat(
    title: str,
    says: str,
    sql: str,
    *,
    unit: str = COUNT,
    steps: Steps = (),
    none: str = "no data",
    source: str = DATA,
    decimals: int | None = None,
) -> Panel:
    """One row of one or more values, in large. steps: none for grey; none: what is said where there is no row."""
    panel = _panel(stats.Panel(), title, says, sql, shape="table", source=source, none=none)
    panel = panel.mappings([_absent(none)]).thresholds(_thresholds(steps)).unit(unit)
    fields = "/.*/" if unit == TEXT else ""
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields(fields))
    panel = panel.color_mode(kinds.BigValueColorMode.VALUE).graph_mode(kinds.BigValueGraphMode.NONE)
    return panel if decimals is None else panel.decimals(decimals)


def aside(panel: Panel, column: str, unit: str | None = None, decimals: int | None = None) -> Panel:
    """The stat, with a column that is neither good nor bad: it is grey. unit, decimals: where they differ."""
    options = {"color": {"mode": "fixed", "fixedColor": GREY}, "unit": unit, "decimals": decimals}
    return panel.override_by_name(column, _options(options))


def judged(panel: Panel, column: str, steps: Steps, unknown: str | None = None, colour_of_unknown: str = GREY) -> Panel:
    """The stat, with a column that has thresholds of its own. unknown: what is said where there is a row, and null in
    it; a mapping of the whole stat would say it without any row, too."""
    properties: dict[str, Any] = {"thresholds": _as_json(steps, GREY)}
    if unknown is not None:
        properties["mappings"] = [_absent(unknown, colour_of_unknown)]
    return panel.override_by_name(column, _options(properties))


def interval(panel: Panel, n: str) -> Panel:
    """The stat of a value, the ends of its interval, which need five match days to be known, and its sample size."""
    panel = panel.override_by_regexp("/^at (least|most)$/", _options({"mappings": [_absent("unknown")]}))
    return aside(panel, n, COUNT, decimals=0)


def score(title: str, says: str, sql: str, *, unit: str, steps: Steps, decimals: int) -> Panel:
    """Figures in large, each named by what it is of: `time`, `metric`, `value`. Where that begins with ONLY it is of
    too few matches to be good or bad, and grey."""
    panel = stat(title, says, sql, unit=unit, steps=steps, none="no result yet", decimals=decimals)
    panel = panel.targets([Sql(DATA, sql, "time_series", "A")]).text_mode(kinds.BigValueTextMode.VALUE_AND_NAME)
    return _coloured(panel, {f"^{ONLY}": GREY})


def _coloured(panel: Panel, colours: Mapping[str, str]) -> Panel:
    """The panel, with series in colours by patterns that their names have."""
    for pattern, colour in colours.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel = panel.override_by_regexp(f"/{pattern}/", _options({"color": fixed}))
    return panel


def _options(given: Mapping[str, Any]) -> list[models.DynamicConfigValue]:
    """Options of a field as an override has them; None is none."""
    return [models.DynamicConfigValue(name, option) for name, option in given.items() if option is not None]


def lines(
    title: str,
    says: str,
    sql: str,
    *,
    unit: str = NUMBER,
    decimals: int | None = None,
    limits: Steps = (),
    source: str = DATA,
) -> Panel:
    """Series over time: `time`, `metric` (names the series), `value`. limits: dashed lines, of these colours, which are
    always to be seen."""
    panel = _over_time(title, says, sql, unit, source).legend(legend(["lastNotNull"]))
    panel = _coloured(panel, SERIES).show_points(kinds.VisibilityMode.ALWAYS).point_size(4).span_nulls(True)
    if limits:
        dashed = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(limits)).thresholds_style(dashed)
        lowest, highest = 1.05 * min(limits)[0], 1.05 * max(limits)[0]
        panel = panel.axis_soft_max(max(0, highest))
        panel = panel.axis_soft_min(lowest) if lowest < 0 else panel
    return panel if decimals is None else panel.decimals(decimals)


def counts(title: str, says: str, sql: str, colours: Mapping[str, str] | None = None, *, source: str = DATA) -> Panel:
    """Stacked bars over time, of the same columns. colours: by patterns of the names, where they matter."""
    panel = _coloured(_over_time(title, says, sql, COUNT, source), colours or {}).legend(legend())
    stacked = common.StackingConfig().mode(kinds.StackingMode.NORMAL)
    return panel.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(70).stacking(stacked)


def _over_time(title: str, says: str, sql: str, unit: str, source: str) -> Panel:
    panel = _panel(timeseries.Panel(), title, says, sql, shape="time_series", source=source).unit(unit)
    return panel.tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))


def states(title: str, says: str, sql: str, words: Words, *, source: str = DATA) -> Panel:
    """A state over time, a lane a `metric`. words: value to text and colour."""
    panel = _panel(statetimeline.Panel(), title, says, sql, shape="time_series", source=source)
    return panel.mappings([_mapping(words)]).legend(legend()).show_value(kinds.VisibilityMode.NEVER)


def bars(title: str, says: str, sql: str, *, unit: str = COUNT, x: str, source: str = DATA) -> Panel:
    """A group of bars a row, named by the column `x`; a bar each other column."""
    panel = _panel(barchart.Panel(), title, says, sql, shape="table", source=source).unit(unit)
    return panel.x_field(x).legend(legend()).show_value(kinds.VisibilityMode.ALWAYS)


def curve(title: str, says: str, sql: str, *, unit: str = SHARE, x: str, source: str = DATA) -> Panel:
    """Lines over the numbers of the column `x`, which ascend."""
    panel = _panel(trend.Panel(), title, says, sql, shape="table", source=source).unit(unit)
    return panel.x_field(x).legend(legend()).show_points(kinds.VisibilityMode.ALWAYS)


@dataclass(frozen=True)
class Column:
    """How the cells of a table's column are shown.

    link: title and address of what a cell leads to, of which the cell's text can be a part. short: a regular expression
    that fits the text, and what is shown of it. words, steps: texts and colours. width: pixels. wrap: over several
    lines.
    """

    unit: str | None = None
    decimals: int | None = None
    link: tuple[str, str] | None = None
    short: tuple[str, str] | None = None
    words: Words | None = None
    steps: Steps | None = None
    width: int | None = None
    wrap: bool = False

    def options(self) -> list[models.DynamicConfigValue]:
        """As Grafana has them."""
        given: dict[str, Any] = {"unit": self.unit, "decimals": self.decimals, "custom.width": self.width}
        if self.link is not None:
            given["links"] = [{"title": self.link[0], "url": self.link[1], "targetBlank": True}]
        if self.short is not None:
            pattern, shown = self.short
            given["mappings"] = [{"type": "regex", "options": {"pattern": pattern, "result": {"text": shown}}}]
        if self.words is not None:
            given["mappings"] = [_mapping(self.words)]
        if self.steps is not None:
            given["thresholds"] = _as_json(self.steps, "text")
        if self.words is not None or self.steps is not None:
            given["custom.cellOptions"] = {"type": "color-text"}
        if self.wrap:
            given |= {"custom.wrapText": True, "custom.minWidth": 150}
        return _options(given)


PERCENT: Final = Column(SHARE, 1, width=76)
UNITS: Final = Column(decimals=2, width=76)
"""Money, and the odds."""
NATS: Final = Column(decimals=4, width=88)
PROSE: Final = Column(wrap=True)
RUN: Final = Column(
    link=("The run in Dagster", "${dagster_url:raw}/runs/${__value.raw}"), short=("^(.{8}).*$", "$1"), width=84
)
VERSION: Final = Column(
    link=("The version in MLflow", "${mlflow_url:raw}/#/models/premier_league_predictor/versions/${__value.raw}"),
    width=90,
)
ASSET: Final = Column(link=("The asset in Dagster", "${dagster_url:raw}/assets/${__value.raw}"), width=170)
REPORTS: Final = Column(link=("The drift reports in Dagster", "${dagster_url:raw}/assets/drift_report"), width=190)
REPORT: Final = Column(
    link=("Evidently's report in MLflow", "${mlflow_url:raw}/${__value.raw:raw}"), short=("^.+$", "open"), width=84
)


def grid(
    title: str,
    says: str,
    sql: str,
    columns: Mapping[str, Column] | None = None,
    *,
    none: str,
    source: str = DATA,
) -> Panel:
    """A table. none: what is said where there is no row, which in a list of what is wrong is good news."""
    panel = _panel(table.Panel(), title, says, sql, shape="table", source=source, none=none).min_width(60)
    panel = panel.thresholds(_thresholds((), "text"))
    # What is said of no row would else be said in every empty cell, with the links of the column.
    panel = panel.override_by_regexp("/.*/", _options({"noValue": ""}))
    panel = panel.override_by_field_type("time", _options({"unit": MOMENT, "custom.width": 136}))
    for name, column in (columns or {}).items():
        panel = panel.override_by_name(name, column.options())
    return panel


def firing(title: str, says: str) -> Panel:
    """What Grafana's own alert rules tell of at the moment, whichever board one looks at."""
    told = {"firing": True, "pending": True, "recovering": True, "noData": True, "error": True, "normal": False}
    panel = sdk.Panel().type("alertlist").title(title).description(" ".join(says.split())).overrides([])
    return panel.options({**ALERT_LIST, "stateFilter": told})


def _mapping(words: Words) -> models.ValueMap:
    """The words, as Grafana has them."""
    results = {
        value: models.ValueMappingResult(said, colour, index=index)
        for index, (value, (said, colour)) in enumerate(words.items())
    }
    return models.ValueMap(results)


def _absent(said: str, colour: str = GREY) -> models.SpecialValueMap:
    """What is said of a value that is null, and in which colour."""
    result = models.ValueMappingResult(said, colour)
    return models.SpecialValueMap(models.DashboardSpecialValueMapOptions(models.SpecialValueMatch.NULL, result))


def _steps(steps: Steps, base: str) -> list[models.Threshold]:
    return [models.Threshold(None, base), *(models.Threshold(value, colour) for value, colour in steps)]


def _as_json(steps: Steps, base: str) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [step.to_json() for step in _steps(steps, base)]}


def _thresholds(steps: Steps, base: str = GREY) -> sdk.ThresholdsConfig:
    return sdk.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(_steps(steps, base))


def legend(calcs: Sequence[str] = ()) -> common.VizLegendOptions:
    """A legend with these calculations of each series, in Grafana's words."""
    shown = common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM).calcs(list(calcs))
    return shown.display_mode(kinds.LegendDisplayMode.LIST)
