"""Seasons that were never played, in the layout of football-data.co.uk, for tests to feed the platform."""

from collections.abc import Iterator
from datetime import date, timedelta

from pl_predictor.core.feed_contract import teams_in
from pl_predictor.core.teams import TEAMS

HEADER = (
    "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HS,AS,HST,AST,HTHG,HTAG,HC,AC,HF,AF,HY,AY,HR,AR,B365H,B365D,B365A,MaxH,MaxD,MaxA,AvgH,AvgD,AvgA,"
    "B365CH,B365CD,B365CA,MaxCH,MaxCD,MaxCA,AvgCH,AvgCD,AvgCA"
)
FIXTURES_HEADER = HEADER.replace("FTHG,FTAG,FTR,HS,AS,HST,AST,HTHG,HTAG,HC,AC,HF,AF,HY,AY,HR,AR,", "Referee,")


def header(season: int) -> str:
    """The first line of a season's file: until 2018/19 the aggregates are BetBrain's, and the close is Pinnacle's."""
    if season >= 2019:
        return HEADER
    betbrain = HEADER.replace("MaxH,MaxD,MaxA,AvgH,AvgD,AvgA", "BbMxH,BbMxD,BbMxA,BbAvH,BbAvD,BbAvA")
    return betbrain.replace("AvgCH,AvgCD,AvgCA", "PSCH,PSCD,PSCA")


def teams(division: str, season: int = 2023) -> list[str]:
    """The teams of a division: E0 and E1 have none in common."""
    first = 0 if division == "E0" else 24
    return sorted(TEAMS)[first : first + teams_in(season, division)]


def rounds(division: str, season: int) -> Iterator[tuple[date, list[tuple[str, str]]]]:
    """The rounds of a double round robin, by the circle method: day, and who plays whom."""
    fixed, *turning = teams(division, season)
    n = len(turning) + 1
    day = date(season, 8, 12)
    for number in range(2 * (n - 1)):
        circle = [fixed, *turning]
        pairs = [(circle[i], circle[n - 1 - i]) for i in range(n // 2)]
        swapped = (number % (n - 1) + number // (n - 1)) % 2  # the second half as the first, the other way round
        yield day, [(away, home) if swapped else (home, away) for home, away in pairs]
        turning = [turning[-1], *turning[:-1]]
        day += timedelta(days=7 if n == 20 else 6)


def prices(home: str, away: str, margin: float) -> str:
    """Home, draw and away as three cells."""
    p = 0.30 + 0.25 * ((len(home) * 7 + len(away) * 3) % 10) / 10
    return ",".join(f"{1 / (share * margin):.2f}" for share in (p, 0.26, 0.74 - p))


def row(division: str, day: date, home: str, away: str, goals: tuple[int, int] | None = None) -> str:
    """One match that was played."""
    seed = len(home) * 5 + len(away) * 3 + day.toordinal()
    one, two = goals or (seed % 4, (seed // 4) % 3)
    result = "H" if one > two else "A" if two > one else "D"
    odds = ",".join(prices(home, away, margin) for margin in (1.05, 1.0, 1.06, 1.04, 0.99, 1.05))
    statistics = f"{9 + one},{7 + two},{3 + one},{2 + two},{one // 2},{two // 2},5,4,11,12,1,2,0,0"
    return f"{division},{day:%d/%m/%Y},15:00,{home},{away},{one},{two},{result},{statistics},{odds}"


def season_lines(season: int, division: str = "E0", played: int | None = None) -> list[str]:
    """The lines of a season's file after `played` rounds, all of them by default; the header first."""
    listed = list(rounds(division, season))[:played]
    return [header(season), *(row(division, day, home, away) for day, pairs in listed for home, away in pairs)]


def fixture_row(division: str, day: date, home: str, away: str) -> str:
    """One match to come, as fixtures.csv has it: no result, and closing columns that are empty."""
    odds = ",".join(prices(home, away, margin) for margin in (1.05, 1.0, 1.06))
    return f"{division},{day:%d/%m/%Y},15:00,{home},{away},,{odds}{',' * 9}"


def next_round(season: int, played: int) -> tuple[date, list[tuple[str, str]]]:
    """The round that comes after `played` ones."""
    return list(rounds("E0", season))[played]


def content(lines: list[str]) -> bytes:
    """Lines as a file's bytes."""
    return "".join(f"{line}\r\n" for line in lines).encode()
