"""What a colour means: on each board the same as the check or the rule that judges the number."""

from collections.abc import Iterator
from typing import Any

from grafana.thresholds import DAEMON_SILENCE_SECONDS, DRIFT_CHECK_DUE_DAYS, MAX_DRAWDOWN, STUCK_MINUTES
from pl_predictor.settings import Settings
from pl_predictor_tests.grafana.colours import GREY, colour, options, words
from pl_predictor_tests.grafana.grafana import boards, panels


def default(name: str) -> Any:
    return Settings.model_fields[name].default


ACCURACY, F1, SKILL = default("min_accuracy"), default("min_weighted_f1"), default("min_skill")
DRIFT, ENOUGH = default("max_drift_share"), default("min_sample")
GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"

Colours = dict[float | None, str]

SHARE_OF_RUNS: Colours = {0.89: RED, 0.95: AMBER, 1: GREEN}
SCORE_F1: Colours = {F1 - 0.06: RED, F1 - 0.01: AMBER, F1: GREEN}
WAITING: Colours = {0: GREEN, 12: AMBER, 30: RED}
WAIT: Colours = {0: GREEN, 3.1: AMBER, 99: AMBER, None: GREEN}
DRIFTED: Colours = {0: GREEN, DRIFT: AMBER, DRIFT + 0.01: RED, None: GREY}
RETURN: Colours = {-0.1: AMBER, 0.1: GREEN}
UNJUDGED: Colours = {-9: GREY, 0: GREY, 9: GREY}
FALL: Colours = {0: GREEN, MAX_DRAWDOWN - 0.1: AMBER, MAX_DRAWDOWN: RED}
FAILING: Colours = {0: GREEN, 1: AMBER, 9: AMBER}
SILENCE: Colours = {0: GREEN, DAEMON_SILENCE_SECONDS - 1: AMBER, DAEMON_SILENCE_SECONDS: RED}
ENDS: dict[str, Colours] = {"at least": {**RETURN, None: GREY}, "at most": {**RETURN, None: GREY}, "bets": UNJUDGED}

STATS: dict[str, dict[str, Colours]] = {
    "How many of its alerts are open?": {"errors": {0: GREEN, 1: RED}, "warnings": {0: GREEN, 1: AMBER}},
    "Do the runs succeed?": {"succeeded": SHARE_OF_RUNS},
    "How old is the newest result?": {"age": UNJUDGED, "overdue": {0: GREEN, 0.1: RED}},
    "How long has it served?": {"days": {0: GREEN, 121: AMBER, 999: AMBER}},
    "Is all of the next 7 days forecast?": {"not forecast": {0: GREEN, 1: AMBER, None: GREY}, "fixtures": UNJUDGED},
    "How many forecasts in the last 24 hours?": {"made": {0: GREY, 1: GREEN}},
    "Has the world drifted?": {"drifted": DRIFTED},
    "How much has drifted?": {"drifted": DRIFTED},
    "Is it right more often than the market?": {
        **{"the model": UNJUDGED, "the market": UNJUDGED, "matches": UNJUDGED},
        "ahead, at most": {-0.01: RED, 0: GREY, None: GREY},
    },
    "How often is it right?": {"50 matches": {ACCURACY - 0.06: RED, ACCURACY - 0.01: AMBER, ACCURACY: GREEN}},
    "How good is its F1?": {"50 matches": SCORE_F1, "only 49 matches": UNJUDGED},
    "How good is its weighted F1?": {"50 matches": SCORE_F1},
    "Is it better than the market, lately?": {"80 matches": {SKILL - 0.01: RED, SKILL + 0.01: AMBER, 0.01: GREEN}},
    "How good is its RPS?": {"50 matches": {0.1: GREY, 0.3: GREY}},
    "What do the bets on paper return?": {"return": RETURN, **ENDS},
    "What have the bets returned?": {"return": RETURN, **ENDS},
    "Do the bets beat the closing line?": {"closing line value": RETURN, **ENDS},
    "Do the bets earn what they claim?": {"claimed": UNJUDGED, "earned": UNJUDGED, "bets": UNJUDGED},
    "How large is the bankroll?": {"bankroll": UNJUDGED, "at stake": UNJUDGED, "began with": UNJUDGED},
    "How far is the bankroll below its peak?": {"now": FALL, "at the worst": UNJUDGED},
    "How old is the newest check?": {"days": {0: GREEN, DRIFT_CHECK_DUE_DAYS + 0.1: AMBER, 15: RED}},
    "How many matches are compared?": {"n": {ENOUGH - 1: AMBER, ENOUGH: GREEN}},
    "How many forecasts have been judged?": {"settled": {ENOUGH - 1: AMBER, ENOUGH: GREEN}},
    "How many results are missing?": {"waiting": WAITING},
    "How many forecasts wait for a result?": {"waiting": WAITING},
    "How long has the oldest of them waited?": {"days": WAIT},
    "How long has the oldest waited?": {"days": WAIT},
    "How many due matches have no forecast?": {"missing": {0: GREEN, 1: RED}},
    "How old is the oldest queued run?": {"waits": {0: GREEN, 300: AMBER, STUCK_MINUTES * 60: AMBER, None: GREEN}},
    "How many runs are stuck?": {"stuck": {0: GREEN, 1: RED}},
    "For how long is the daemon silent?": {"silence": SILENCE},
    "How many checks fail?": {"errors": {0: GREEN, 1: RED}, "warnings": FAILING, "no verdict": FAILING},
}
"""Of each stat that is a number, by column: which value has which colour."""

LIMITS = {
    "How do accuracy, F1, precision and recall develop?": {ACCURACY: RED},
    "Is it better than the market, and is that more than luck?": {SKILL: RED},
    "Does the drift share stay below its threshold?": {DRIFT: RED},
    "How does each feature move?": {-0.5: AMBER, 0.5: AMBER},
    "Have the forecasts themselves moved?": {-0.5: AMBER, 0.5: AMBER},
    "How deep were the falls?": {MAX_DRAWDOWN / 2: AMBER, MAX_DRAWDOWN: RED},
}
"""The dashed lines of a line panel; the others have none."""

RUNS = {
    **{"SUCCESS": ("succeeded", GREEN), "FAILURE": ("failed", RED), "CANCELED": ("canceled", GREY)},
    **{"QUEUED": ("queued", AMBER), "STARTED": ("running", BLUE), "STARTING": ("starting", BLUE)},
    **{"CANCELING": ("canceling", GREY), "NOT_STARTED": ("not started", GREY)},
}
LEVELS = {"critical": ("critical", RED), "error": ("error", RED), "warning": ("warning", AMBER)}
WORDS: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("What is wrong now?", "level"): LEVELS,
    ("Which columns have drifted, and since when?", "value"): {
        **{"0": ("like the training window", GREEN), "1": ("drifted", RED)}
    },
    ("How far has each column moved?", "verdict"): {"drifted": ("drifted", RED), "alike": ("alike", GREEN)},
    ("When was it trained again, why, and was it promoted?", "event"): {
        **{"promoted": ("promoted", GREEN), "refused": ("refused", "text"), "rolled_back": ("rolled back", "purple")}
    },
    ("What is coming, and what is forecast?", "information"): {
        **{"odds": ("with odds", GREEN), "no_odds": ("without odds", AMBER)}
    },
    ("Which bets were settled last?", "settlement"): {
        **{"won": ("won", GREEN), "lost": ("lost", "text"), "void": ("void", GREY)}
    },
    ("What is worth a bet in the coming round?", "verdict"): {"value": ("worth a bet", GREEN)},
    ("How did the last run of each job go?", "status"): RUNS,
    ("Which runs are waiting or at work?", "state"): {"STUCK": ("stuck", RED), **RUNS},
    ("Which checks fail, and what do they say?", "severity"): {
        **{"ERROR": ("error", RED), "WARN": ("warning", AMBER), "NONE": ("no verdict", AMBER)}
    },
}
CELLS: dict[tuple[str, str], Colours] = {
    ("How did the last run of each job go?", "failures since"): {0: "text", 1: RED},
    ("Which part of the daemon is silent?", "silence"): SILENCE,
}
"""What is said of which value of a column, and the colours of the columns that have thresholds."""

SERIES: dict[str, dict[str, str | None]] = {
    "How do the runs end?": {
        **{"success": GREEN, "failure": RED, "canceled": GREY, "not_started": GREY, "started": BLUE, "queued": BLUE}
    },
    "Do sensors and schedules tick?": {"sensor success": GREEN, "sensor failure": RED, "schedule skipped": GREY},
    "How have the forecasts done?": {"the market": BLUE},
    "Is the RPS below the market's?": {"the market": BLUE},
    "Is the log loss what the forecasts themselves expect?": {"expected by the forecasts": GREY, "log loss": None},
    "How does each feature move?": {"expected_goals_gap": None, "log_expected_home_goals": None},
    "Does the claimed value lie within what was earned?": {"earned, at least": GREY, "claimed": BLUE},
}
"""The series that have a colour of their own; None: one that must be told from the others."""


def titled(*types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for board in boards():
        for panel in panels(board):
            if panel["type"] in types:
                yield panel["title"], panel


def test_a_number_has_the_colour_of_the_check_or_rule_that_judges_it() -> None:
    for title, panel in titled("stat"):
        if panel["fieldConfig"]["defaults"]["unit"] != "string":
            for name, expected in STATS[title].items():
                assert {value: colour(panel, name, value) for value in expected} == expected, (title, name)


def test_the_dashed_lines_are_at_what_the_checks_ask_for() -> None:
    found = {}
    for title, panel in titled("timeseries"):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
        if len(steps) > 1:
            found[title] = {step["value"]: step["color"] for step in steps[1:]}
    assert found == LIMITS


def columns(panel: dict[str, Any], option: str) -> list[str]:
    """The columns that a table sets this option for; the state timeline has one."""
    if panel["type"] == "state-timeline":
        return ["value"]
    overrides = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["id"] == "byName"]
    return [each["matcher"]["options"] for each in overrides if option in {one["id"] for one in each["properties"]}]


def test_each_word_of_a_cell_has_its_text_and_colour() -> None:
    found = {
        (title, name): {value: (said["text"], said["color"]) for value, said in words(panel, name).items()}
        for title, panel in titled("table", "state-timeline")
        for name in columns(panel, "mappings")
    }
    assert {column: said for column, said in found.items() if said} == WORDS


def test_each_number_of_a_cell_has_its_colour() -> None:
    judged = {(title, name): panel for title, panel in titled("table") for name in columns(panel, "thresholds")}
    assert set(judged) == set(CELLS)
    for (title, name), expected in CELLS.items():
        assert {value: colour(judged[title, name], name, value) for value in expected} == expected, (title, name)


def test_a_line_or_bar_has_the_colour_of_what_it_counts_or_is_compared_with() -> None:
    shown = dict(titled("timeseries"))
    for title, expected in SERIES.items():
        found = {name: options(shown[title], name).get("color", {}).get("fixedColor") for name in expected}
        assert found == expected, title
