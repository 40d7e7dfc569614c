"""The habits of football-data.co.uk's files: what is read, what becomes null, and what is refused by line and value."""

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pl_predictor.core.errors import FeedError, PredictorError
from pl_predictor.core.matches import CLOSING_ODDS, MAX_ODDS, PRE_MATCH_ODDS, SHOTS
from pl_predictor.sources.layout import parse, season_folder, season_of_folder
from pl_predictor_tests.sources.one_file import FIRST, HEADER, SECOND, all_of, content, known, read, row_of

PLAIN = content(HEADER, FIRST, SECOND)


def test_a_row_becomes_a_match() -> None:
    matches = read(PLAIN)
    assert matches.loc[0].dropna().to_dict() == {
        "season": 2023,
        "home_team": "Alpha",
        "away_team": "Beta",
        "kickoff": pd.Timestamp("2023-08-11 23:00", tz="UTC"),  # midnight in the UK, where it is summer
        "kickoff_time_known": False,
        "home_goals": 2,
        "away_goals": 1,
        "result": "H",
    }
    assert list(matches["home_team"]) == ["Alpha", "Gamma"]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xef\xbb\xbf" + PLAIN, id="byte order mark"),
        pytest.param(content(HEADER, FIRST, SECOND, end="\n"), id="line feeds only"),
        pytest.param(content(HEADER, SECOND, FIRST), id="another order"),
        pytest.param(content(HEADER, "E0,12/08/23,Alpha,Beta,2,1,H", SECOND), id="both date forms in one file"),
        pytest.param(content(HEADER, " E0 , 12/08/2023,Alpha , Beta,2 , 1,H ", SECOND), id="padded cells"),
        pytest.param(
            content(f"{HEADER},Referee", FIRST + ",M Dean\xa0", SECOND + ",").replace(b"\xc2", b""), id="cp1252"
        ),
        pytest.param(
            b"\xef\xbb\xbf" + content(HEADER, FIRST.replace("Beta", "Beta\xa0"), SECOND).replace(b"\xc2", b""),
            id="mark and cp1252, no-break space after a name",
        ),
        pytest.param(content(HEADER, FIRST + ",,,,,", SECOND + ","), id="rows longer than the header"),
        pytest.param(content(f"{HEADER},HO,AO", FIRST + ",2", SECOND), id="rows without columns nobody reads"),
        pytest.param(content(f"{HEADER},,,", FIRST + ",,,", SECOND), id="unnamed columns"),
        pytest.param(content(HEADER, FIRST, ",,,,,,", "", " ,\xa0", SECOND, ",,,,,,"), id="blank rows"),
        pytest.param(content(f"{HEADER},Referee", FIRST + ',"Dean, M."', SECOND + ","), id="a quoted comma"),
        pytest.param(
            content(f"{HEADER},BFDCX,AHCh,PC>2.5", FIRST + ",3,x,2", SECOND + ",4,-0.5,2"), id="other columns"
        ),
    ],
)
def test_the_same_matches_in_the_site_s_ways_of_writing_are_the_same_frame(raw: bytes) -> None:
    assert_frame_equal(read(raw), read(PLAIN))


def test_a_no_break_space_within_a_name_is_a_space() -> None:
    assert read(content(HEADER, FIRST.replace("Beta", "West\xa0Beta")))["away_team"].tolist() == ["West Beta"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        # the file
        ([], "line 1: the file is empty, so it is truncated"),
        ([""], "line 1: the header starts with ''"),
        (["<!DOCTYPE html>", "<title>503 Service Unavailable</title>"], "is a web page, not CSV"),
        (["Service Unavailable"], "line 1: the header starts with 'Service Unavailable', not with 'Div'"),
        ([HEADER, FIRST, "\0"], "line 3: NUL character"),
        # the header
        (["Date,Div,HomeTeam,AwayTeam,FTHG,FTAG,FTR"], "line 1: the header starts with 'Date,Div"),
        (["Div,Date,HomeTeam,FTHG,FTR"], r"line 1: columns \['AwayTeam', 'FTAG'\] are missing"),
        ([f"{HEADER},AvgH,AvgD"], r"line 1: columns \['AvgA'\] are missing"),
        ([f"{HEADER},B365H,X,X,B365H"], r"line 1: columns \['B365H', 'X'\] appear twice"),
        # the rows
        ([HEADER, FIRST + ",7"], "line 2: cell '7' stands under no column name"),
        ([HEADER, "", FIRST + ",,,7"], "line 3: cell '7' stands under no column name"),
        ([f"{HEADER},,HO", FIRST + ",7,2.1"], "line 2: cell '7' stands under no column name"),
        ([HEADER, "E0,12/08/2023,Alpha,Beta,2,1"], "line 2: the row ends before column FTR"),
        ([f"{HEADER},HO,HS", FIRST + ",2.1"], "line 2: the row ends before column HS"),
        ([HEADER, FIRST, "E1" + SECOND[2:]], "line 3: division is 'E1', not 'E0'"),
        ([HEADER, FIRST[2:]], "line 2: division is '', not 'E0'"),
        ([HEADER, FIRST, SECOND + ',"', FIRST + '"'], "line 3: a quoted cell runs over the end of the line"),
        ([HEADER, FIRST, SECOND + ',"'], "line 3: unexpected end of data"),
        ([HEADER, FIRST, SECOND + ',""a'], "line 3: ',' expected after '\"'"),
        ([HEADER, FIRST + "\r" + SECOND], "line 2: new-line character"),
        # dates and times
        ([HEADER, FIRST, SECOND.replace("19/08/2023", "08/19/2023")], "line 3: 08/19/2023 does not exist"),
        ([HEADER, FIRST.replace("12/08", "31/09")], "line 2: 31/09/2023 does not exist"),
        ([HEADER, FIRST.replace("12/08/2023", "2023-08-12")], "line 2: date '2023-08-12' is neither"),
        ([HEADER, FIRST.replace("12/08/2023", "12/8/2023")], "line 2: date '12/8/2023' is neither"),
        ([HEADER, FIRST.replace("12/08/2023", "")], "line 2: date '' is neither"),
        ([HEADER, FIRST.replace("2023", "2022")], "line 2: date '12/08/2022' is not in season 2023/24"),
        ([HEADER, FIRST.replace("2023", "9999")], "line 2: date '12/08/9999' is not in season 2023/24"),
        ([HEADER, FIRST.replace("2023", "93")], "line 2: date '12/08/93' is not in season 2023/24"),
        ([HEADER, FIRST.replace("12/08/2023", "12/05/2023")], "Alpha v Beta: a season lies within 15 months"),
        ([f"{HEADER},Time", FIRST + ",3pm"], "line 2: time '3pm' is not hh:mm"),
        ([f"{HEADER},Time", FIRST + ",24:00"], "line 2: 12/08/2023 24:00 does not exist"),
        ([f"{HEADER},Time", FIRST.replace("12/08", "29/10") + ",01:30"], "line 2: 29/10/2023 01:30 is in the hour"),
        (
            [f"{HEADER},Time", FIRST.replace("12/08/2023", "31/03/2024") + ",01:30"],
            "line 2: 31/03/2024 01:30 is in the",
        ),
        # teams, goals, result
        ([HEADER, FIRST.replace("Beta", "")], "a match has two named teams"),
        ([HEADER, FIRST.replace("Beta", "Alpha")], "a team does not play itself"),
        ([HEADER, FIRST, FIRST], "a season has each pairing once"),
        ([HEADER, FIRST, FIRST.replace("Beta", "Gamma")], "a team plays at most once a day"),
        ([HEADER, FIRST.replace(",2,", ",,")], "line 2: FTHG, FTAG, FTR are '', '1', 'H'"),
        ([HEADER, FIRST[:-1]], "line 2: FTHG, FTAG, FTR are '2', '1', ''"),
        ([HEADER, FIRST.replace(",2,", ",2.0,")], "line 2: FTHG, FTAG, FTR are '2.0', '1', 'H'"),
        ([HEADER, FIRST.replace(",2,", ",٢,")], "line 2: FTHG, FTAG, FTR are '٢', '1', 'H'"),
        ([HEADER, FIRST.replace(",2,", ",-2,")], "line 2: FTHG, FTAG, FTR are '-2', '1', 'H'"),
        ([HEADER, FIRST[:-1] + "W"], "line 2: FTHG, FTAG, FTR are '2', '1', 'W'"),
        ([HEADER, FIRST[:-1] + "D"], "line 2: FTR is 'D', but the score is 2-1"),
        ([HEADER, FIRST.replace(",2,", ",22,")], "goals are 0 to 20, but found home_goals 22"),
        # shots that are numbers, but not counts
        ([f"{HEADER},HS", FIRST + ",-3"], "line 2: HS is '-3', not a count"),
        ([f"{HEADER},AST", FIRST + ",2.5"], "line 2: AST is '2.5', not a count"),
        ([f"{HEADER},AS", FIRST + ",1234"], "line 2: AS is '1234', not a count"),
    ],
)
def test_anything_else_is_refused_by_file_line_and_value(lines: list[str], message: str) -> None:
    with pytest.raises(FeedError, match=message) as refusal:
        read(content(*lines))
    assert str(refusal.value).startswith("2324/E0.csv")
    assert "fetch" in str(refusal.value)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_file_cut_within_a_line_is_refused(cut: int) -> None:
    if PLAIN[:-cut].endswith(b"\n"):
        assert len(read(PLAIN[:-cut])) == 1  # cut between two lines: only a full season can tell
    else:
        with pytest.raises(FeedError, match="truncated"):
            read(PLAIN[:-cut])


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(FeedError, match="line 2: byte 0x81 is neither UTF-8 nor Windows-1252"):
        read(PLAIN.replace(b"Beta", b"B\x81ta"))


def test_a_header_without_rows_is_an_empty_frame() -> None:
    assert_frame_equal(read(content(HEADER)), read(PLAIN).iloc[:0])


@pytest.mark.parametrize(
    ("date", "time", "kickoff", "known"),
    [
        ("12/08/2023", "15:00", "2023-08-12 14:00", True),
        ("30/12/2023", "15:00", "2023-12-30 15:00", True),
        ("28/10/2023", "15:00", "2023-10-28 14:00", True),
        ("29/10/2023", "14:00", "2023-10-29 14:00", True),
        ("31/03/2024", "14:00", "2024-03-31 13:00", True),
        ("12/08/2023", "", "2023-08-11 23:00", False),
        ("30/12/2023", "", "2023-12-30 00:00", False),
        ("29/10/2023", "", "2023-10-28 23:00", False),
    ],
)
def test_kickoffs_are_uk_time(date: str, time: str, kickoff: str, known: bool) -> None:
    match = read(content(f"{HEADER},Time", FIRST.replace("12/08/2023", date) + f",{time}")).loc[0]
    assert (match["kickoff"], match["kickoff_time_known"]) == (pd.Timestamp(kickoff, tz="UTC"), known)


@pytest.mark.parametrize(("season", "date"), [(1993, "14/08/93"), (1999, "03/01/00"), (2009, "09/05/10")])
def test_two_digit_years_belong_to_the_season_s_century(season: int, date: str) -> None:
    kickoff = read(content(HEADER, FIRST.replace("12/08/2023", date)), season)["kickoff"][0]
    assert kickoff.tz_convert("Europe/London").strftime("%d/%m/%y") == date
    assert kickoff.tz_convert("Europe/London").year in {season, season + 1}


def test_a_match_to_come_has_teams_and_kickoff_only() -> None:
    matches = read(content(HEADER, FIRST, "E0,19/08/2023,Gamma,Alpha,,,"))
    assert matches["result"].tolist() == ["H", None]
    assert matches["home_goals"].isna().tolist() == [False, True]


AVG = {"AvgH": "2", "AvgD": "3.5", "AvgA": "4"}
BBAV = {"BbAvH": "2.02", "BbAvD": "3.52", "BbAvA": "4.02"}
B365 = {"B365H": "2.01", "B365D": "3.51", "B365A": "4.01"}
MAX = {"MaxH": "2.2", "MaxD": "3.7", "MaxA": "4.3"}
BBMX = {"BbMxH": "2.1", "BbMxD": "3.6", "BbMxA": "4.2"}
AVGC = {"AvgCH": "1.9", "AvgCD": "3.6", "AvgCA": "4.4"}
PSC = {"PSCH": "1.91", "PSCD": "3.61", "PSCA": "4.41"}


@pytest.mark.parametrize(
    ("cells", "source", "odds"),
    [
        (B365 | AVG | AVGC, "Avg", [2, 3.5, 4]),
        (B365 | BBAV, "BbAv", [2.02, 3.52, 4.02]),
        (B365, "B365", [2.01, 3.51, 4.01]),
        (MAX | PSC, None, None),
        # never mixed: B365 does not stand in for an average that is not there
        (B365 | dict.fromkeys(AVG, ""), None, None),
    ],
)
def test_consensus_odds_are_the_best_source_the_file_has(
    cells: dict[str, str], source: str | None, odds: list[float] | None
) -> None:
    match = row_of(**cells)
    assert match["odds_source"].tolist() == [source]
    assert known(match, PRE_MATCH_ODDS) == (odds or [])


@pytest.mark.parametrize(
    ("cells", "source", "odds"),
    [(AVGC | PSC, "AvgC", [1.9, 3.6, 4.4]), (PSC | B365, "PSC", [1.91, 3.61, 4.41]), (AVG, None, [])],
)
def test_closing_odds_are_pinnacle_s_until_the_average_is_there(
    cells: dict[str, str], source: str | None, odds: list[float]
) -> None:
    match = row_of(**cells)
    assert match["closing_source"].tolist() == [source]
    assert known(match, CLOSING_ODDS) == odds


@pytest.mark.parametrize(("cells", "odds"), [(MAX | AVG, [2.2, 3.7, 4.3]), (BBMX, [2.1, 3.6, 4.2]), (AVG, [])])
def test_best_odds_come_from_either_aggregate(cells: dict[str, str], odds: list[float]) -> None:
    assert known(row_of(**cells), MAX_ODDS) == odds


@pytest.mark.parametrize(
    "odd", ["#REF!", "-", "x", "0", "1", "-2", "nan", "inf", "1e1", "2,0", "9" * 400, "99", "1.4", "1_0", ".5", "", "٢"]
)
def test_a_cell_that_is_no_price_makes_the_triplet_null_and_is_counted(odd: str) -> None:
    cells = {**AVG, **MAX, **AVGC, "HS": "4"}
    spoilt = {**cells, "AvgH": f'"{odd}"', "MaxD": f'"{odd}"', "AvgCA": f'"{odd}"'}
    matches = row_of(**spoilt)
    assert known(matches, (*PRE_MATCH_ODDS, "odds_source", *MAX_ODDS, *CLOSING_ODDS, "closing_source")) == []
    kinds = ("odds", "max_odds", "closing_odds", "bookmaker_odds", "statistics")
    assert all_of(**spoilt).discarded == dict(zip(kinds, (1, 1, 1, 0, 0), strict=True))
    assert all_of(**cells).discarded == dict.fromkeys(kinds, 0)


def test_a_price_of_one_is_no_price_even_where_the_overround_fits() -> None:
    parsed = all_of(AvgH="1", AvgD="30", AvgA="30")
    assert known(parsed.matches, PRE_MATCH_ODDS) == []
    assert parsed.discarded["odds"] == 1


def test_a_blank_triplet_is_absent_rather_than_discarded() -> None:
    blank = dict.fromkeys(AVG | MAX | AVGC, "")
    assert set(all_of(**blank).discarded.values()) == {0}


def test_best_odds_may_beat_the_bookmakers_but_not_by_a_tenth() -> None:
    near, far = {"MaxH": "2.3", "MaxD": "3.8", "MaxA": "4.4"}, {"MaxH": "4", "MaxD": "5", "MaxA": "11"}
    assert row_of(**near)["max_home_odds"].tolist() == [2.3]  # their inverses sum to 0.925, the others' to 0.541
    assert row_of(**far)["max_home_odds"].isna().all()


@pytest.mark.parametrize(
    ("cell", "shots", "discarded"),
    [("0", 0, 0), ("17", 17, 0), ("", None, 0), ("-", None, 1), ("x", None, 1), ("#REF!", None, 1)],
)
def test_shots_are_counts_or_null(cell: str, shots: int | None, discarded: int) -> None:
    for column, name in zip(("HS", "AS", "HST", "AST"), SHOTS, strict=True):
        parsed = all_of(**{column: cell})
        matches = parsed.matches
        assert matches[name].tolist() == [pd.NA if shots is None else shots]
        assert parsed.discarded["statistics"] == discarded
        assert matches[[other for other in SHOTS if other != name]].isna().all(axis=None)


def test_every_bookmakers_prices_are_read_before_the_match_and_at_the_close() -> None:
    cells = {**B365, "PSH": "2.1", "PSD": "3.6", "PSA": "3.9", **PSC, **AVG, **MAX}
    odds = all_of(**cells).odds
    assert odds[["season", "home_team", "away_team"]].drop_duplicates().to_numpy().tolist() == [[2023, "Alpha", "Beta"]]
    columns = ["bookmaker", "moment", *PRE_MATCH_ODDS]
    assert odds[columns].to_numpy().tolist() == [
        ["B365", "pre_match", 2.01, 3.51, 4.01],
        ["PS", "pre_match", 2.1, 3.6, 3.9],
        ["PS", "closing", 1.91, 3.61, 4.41],
    ]


@pytest.mark.parametrize(
    ("columns", "bookmaker"), [(("BFH", "BFD", "BFA"), "BF"), (("BFDH", "BFDD", "BFDA"), "BFD")], ids=["2024", "2025"]
)
def test_bfd_is_betfairs_draw_or_all_of_betfred(columns: tuple[str, ...], bookmaker: str) -> None:
    odds = all_of(**dict(zip(columns, ("2.1", "3.6", "3.9"), strict=True))).odds
    assert odds["bookmaker"].tolist() == [bookmaker]
    assert odds[list(PRE_MATCH_ODDS)].to_numpy().tolist() == [[2.1, 3.6, 3.9]]


def test_a_bookmaker_without_one_of_its_three_columns_is_refused() -> None:
    with pytest.raises(FeedError, match=r"line 1: columns \['GBD'\] are missing") as refusal:
        all_of(GBH="2.1", GBA="3.9")
    assert refusal.value.claim == "columns_are_known"


def test_bookmakers_take_more_than_a_consensus_may() -> None:
    parsed = all_of(IWH="2", IWD="3.2", IWA="2.7", AvgH="2", AvgD="3.2", AvgA="2.7")  # the inverses sum to 1.183
    assert parsed.odds["bookmaker"].tolist() == ["IW"]
    assert parsed.matches["home_odds"].isna().all()
    assert (parsed.discarded["odds"], parsed.discarded["bookmaker_odds"]) == (1, 0)


def test_columns_that_nobody_explained_yet_are_named_and_not_read() -> None:
    named = {"xG": "1.7", "Referee": "M Dean", "B365>2.5": "1.9", "BbAHh": "0", "AHCh": "-1", "VCC<2.5": "2"}
    assert all_of(**named).unknown_columns == ("xG",)


@pytest.mark.parametrize(
    ("season", "missing"),
    [
        (1994, None),
        (1995, "HTHG"),
        (2000, "HS', 'AS', 'HST', 'AST', .*'HR', 'AR"),
        (2002, "B365H"),
        (2005, "BbAvH"),
        (2012, "PSCH"),
        (2019, "Time"),
        (2019, "AvgCH"),
        (2023, "MaxH"),
    ],
)
def test_a_live_file_has_every_column_that_files_of_its_season_have(season: int, missing: str | None) -> None:
    raw = content(HEADER)
    if missing is None:
        assert parse(raw, file="E0.csv", season=season, complete=True).matches.empty
        return
    with pytest.raises(FeedError, match=f"columns .*{missing}.* are missing") as refusal:
        parse(raw, file="E0.csv", season=season, complete=True)
    assert refusal.value.claim == "columns_are_known"


# --- folders ---


@pytest.mark.parametrize(
    ("season", "folder"), [(1993, "9394"), (1999, "9900"), (2000, "0001"), (2023, "2324"), (2092, "9293")]
)
def test_a_season_and_its_folder(season: int, folder: str) -> None:
    assert season_folder(season) == folder
    assert season_of_folder(folder) == season


@pytest.mark.parametrize("season", [1992, 2093, 23])
def test_a_season_outside_the_century_has_no_folder(season: int) -> None:
    with pytest.raises(PredictorError, match=f"season {season} is outside"):
        season_folder(season)


@pytest.mark.parametrize("folder", ["2325", "2322", "23", "20232024", "23-4", "٢٣٢٤", ""])
def test_a_folder_that_is_no_season_is_refused(folder: str) -> None:
    with pytest.raises(FeedError, match="is not a season"):
        season_of_folder(folder)
