"""In what colour Grafana shows what a query gave: by thresholds, by mappings of values and of null, by overrides."""

import re
from typing import Any, Final

from pl_predictor_tests.grafana.grafana import NUMERIC, Frame

BAD: Final = {"red", "orange"}
GREY: Final = "#808080"


def options(panel: dict[str, Any], name: str) -> dict[str, Any]:
    """The field options of a panel's field of that name: its defaults, and the overrides that match."""
    found = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        kind, wanted = override["matcher"]["id"], override["matcher"]["options"]
        if (kind == "byName" and wanted == name) or (kind == "byRegexp" and re.search(wanted.strip("/"), name)):
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found


def colours(panel: dict[str, Any], frame: Frame) -> set[str]:
    """The colours of a stat's values; grey where there is no row."""
    cells: list[tuple[str, Any]] = []
    for row in frame.rows:
        series = row[frame.names.index("metric")] if "metric" in frame.names else None
        of = zip(frame.names, frame.types, row, strict=True)
        cells += [(series or name, value) for name, kind, value in of if kind in NUMERIC]
    return {colour(panel, name, value) for name, value in cells} or {GREY}


def alarming(panel: dict[str, Any], frame: Frame) -> list[tuple[Any, ...]]:
    """The rows of a table in which a cell is red or amber."""
    cells = [name for name in frame.names if words(panel, name) or "thresholds" in options(panel, name)]
    return [
        row
        for row in frame.rows
        if {colour(panel, name, value) for name, value in zip(frame.names, row, strict=True) if name in cells} & BAD
    ]


def words(panel: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """What is said of which value in a panel's field of that name, and in which `color`."""
    mappings = options(panel, name).get("mappings", ())
    return {value: said for each in mappings if each["type"] == "value" for value, said in each["options"].items()}


def colour(panel: dict[str, Any], name: str, value: Any) -> str:
    """The colour of a value in a panel's field of that name; text has that of all text unless it is mapped."""
    field = options(panel, name)
    if value is None:
        (null,) = (each["options"] for each in field["mappings"] if each["type"] == "special")
        return str(null["result"]["color"])
    if (said := words(panel, name).get(str(value))) or isinstance(value, str):
        return str(said["color"]) if said else "text"
    if (fixed := field.get("color", {})).get("mode") == "fixed":
        return str(fixed["fixedColor"])
    reached = [s["color"] for s in field["thresholds"]["steps"] if s["value"] is None or s["value"] <= value]
    return str(reached[-1])
