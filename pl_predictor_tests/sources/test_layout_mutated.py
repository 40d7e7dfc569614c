"""Files that were mutated anywhere: an error of the feed's own, or every row, never less."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pl_predictor.core.errors import FeedError
from pl_predictor_tests.sources.one_file import HEADER, content, read

TEAMS = ("Alpha", "Beta", "Gamma", "Delta")
PAIRS = [(home, away) for home in TEAMS for away in TEAMS if home != away]
ROUND_ROBIN = content(
    f"{HEADER},Time,HS,AvgH,AvgD,AvgA,MaxH,MaxD,MaxA,Referee",
    *(
        f"E0,{day:02d}/09/2023,{home},{away},1,0,H,15:00,9,2,3.5,4,2.1,3.6,4.2,R"
        for day, (home, away) in enumerate(PAIRS, 1)
    ),
)
CELLS = st.sampled_from(
    ["", " ", "-", "x", "#REF!", "0", "2.0", "H", "E1", "1/1/23", "29/10/2023", "01:30", "\xa0", '"', "99"]
)


def rows_in(raw: bytes) -> int:
    text = raw.decode("utf-8", errors="replace")
    return sum(bool(re.sub(r'[\s,"\ufeff\ufffd]', "", line)) for line in text.split("\n")[1:])


@settings(deadline=None)
@given(
    st.integers(0, len(ROUND_ROBIN)),
    st.integers(0, 60),
    st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"\r"]),
)
@example(len(ROUND_ROBIN) - 60, 0, b'"')
@example(200, 0, b"\n")
def test_bytes_changed_anywhere_raise_or_lose_no_row(start: int, length: int, inserted: bytes) -> None:
    raw = ROUND_ROBIN[:start] + inserted + ROUND_ROBIN[start + length :]
    try:
        matches = read(raw)
    except FeedError:
        return
    assert len(matches) == rows_in(raw)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(1, len(PAIRS)), st.integers(0, 15)),
        CELLS | st.text('0123456789/:.-+ HDAEex#"\xa0é٢', max_size=8),
        max_size=4,
    )
)
def test_cells_changed_anywhere_raise_or_lose_no_row(changes: dict[tuple[int, int], str]) -> None:
    table = [line.split(",") for line in ROUND_ROBIN.decode().split("\r\n")]
    for (row, column), cell in changes.items():
        table[row][column] = cell
    raw = "\r\n".join(",".join(row) for row in table).encode("utf-8", errors="replace")
    try:
        matches = read(raw)
    except FeedError:
        return
    assert len(matches) == len(PAIRS)
