"""Verdicts on what goes in and comes out."""

from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from pl_predictor.checks import judge_claim, judge_leaks
from pl_predictor.core.feed_contract import CLAIMS
from pl_predictor.core.leakage import Leak

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def files(*states: dict[str, Any]) -> pd.DataFrame:
    """Rows of feed_files as far as a verdict needs them."""
    usual: dict[str, Any] = {"division": "E0", "state": "accepted", "rows": 380, "discarded": {}, "unknown_columns": []}
    usual |= {"claim": None, "problem": None, "accepted_sha256": None}
    rows = [{**usual, "season": 2000 + i, "path": f"{2000 + i}.csv", **state} for i, state in enumerate(states)]
    return pd.DataFrame(rows, columns=["path", "season", *usual])


REFUSED = {"state": "refused", "claim": "teams_are_known", "problem": "2001.csv: team 'Arsenel' is unknown"}
ABSENT = {"state": "absent", "rows": None}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_refused_file_fails_the_claim_that_it_breaks_and_no_other(claim: str) -> None:
    verdict = judge_claim(claim, files({}, REFUSED, {}))
    broken = claim == "teams_are_known"
    assert (verdict.passed, verdict.severity) == (not broken, ERROR)
    assert verdict.description == (REFUSED["problem"] if broken else "3 files, 1140 matches")
    shown = {name: value.value for name, value in verdict.metadata.items()}
    assert (shown["files"], shown["rows"], shown["broken"]) == (3, 1140, int(broken))


UNREACHABLE = {"state": "unreachable", "claim": "files_arrive_whole", "problem": "could not be fetched"}


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        ({**REFUSED, "claim": "files_arrive_whole"}, ERROR),
        ({**REFUSED, "claim": "files_arrive_whole", "accepted_sha256": "a"}, ERROR),
        ({**REFUSED, "claim": "files_arrive_whole", "division": "E1"}, WARN),
        (UNREACHABLE, ERROR),
        ({**UNREACHABLE, "accepted_sha256": "a"}, WARN),
    ],
    ids=["refused", "refused, but had before", "of the division below", "never had", "had before"],
)
def test_what_still_stands_in_the_tables_warns_and_does_not_block(
    state: dict[str, Any], severity: dg.AssetCheckSeverity
) -> None:
    verdict = judge_claim("files_arrive_whole", files({}, state))
    assert (verdict.passed, verdict.severity) == (False, severity)


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (files({}, {}, ABSENT), None),
        (files({}, ABSENT, {}), "2001.csv is not there, and its neighbours are"),
        (files({}, {**ABSENT, "division": "E1"}, {}), None),
        (files(ABSENT, {}), None),
        (files(ABSENT, ABSENT), None),
        (files(), None),
    ],
    ids=["not yet", "a gap", "of the second division", "before the first", "nothing at all", "nobody asked"],
)
def test_a_season_between_others_must_be_there(found: pd.DataFrame, missing: str | None) -> None:
    verdict = judge_claim("files_arrive_whole", found)
    assert verdict.passed is (missing is None)
    assert (missing or "") in (verdict.description or "")


def test_new_columns_and_discarded_prices_are_shown() -> None:
    found = files({"unknown_columns": ["xG"]}, {"unknown_columns": ["xGA", "xG"]}, {"discarded": {"odds": 2}})
    assert judge_claim("columns_are_known", found).metadata["unknown"].value == "xG, xGA"
    assert judge_claim("odds_are_plausible", found).metadata["odds"].value == 2


# --- leaks ------------------------------------------------------------------------------------------------------------

ROUND = pd.Timestamp("2023-12-29 19:00", tz="UTC").to_pydatetime()


@pytest.mark.parametrize(
    ("leaks", "rounds", "passed", "words"),
    [
        ([], [], True, "no season can be forecast yet: nothing to judge"),
        ([], [ROUND], True, "another future after 2023-12-29 19:00 UTC changes nothing before"),
        (
            [Leak(2023, "Luton", "Chelsea", name, 1.0, 4.0) for name in ("home_form", "p_home", "home_form")],
            [ROUND],
            False,
            "home_form, p_home of Luton - Chelsea and others know what came after their odds",
        ),
    ],
    ids=["no round", "none", "leaks"],
)
def test_any_leak_is_an_error_that_names_what_knows_too_much(
    leaks: list[Leak], rounds: list[datetime], passed: bool, words: str
) -> None:
    verdict = judge_leaks(leaks, rounds, 380)
    assert (verdict.passed, verdict.severity, verdict.description) == (passed, ERROR, words)
    assert ("which" in verdict.metadata) is not passed
