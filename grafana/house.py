"""The house style: how a panel, a variable, an annotation and a board are made. What they ask is the dashboards'.

A panel is a question (its title), what to make of the answer (its description), and SQL. Whatever Grafana would do
wrongly by default is set here once: legends are shown, a stat that has no row is grey and says so, SQL is written and
not clicked together. Makers return the SDK's builders, so that a dashboard can add what only one panel needs.
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
TAG: Final = "pl_predictor"
SCHEMA_VERSION: Final = 42

GREY, RED, AMBER, GREEN, BLUE, PURPLE = "#808080", "red", "orange", "green", "blue", "purple"
SHARE, NUMBER, COUNT, SECONDS, DAYS, TEXT = "percentunit", "none", "short", "s", "d", "string"

EMPTY: Final = "-"
"""A cell of a table in which there is nothing."""

Steps = Sequence[tuple[float, str]]
"""From which value on which colour; what has no value is grey."""
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


class _Sql(Builder[Dataquery]):
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


# --- panels ----------------------------------------------------------------------------------------------------------


def _panel(panel: Panel, title: str, says: str, sql: str, *, shape: str, source: str, none: str = "no data") -> Panel:
    described = panel.title(title).description(" ".join(says.split())).no_value(none).datasource(reference(source))
    return described.targets([_Sql(source, sql, shape, "A")])


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
    panel = panel.mappings([absent(none)]).thresholds(_thresholds(steps)).unit(unit)
    fields = "/.*/" if unit == TEXT else ""
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields(fields))
    panel = panel.color_mode(kinds.BigValueColorMode.VALUE).graph_mode(kinds.BigValueGraphMode.NONE)
    return panel if decimals is None else panel.decimals(decimals)


def aside(panel: Panel, column: str, unit: str | None = None, decimals: int | None = None) -> Panel:
    """The stat, with a column that is neither good nor bad: it is grey. unit, decimals: where they differ."""
    options = {"color": {"mode": "fixed", "fixedColor": GREY}, "unit": unit, "decimals": decimals}
    given = [models.DynamicConfigValue(name, option) for name, option in options.items() if option is not None]
    return panel.override_by_name(column, given)


def judged(panel: Panel, column: str, steps: Steps) -> Panel:
    """The stat, with a column that has thresholds of its own. steps: as in `stat`."""
    thresholds = {"mode": "absolute", "steps": [{"value": None, "color": GREY}, *_as_json(steps)]}
    return panel.override_by_name(column, [models.DynamicConfigValue("thresholds", thresholds)])


def interval(panel: Panel, n: str) -> Panel:
    """The stat of a value, the ends of its interval, which need five match days to be known, and its sample size."""
    return aside(panel.mappings([absent("not known yet")]), n, COUNT, decimals=0)


def score(title: str, says: str, sql: str, *, unit: str, steps: Steps, decimals: int) -> Panel:
    """Figures in large, each named by what it is of: `time`, `metric`, `value`. Where that begins with ONLY it is of
    too few matches to be good or bad, and grey."""
    panel = stat(title, says, sql, unit=unit, steps=steps, none="no result yet", decimals=decimals)
    panel = panel.targets([_Sql(DATA, sql, "time_series", "A")]).text_mode(kinds.BigValueTextMode.VALUE_AND_NAME)
    return _coloured(panel, {f"^{ONLY}": GREY})


def _coloured(panel: Panel, colours: Mapping[str, str]) -> Panel:
    """The panel, with series in colours by patterns that their names have."""
    for pattern, colour in colours.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel = panel.override_by_regexp(f"/{pattern}/", [models.DynamicConfigValue("color", fixed)])
    return panel


def lines(
    title: str,
    says: str,
    sql: str,
    *,
    unit: str = NUMBER,
    limits: Steps = (),
    source: str = DATA,
    bars: Mapping[str, str] | None = None,
) -> Panel:
    """Series over time: `time`, `metric` (names the series), `value`. limits: dashed lines, of these colours. bars:
    stacked bars instead of lines; colours by patterns of the names, where they matter."""
    panel = _panel(timeseries.Panel(), title, says, sql, shape="time_series", source=source).unit(unit)
    panel = panel.legend(_legend(["lastNotNull"])).tooltip(
        common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI)
    )
    if bars is not None:
        stacked = common.StackingConfig().mode(kinds.StackingMode.NORMAL)
        panel = _coloured(panel, bars)
        return panel.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(70).stacking(stacked)
    if limits:
        dashed = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(limits)).thresholds_style(dashed)
    return panel.show_points(kinds.VisibilityMode.ALWAYS).point_size(4).span_nulls(True)


def states(title: str, says: str, sql: str, words: Mapping[str, tuple[str, str]], *, source: str = DATA) -> Panel:
    """A state over time, a lane a `metric`. words: value to text and colour."""
    panel = _panel(statetimeline.Panel(), title, says, sql, shape="time_series", source=source)
    return panel.mappings([mapping(words)]).legend(_legend()).show_value(kinds.VisibilityMode.NEVER)


def bars(title: str, says: str, sql: str, *, unit: str = COUNT, x: str, source: str = DATA) -> Panel:
    """A group of bars a row, named by the column `x`; a bar each other column."""
    panel = _panel(barchart.Panel(), title, says, sql, shape="table", source=source).unit(unit)
    return panel.x_field(x).legend(_legend()).show_value(kinds.VisibilityMode.ALWAYS)


def curve(title: str, says: str, sql: str, *, unit: str = SHARE, x: str, source: str = DATA) -> Panel:
    """Lines over the numbers of the column `x`, which ascend."""
    panel = _panel(trend.Panel(), title, says, sql, shape="table", source=source).unit(unit)
    return panel.x_field(x).legend(_legend()).show_points(kinds.VisibilityMode.ALWAYS)


def grid(
    title: str,
    says: str,
    sql: str,
    *,
    units: Mapping[str, str] | None = None,
    links: Mapping[str, tuple[str, str]] | None = None,
    colours: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    none: str = "no data",
    source: str = DATA,
) -> Panel:
    """A table. By column: units, links (title and address of what the cell leads to), colours (see `mapping`). none:
    what is said where there is no row, which in a list of what is wrong is good news."""
    panel = _panel(table.Panel(), title, says, sql, shape="table", source=source, none=none).filterable(True)
    # What is said of no row would else be said in every empty cell.
    panel = panel.override_by_regexp("/.*/", [models.DynamicConfigValue("noValue", EMPTY)])
    for column, unit in (units or {}).items():
        panel = panel.override_by_name(column, [models.DynamicConfigValue("unit", unit)])
    for column, (said, url) in (links or {}).items():
        link = {"title": said, "url": url, "targetBlank": True}
        panel = panel.override_by_name(column, [models.DynamicConfigValue("links", [link])])
    for column, words in (colours or {}).items():
        cell = {"type": "color-text"}
        options = [("mappings", [mapping(words)]), ("custom.cellOptions", cell)]
        panel = panel.override_by_name(column, [models.DynamicConfigValue(*option) for option in options])
    return panel


def mapping(words: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    """Value to text and colour."""
    results = {
        value: models.ValueMappingResult(said, colour, index=index)
        for index, (value, (said, colour)) in enumerate(words.items())
    }
    return models.ValueMap(results)


def absent(said: str) -> models.SpecialValueMap:
    """What is said, in grey, of a value that is null."""
    result = models.ValueMappingResult(said, GREY)
    return models.SpecialValueMap(models.DashboardSpecialValueMapOptions(models.SpecialValueMatch.NULL, result))


def _as_json(steps: Steps) -> list[dict[str, Any]]:
    return [{"value": value, "color": colour} for value, colour in steps]


def _thresholds(steps: Steps) -> sdk.ThresholdsConfig:
    given = [models.Threshold(None, GREY), *(models.Threshold(value, colour) for value, colour in steps)]
    return sdk.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(given)


def _legend(calcs: Sequence[str] = ()) -> common.VizLegendOptions:
    shown = common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM).calcs(list(calcs))
    return shown.display_mode(kinds.LegendDisplayMode.TABLE if calcs else kinds.LegendDisplayMode.LIST)


# --- variables, annotations, links -----------------------------------------------------------------------------------


def variable(name: str, label: str, sql: str, *, hidden: bool = False, source: str = DATA) -> sdk.QueryVariable:
    """One of the values that a query gives, at first its first; asked anew whenever the board is opened."""
    made = sdk.QueryVariable(name).label(label).query(dedent(sql).strip()).definition(dedent(sql).strip())
    made = made.datasource(reference(source)).refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)
    made = made.sort(models.VariableSort.DISABLED).multi(False).include_all(False)
    return made.hide(models.VariableHide.HIDE_VARIABLE) if hidden else made


def annotation(name: str, sql: str, colour: str, *, source: str = DATA) -> sdk.AnnotationQuery:
    """Marks of `time`, `timeend`, `text` and `tags`."""
    made = sdk.AnnotationQuery().name(name).datasource(reference(source)).enable(True).hide(False)
    return made.icon_color(colour).target(_Sql(source, sql, "table", "A"))


RUN = ("The run in Dagster", "${dagster_url:raw}/runs/${__value.raw}")
OF_VERSION = ("The version in MLflow", "${mlflow_url:raw}/#/models/premier_league_predictor/versions/${__value.raw}")
ASSET = ("The asset in Dagster", "${dagster_url:raw}/assets/${__value.raw}")
REPORTS = ("The drift reports in Dagster", "${dagster_url:raw}/assets/drift_report")
WRITTEN = ("Open", "${__value.raw:raw}")
"""Title and address of links from a cell; that of WRITTEN is the cell's own text, as the platform wrote it down."""

THE_RECORD = """
    SELECT (extract(epoch FROM {}) * 1000)::bigint::text FROM (
        SELECT as_of FROM model_predictions UNION ALL SELECT as_of FROM model_metrics
    ) record HAVING count(*) > 0
"""
"""The first or the last moment of all that the platform wrote down, in milliseconds as an address takes them."""
EDGES: Final = (("record_from", "min(as_of)"), ("record_to", "max(as_of) + interval '24 hours'"))


# --- boards ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Panels side by side under a heading. widths: of 24 columns each; None for equal ones."""

    heading: str
    panels: Sequence[Panel]
    height: int = 8
    widths: Sequence[int] | None = None


@dataclass(frozen=True)
class Addresses:
    """Where a browser finds what the links lead to; dashboards cannot read them from the environment."""

    dagster: str = "http://127.0.0.1:3000"
    mlflow: str = "http://127.0.0.1:5050"


@dataclass(frozen=True)
class Board:
    """A dashboard: what it is for, its rows, and what can be chosen and is marked on it."""

    uid: str
    title: str
    says: str
    rows: Sequence[Row]
    variables: Sequence[sdk.QueryVariable] = ()
    annotations: Sequence[sdk.AnnotationQuery] = ()
    since: str = "now-5y"
    """A replay's moments lie in the past: whoever opens a board should see them."""
    by_the_clock: bool = False
    """True where the time on the board is the clock's also in a replay: there is no record to show the whole of."""

    def built(self, addresses: Addresses) -> models.Dashboard:
        """The board as the SDK's model."""
        board = sdk.Dashboard(self.title).uid(self.uid).description(" ".join(self.says.split())).tags([TAG]).readonly()
        board = board.time(self.since, "now").timezone("browser").refresh("1m")
        board = board.tooltip(models.DashboardCursorSync.CROSSHAIR)
        board = board.variables([*self.variables, *self._hidden(addresses)]).annotations(list(self.annotations))
        made = board.links(self._links()).build()
        made.schema_version = SCHEMA_VERSION
        made.panels = list(self._placed())
        marks = made.annotations.list_val if made.annotations else None
        shown: list[Any] = [*(made.links or []), *(marks or [])]
        for each in shown:
            each.placement = None  # the SDK would put them away in a menu
        return made

    def _hidden(self, addresses: Addresses) -> list[Any]:
        edges = () if self.by_the_clock else EDGES
        urls = (("dagster_url", addresses.dagster), ("mlflow_url", addresses.mlflow))
        return [
            *(variable(name, name, THE_RECORD.format(edge), hidden=True) for name, edge in edges),
            *(sdk.ConstantVariable(name).value(url) for name, url in urls),
        ]

    def _links(self) -> list[Any]:
        boards = sdk.DashboardLink("Boards").type(models.DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
        whole = sdk.DashboardLink("The whole record").type(models.DashboardLinkType.LINK).icon("clock")
        whole = whole.url(f"/d/{self.uid}?from=${{record_from}}&to=${{record_to}}")
        whole = whole.tooltip("Show the time of which anything was written down")
        return [boards.keep_time(True)] if self.by_the_clock else [boards.keep_time(True), whole]

    def _placed(self) -> list[Any]:
        """Headings and panels with their places and numbers, from the top left on."""
        placed: list[Any] = []
        y = 0
        for row in self.rows:
            place = models.GridPos(x=0, y=y, w=24, h=1)
            placed.append(sdk.Row(row.heading).collapsed(False).grid_pos(place).id(len(placed) + 1).build())
            x, y = 0, y + 1
            widths = row.widths or [24 // len(row.panels)] * len(row.panels)
            for panel, width in zip(row.panels, widths, strict=True):
                place = models.GridPos(x=x, y=y, w=width, h=row.height)
                placed.append(panel.grid_pos(place).id(len(placed) + 1).build())
                x += width
            y += row.height
        return placed
