"""How a board is put together: its panels in rows, what can be chosen and is marked on it, and where it leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.models import dashboard as models

from grafana.house import DATA, Panel, Sql, reference

TAG: Final = "pl_predictor"
SCHEMA_VERSION: Final = 42


def variable(name: str, label: str, sql: str, *, hidden: bool = False, source: str = DATA) -> sdk.QueryVariable:
    """One of the values that a query gives, at first its first; asked anew whenever the board is opened."""
    made = sdk.QueryVariable(name).label(label).query(dedent(sql).strip()).definition(dedent(sql).strip())
    made = made.datasource(reference(source)).refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)
    made = made.sort(models.VariableSort.DISABLED).multi(False).include_all(False)
    return made.hide(models.VariableHide.HIDE_VARIABLE) if hidden else made


def annotation(name: str, sql: str, colour: str, *, source: str = DATA) -> sdk.AnnotationQuery:
    """Marks of `time`, `timeend`, `text` and `tags`."""
    made = sdk.AnnotationQuery().name(name).datasource(reference(source)).enable(True).hide(False)
    return made.icon_color(colour).target(Sql(source, sql, "table", "A"))


THE_RECORD = """
    SELECT (extract(epoch FROM {}) * 1000)::bigint::text FROM (
        SELECT as_of FROM model_predictions UNION ALL SELECT as_of FROM model_metrics
    ) record HAVING count(*) > 0
"""
"""The first or the last moment of all that the platform wrote down, in milliseconds as an address takes them."""
EDGES: Final = (("record_from", "min(as_of)"), ("record_to", "max(as_of) + interval '24 hours'"))


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
    since: str = "now-1y"
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
