"""Verdicts: which numbers fail, and how badly."""

from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from pl_predictor.checks import judge_claim, judge_drift, judge_leaks, judge_score
from pl_predictor.core.feed_contract import CLAIMS
from pl_predictor.core.leakage import Leak

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
NAN = float("nan")


def metric(value: float, n: int = 100, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """A row of model_metrics as far as a verdict needs it."""
    return {"value": value, "metadata": {"n": n, "low": low, "high": high, "first_kickoff": "2024-01-13T15:00"}}


@pytest.mark.parametrize(
    ("row", "passed", "severity", "words"),
    [
        (None, True, None, "no settled forecast yet"),
        (metric(0.10, n=49, high=0.2), True, None, "too few to judge, 50 are needed"),
        (metric(0.10, n=50, high=0.2), False, ERROR, "0.100 over 50 forecasts is below 0.55, beyond noise"),
        (metric(0.55, low=0.45, high=0.65), True, None, "0.550, at least 0.55"),
        (metric(0.60, low=0.50, high=0.70), True, None, "0.600, at least 0.55"),
        (metric(0.60, low=None, high=None), True, None, "0.600, at least 0.55"),
        (metric(0.54, low=0.44, high=0.64), False, WARN, "0.540 over 100 forecasts is below 0.55, within noise"),
        (metric(0.45, low=0.35, high=0.55), False, WARN, "within noise"),
        (metric(0.40, low=0.30, high=0.5499), False, ERROR, "0.400 over 100 forecasts is below 0.55, beyond noise"),
        (metric(0.54, low=None, high=None), False, WARN, "within noise"),
        (metric(NAN, low=NAN, high=NAN), False, ERROR, "beyond noise"),
    ],
    ids=[
        "none",
        "too small",
        "just large enough",
        "at the threshold",
        "above",
        "above without interval",
        "within noise",
        "interval ends at the threshold",
        "beyond noise",
        "below without interval",
        "not a number",
    ],
)
def test_a_score_is_judged_by_threshold_sample_and_interval(
    row: dict[str, Any] | None, passed: bool, severity: dg.AssetCheckSeverity | None, words: str
) -> None:
    verdict = judge_score(row, threshold=0.55, min_sample=50)
    assert verdict.passed is passed
    assert words in (verdict.description or "")
    if severity is not None:
        assert verdict.severity is severity


def test_a_verdict_shows_what_it_rests_on_and_nothing_that_is_unknown() -> None:
    shown = judge_score(metric(0.4, low=0.3, high=None), threshold=0.55, min_sample=50).metadata
    assert {name: value.value for name, value in shown.items()} == {
        "value": 0.4,
        "threshold": 0.55,
        "n": 100,
        "low": 0.3,
        "first_kickoff": "2024-01-13T15:00",
    }
    nothing = judge_score(None, threshold=0.55, min_sample=50).metadata
    assert {name: value.value for name, value in nothing.items()} == {"n": 0, "threshold": 0.55}


@pytest.mark.parametrize(
    ("share", "n", "reference_n", "passed", "words"),
    [
        (0.5, 100, 3000, True, "5 of 10 columns drifted over 100 matches; at most 50% may"),
        (0.6, 100, 3000, False, "6 of 10 columns drifted over 100 matches; at most 50% may"),
        (0.9, 49, 3000, True, "too few to judge, 50 are needed"),
        (0.9, 100, 49, True, "too few to judge, 50 are needed"),
    ],
    ids=["at the threshold", "above", "too few now", "too few before"],
)
def test_a_drift_share_is_judged_by_threshold_and_sample(
    share: float, n: int, reference_n: int, passed: bool, words: str
) -> None:
    facts = {"n": n, "reference_n": reference_n, "columns": 10, "report": "http://127.0.0.1:5050/"}
    verdict = judge_drift({"value": share, "metadata": facts}, threshold=0.5, min_sample=50)
    assert (verdict.passed, verdict.severity) == (passed, ERROR)
    assert words in (verdict.description or "")
    assert judge_drift(None, threshold=0.5, min_sample=50).passed


# --- the feed's contract ---------------------------------------------------------------------------------------------


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
