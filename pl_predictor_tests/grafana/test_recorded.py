"""What the boards show of decisions, scores, drift, alerts and fixtures is what was written, cell by cell."""

from datetime import datetime
from typing import Any

import pytest

from pl_predictor_tests.grafana.healthy import DAY, HOUR, NOW
from pl_predictor_tests.grafana.recorded import ALERTS, COLUMNS, ODDS, Record, Row, day

PROBABILITIES = ("p_home", "p_draw", "p_away")


def the_day(moment: datetime) -> float:
    """Its first second, as the boards' intervals of a day begin."""
    return moment.timestamp() // 86400 * 86400


def ends(rows: list[Row], series: str, value: str) -> dict[tuple[float, str], Any]:
    """The last value of each day, by day and series."""
    in_order = sorted(rows, key=lambda row: row["as_of"])
    return {(the_day(row["as_of"]), row[series]): row[value] for row in in_order}


def newest(record: Record, metric: str, version: str = "2") -> Row:
    return [row for row in record.scores if (row["metric"], row["version"]) == (metric, version)][-1]


@pytest.mark.parametrize(
    ("board", "title", "expected"),
    [
        ("overview", "Which version serves?", {"champion": "version 2"}),
        ("overview", "How long has it served?", {"days": 5}),
        ("overview", "How old is the newest result?", {"age": 6, "overdue": 1}),
        ("overview", "How many of its alerts are open?", {"errors": 3, "warnings": 1}),
        ("overview", "Is all of the next 7 days forecast?", {"not forecast": 3, "fixtures": 4}),
        ("overview", "How many forecasts in the last 24 hours?", {"made": 2}),
        ("overview", "Which moment is it?", {"moment": f"{NOW.day} {NOW:%b %Y %H:%M} UTC, replayed"}),
        ("overview", "Has the world drifted?", {"drifted": pytest.approx(0.4)}),
        ("drift", "How much has drifted?", {"drifted": pytest.approx(0.4)}),
        ("drift", "How old is the newest check?", {"days": 6}),
        ("drift", "How many matches are compared?", {"n": 63}),
        ("drift", "Which column is most suspicious?", {"column": "p_away"}),
        ("predictions", "How many forecasts in the last 24 hours?", {"made": 2}),
        ("predictions", "How many due matches have no forecast?", {"missing": 1}),
    ],
)
def test_a_number_is_that_of_what_was_written(record: Record, board: str, title: str, expected: Row) -> None:
    assert record.rows(board, title) == [expected]


@pytest.mark.parametrize(
    ("board", "title", "metric"),
    [
        ("overview", "How good is its F1?", "f1_weighted"),
        ("overview", "How good is its RPS?", "rps"),
        ("performance", "How often is it right?", "accuracy"),
        ("performance", "How good is its weighted F1?", "f1_weighted"),
        ("performance", "Is it better than the market, lately?", "log_loss_skill_recent"),
    ],
)
def test_a_score_is_the_newest_of_its_metric(record: Record, board: str, title: str, metric: str) -> None:
    score = newest(record, metric)
    shown = {"time": score["as_of"], "metric": f"{score['n']} matches", "value": score["value"]}
    assert record.rows(board, title) == [shown]


LINES = {
    "How do accuracy, F1, precision and recall develop?": {
        **{"accuracy": "accuracy", "f1_weighted": "weighted F1"},
        **{"precision_weighted": "weighted precision", "recall_weighted": "weighted recall"},
    },
    "Is the log loss what the forecasts themselves expect?": {
        **{"log_loss": "log loss", "log_loss_expected": "expected by the forecasts"}
    },
    "Is it better than the market, and is that more than luck?": {
        **{"log_loss_skill_recent": "skill", "log_loss_skill_expected_recent": "expected if the market is right"}
    },
}
"""Metric to what its line is called, by panel."""


@pytest.mark.parametrize(("title", "called"), LINES.items())
def test_a_line_over_time_is_of_whoever_served(record: Record, title: str, called: dict[str, str]) -> None:
    served = [row for row in record.scores if record.served(row["version"], row["as_of"])]
    assert {row["version"] for row in served} == {"1", "2", "10"}
    wanted = [{**row, "metric": called[row["metric"]]} for row in served if row["metric"] in called]
    assert len(wanted) < len([row for row in record.scores if row["metric"] in called])
    assert record.lines("performance", title) == ends(wanted, "metric", "value")


@pytest.mark.parametrize(
    ("board", "title"),
    [("performance", "Is the RPS below the market's?"), ("overview", "How have the forecasts done?")],
)
def test_the_rps_of_whoever_served_is_as_far_below_the_markets_as_its_skill(
    record: Record, board: str, title: str
) -> None:
    pairs: dict[float, Row] = {}
    for row in record.scores:
        if record.served(row["version"], row["as_of"]):
            pairs.setdefault(the_day(row["as_of"]), {})[row["metric"]] = row["value"]
    model = {(at, "the model"): pytest.approx(of["rps_market"] * (1 - of["rps_skill"])) for at, of in pairs.items()}
    market = {(at, "the market"): of["rps_market"] for at, of in pairs.items()}
    assert record.lines(board, title) == {**model, **market}


def test_the_chosen_metric_is_drawn_by_version(record: Record) -> None:
    rows = [{**row, "of": f"version {row['version']}"} for row in record.scores if row["metric"] == "log_loss"]
    shown = record.lines("performance", "How does the chosen metric develop, by version?")
    assert shown == ends(rows, "of", "value")


def test_versions_are_compared_by_the_newest_of_each_score(record: Record) -> None:
    columns = {"log loss": "log_loss", "rps": "rps", "accuracy": "accuracy", "F1": "f1_weighted"}
    expected = [
        {
            **{name: newest(record, metric, version)["value"] for name, metric in columns.items()},
            "ahead": newest(record, "log_loss_skill", version)["value"],
            "version": version,
            "scored": newest(record, "log_loss", version)["as_of"],
            "n": newest(record, "log_loss", version)["n"],
        }
        for version in ("10", "3", "2", "1")
    ]
    assert record.rows("performance", "Which version is better?") == expected


def test_the_retraining_history_is_every_decision_and_the_newest_comes_first(record: Record) -> None:
    shown = record.rows("performance", "When was it trained again, why, and was it promoted?")
    decided = [{name: cell for name, cell in row.items() if name != "found"} for row in record.decisions]
    assert shown == decided[::-1]
    names = ("moment", "version", "event", "cause", "verdict", "run")
    served = [{name: row[name] for name in names} for row in decided if row["event"] != "refused"]
    assert record.rows("overview", "Who has served?") == served[::-1]


@pytest.mark.parametrize("board", ["overview", "performance", "drift", "predictions", "betting"])
@pytest.mark.parametrize(
    ("name", "event"), [("Promotions", "promoted"), ("Refusals", "refused"), ("Rollbacks", "rolled_back")]
)
def test_a_decision_is_marked_from_what_asked_for_it_to_its_moment(
    record: Record, board: str, name: str, event: str
) -> None:
    expected = [
        {
            "time": min([*row["found"], row["moment"]]),
            "timeend": row["moment"],
            "text": f"Version {row['version']}: {row['verdict']}. Cause: {row['cause']}, {row['reason']}",
            "tags": f"{event},{row['cause']}",
        }
        for row in record.decisions
        if row["event"] == event
    ]
    assert record.rows(board, name) == expected


@pytest.mark.parametrize("board", ["overview", "drift"])
def test_drift_is_marked_where_it_begins_and_an_outage_where_it_was_lived(record: Record, board: str) -> None:
    onsets = [(12, "home_form"), (29, "p_home"), (29.25, "p_away, result"), (34, "home_form")]
    assert record.ask(board, "Drift onsets").rows == [
        (day(when), day(when), f"Drift begins: {names}", "drift") for when, names in onsets
    ]
    outage = (day(33), day(33), "No answer: for three days", "critical")
    assert record.ask(board, "Source outages").rows == [outage]


def test_the_open_alerts_are_listed_with_the_worst_first(record: Record) -> None:
    shown = record.rows("overview", "What is wrong now?")
    opened = [shown[number]["since"] for number in (3, 2, 0, 1)]
    assert opened == sorted(set(opened))
    for row, number in zip(shown, (2, 3, 1, 0), strict=True):
        when, alert = ALERTS[number]
        assert row["last seen"] == row["since"]
        assert {name: row[name] for name in row if name not in {"since", "last seen"}} == {
            **{"level": alert.level.word, "title": alert.title, "message": alert.message},
            **{"speaks of": day(when), "could not be sent": "refused" if alert.key == "feed" else None},
            "run": alert.run_id,
        }


def test_what_can_be_chosen_begins_with_what_serves(record: Record) -> None:
    assert record.ask("performance", "version").column("version") == ["2", "10", "3", "1"]
    metrics = record.ask("performance", "metric").column("metric")
    assert metrics == ["log_loss", *sorted(({row["metric"] for row in record.scores} | {"drift_share"}) - {"log_loss"})]
    edges = [int(record.ask("overview", name).rows[0][0]) / 1000 for name in ("record_from", "record_to")]
    assert edges == [day(5).timestamp(), (NOW - HOUR + DAY).timestamp()]


def test_the_columns_of_the_champions_newest_check_are_told_with_the_most_suspicious_first(record: Record) -> None:
    check = [row for row in record.drift if row["version"] == "2"][-len(COLUMNS) :]
    shown = {"column": "column_name", "p-value": "score", "threshold": "threshold", "effect size": "effect_size"}
    more = {"method": "method", "recent": "current_n", "training": "reference_n", "version": "version"}
    expected = [
        {
            **{name: row[written] for name, written in {**shown, **more}.items()},
            "verdict": "drifted" if row["drifted"] else "alike",
        }
        for row in sorted(check, key=lambda row: float(row["score"]))
    ]
    assert record.rows("drift", "How far has each column moved?") == expected


def test_the_checks_of_drift_are_told_with_the_newest_first(record: Record) -> None:
    drifted = ["home_form", "p_away, result, p_home", "home_form, p_home", "home_form", "none"]
    expected = [
        {
            **{"moment": row["as_of"], "version": row["version"], "share": row["share"], "columns": row["columns"]},
            **{"recent matches": row["n"], "training matches": row["reference_n"]},
            "report": row["report"].removeprefix("http://there/"),
            "drifted": names,
        }
        for row, names in zip(record.checks[::-1], drifted, strict=True)
    ]
    assert record.rows("drift", "What did the recent checks find?") == expected


def test_the_lines_of_drift_are_what_the_checks_found(record: Record) -> None:
    by_column = {(row["as_of"], row["column_name"]): int(row["drifted"]) for row in record.drift}
    assert record.lines("drift", "Which columns have drifted, and since when?") == by_column
    shares = [{**row, "metric": "drifted"} for row in record.checks if record.served(row["version"], row["as_of"])]
    assert record.lines("drift", "Does the drift share stay below its threshold?") == ends(shares, "metric", "share")
    known = [row for row in record.drift if row["effect_size"] is not None]
    for title, wanted in (("How does each feature move?", False), ("Have the forecasts themselves moved?", True)):
        rows = [row for row in known if (row["column_name"] in PROBABILITIES) is wanted]
        assert record.lines("drift", title) == ends(rows, "column_name", "effect_size")


def test_the_share_of_matches_that_lack_something_is_told_by_week(record: Record) -> None:
    shown = record.rows("drift", "How many matches lack odds or statistics?")
    lacking = {"pre-match odds": 0.25, "closing odds": 0.5, "shots": 0.75}
    assert {row["metric"]: row["value"] for row in shown[:3]} == lacking
    assert {row["metric"]: row["value"] for row in shown[3:]} == dict.fromkeys(lacking, 0)


def test_a_fixture_is_told_with_the_newest_forecast_of_whoever_serves(record: Record) -> None:
    first, *others = record.rows("predictions", "What is coming, and what is forecast?")
    assert first == {
        **{"kick-off": NOW + 10 * HOUR, "home": "In 10 h", "away": "Away", "prediction": "home win"},
        **{"home win": 0.55, "draw": 0.24, "away win": 0.21, "information": "odds"},
        **{f"odds {sign}": price for sign, price in zip("1X2", ODDS.values(), strict=True)},
        **{"made at": NOW - 2 * HOUR, "version": "2", "run": "run 2"},
    }
    assert [row["home"] for row in others] == ["In 12 h", "In 30 h", "In 100 h", "In 200 h"]
    for row in others:
        assert {cell for name, cell in row.items() if name not in {"kick-off", "home", "away"}} == {None}
