"""SQL of the boards as text: which of its parts need an order that they do not state, and the same without an order.

A level is what stands between two brackets, with what is in brackets inside it left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

ORDER = re.compile(r"\bORDER BY\b")
PICKS = re.compile(r"\bDISTINCT ON\b|\bLIMIT\b")
ORDERED_CALLS = {"over", "array_agg", "string_agg"}


@dataclass(frozen=True)
class Level:
    """before: the word before the bracket that opens it, in small letters; text: without what is in brackets inside."""

    before: str
    text: str


def levels(sql: str) -> list[Level]:
    """Every level of a query, the outermost last."""
    plain = re.sub(r"'[^']*'", "''", sql)
    found, stack, before = [], [""], [""]
    for character in plain:
        if character == "(":
            words = re.findall(r"\w+", stack[-1])
            before.append(words[-1].lower() if words else "")
            stack[-1] += "()"
            stack.append("")
        elif character == ")":
            found.append(Level(before.pop(), stack.pop()))
        else:
            stack[-1] += character
    return [*found, Level("", stack.pop())]


def order_faults(sql: str, kind: str, shape: str) -> list[str]:
    """Where the answer depends on an order that the query does not state. kind: the panel's type."""
    *inner, whole = levels(sql)
    faults = [
        f"it picks rows without an order: {level.text.strip()}"
        for level in (*inner, whole)
        if PICKS.search(level.text) and not ORDER.search(level.text)
    ]
    faults += [
        f"{level.before} without an order"
        for level in inner
        if level.before in ORDERED_CALLS and "ORDER" not in level.text
    ]
    one = "HAVING" in whole.text and "GROUP BY" not in whole.text
    if kind != "stat" and not one and not ORDER.search(whole.text):
        faults.append("the rows have no order")
    elif shape == "time_series" and not re.search(r"\bORDER BY 1\b", whole.text):
        faults.append("the rows are not ordered by time")
    return faults


def without_an_order(sql: str) -> Iterator[str]:
    """The query, each time with one of its ORDER BY left out."""
    for found in ORDER.finditer(sql):
        depth, end = 0, len(sql)
        for at in range(found.end(), len(sql)):
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            if depth < 0 or (depth == 0 and re.match(r"\sLIMIT\b", sql[at:])):
                end = at
                break
        yield sql[: found.start()] + sql[end:]
