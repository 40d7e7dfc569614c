"""What Grafana makes of a query before PostgreSQL sees it: its variables and macros.

Variables first, then `$__interval` and its like, then `$__name(arguments)`, whose arguments are split on commas and
hold no closing bracket. A name that Grafana does not know is an error there, and a ValueError here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
FILLS = ("NULL", "previous")
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")


@dataclass(frozen=True)
class View:
    """What a viewer looks at: a range of time (UTC), an interval ('5m'), and what is chosen."""

    start: datetime
    end: datetime
    interval: str
    variables: Mapping[str, str]

    @property
    def edges(self) -> tuple[str, str]:
        """The range as Grafana writes it: RFC 3339, UTC."""
        start, end = (f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S}Z" for moment in (self.start, self.end))
        return start, end


def expanded(sql: str, view: View) -> str:
    """The query that PostgreSQL gets."""
    sql = VARIABLE.sub(lambda found: _variable(found, view), sql)
    seconds = _seconds(view.interval)
    for name, value in (
        ("$__interval_ms", str(int(seconds * 1000))),
        ("$__interval", view.interval),
        ("$__unixEpochFrom()", str(int(view.start.timestamp()))),
        ("$__unixEpochTo()", str(int(view.end.timestamp()))),
    ):
        sql = sql.replace(name, value)
    sql = MACRO.sub(lambda found: _macro(found[1], [part.strip() for part in found[2].split(",")], view), sql)
    if left := re.search(r"\$__?\w*", sql):
        raise ValueError(f"Grafana knows no {left[0]}")
    return sql


def _variable(found: "re.Match[str]", view: View) -> str:
    name, shape = found[1] or found[3], found[2]
    if name not in view.variables:
        raise ValueError(f"no variable is called {name}")
    doubled = view.variables[name].replace("'", "''")
    if shape not in {None, "sqlstring"}:
        raise ValueError(f"no SQL is written with a variable as {shape}")
    return f"'{doubled}'" if shape else doubled


def _macro(name: str, given: list[str], view: View) -> str:
    column, (start, end) = given[0], view.edges
    first, last = int(view.start.timestamp()), int(view.end.timestamp())
    known: dict[str, Callable[[], str]] = {
        "__time": lambda: f'{column} AS "time"',
        "__timeEpoch": lambda: f'extract(epoch from {column}) as "time"',
        "__timeFilter": lambda: f"{column} BETWEEN '{start}' AND '{end}'",
        "__timeFrom": lambda: f"'{start}'",
        "__timeTo": lambda: f"'{end}'",
        "__timeGroup": lambda: _group(f"extract(epoch from {column})", given),
        "__timeGroupAlias": lambda: _group(f"extract(epoch from {column})", given) + ' AS "time"',
        "__unixEpochFilter": lambda: f"{column} >= {first} AND {column} <= {last}",
        "__unixEpochGroup": lambda: _group(column, given),
        "__unixEpochGroupAlias": lambda: _group(column, given) + ' AS "time"',
    }
    if name not in known:
        raise ValueError(f"Grafana knows no macro ${name}")
    return known[name]()


def _group(epoch: str, given: list[str]) -> str:
    if len(given) not in {2, 3}:
        raise ValueError(f"a column, an interval and perhaps a fill, not {given}")
    if len(given) == 3 and given[2] not in FILLS:
        float(given[2])
    seconds = _seconds(given[1].strip("'"))
    return f"floor({epoch}/{seconds:g})*{seconds:g}"


def _seconds(interval: str) -> float:
    found = re.fullmatch(r"(\d+)(\w+)", interval)
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{interval!r} is no interval: write 5m")
    return int(found[1]) * UNITS[found[2]]
