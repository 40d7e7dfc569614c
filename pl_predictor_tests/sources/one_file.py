"""A file of few rows in football-data.co.uk's layout, for the tests of reading one."""

from typing import Any

import pandas as pd

from pl_predictor.sources.layout import Parsed, parse

HEADER = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR"
FIRST = "E0,12/08/2023,Alpha,Beta,2,1,H"
SECOND = "E0,19/08/2023,Gamma,Alpha,0,0,D"


def content(*lines: str, end: str = "\r\n") -> bytes:
    return "".join(line + end for line in lines).encode()


def read_all(raw: bytes, season: int = 2023) -> Parsed:
    return parse(raw, file="2324/E0.csv", season=season)


def read(raw: bytes, season: int = 2023) -> pd.DataFrame:
    return read_all(raw, season).matches


def all_of(**cells: str) -> Parsed:
    """What a file says with one match whose row has these cells besides the needed ones."""
    return read_all(content(f"{HEADER},{','.join(cells)}", f"{FIRST},{','.join(cells.values())}"))


def row_of(**cells: str) -> pd.DataFrame:
    """The frame of that match."""
    return all_of(**cells).matches


def known(matches: pd.DataFrame, names: tuple[str, ...]) -> list[Any]:
    """What the first match has in these columns, without nulls."""
    return matches[list(names)].iloc[0].dropna().tolist()
