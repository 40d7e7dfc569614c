"""The alert rules keep quiet in good health, each fires for what it is there for and nothing else does, and Grafana can
read their file."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from itertools import permutations
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pl_predictor.core.freshness import results_freshness
from pl_predictor.services.postgres_server import PostgresAddress
from pl_predictor.settings import Settings
from pl_predictor_tests.conftest import copied, fresh_settings
from pl_predictor_tests.frames import fixture, matches, played
from pl_predictor_tests.grafana.alerting import (
    Evaluation,
    evaluate,
    firing,
    frame_faults,
    node,
    read,
    rule,
    rules,
)
from pl_predictor_tests.grafana.grafana import DAGSTER, DATA, ask, boards, connected, panels
from pl_predictor_tests.grafana.healthy import BEGAN, DAY, HOUR, NOW, Platform, lived
from pl_predictor_tests.storage import ledgers

RULES = rules()
FRESHNESS = {"drift-check-stale", "data-stale", "daemon-dead"}
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["uid"]))


@pytest.fixture
def platform(template: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Platform]:
    """One that has not begun."""
    with (
        copied(template, fresh_settings(tmp_path, postgres), "postgres_db", "dagster_db") as fresh,
        lived(fresh) as new,
    ):
        yield new


@pytest.fixture(scope="session")
def in_good_health(
    template: Settings, postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of one, to be copied."""
    fresh = fresh_settings(tmp_path_factory.mktemp("healthy"), postgres)
    with copied(template, fresh, "postgres_db", "dagster_db"):
        with lived(fresh) as new:
            new.in_good_health()
        yield fresh


@pytest.fixture
def healthy(in_good_health: Settings, postgres: PostgresAddress, tmp_path: Path) -> Iterator[Platform]:
    fresh = fresh_settings(tmp_path, postgres)
    with copied(in_good_health, fresh, "postgres_db", "dagster_db"), lived(fresh) as copy:
        copy.world.beat("SENSOR", seconds_ago=0)
        yield copy


def the_market_was_right(at: Platform) -> None:
    at.forecast_all((0.2, 0.3, 0.5), BEGAN + HOUR)


def the_log_loss_rose(at: Platform) -> None:
    at.score(1.2, at_least=1.06, expected=1.0)


def matches_changed(at: Platform) -> None:
    at.drift(0.6)


def a_match_was_forgotten(at: Platform) -> None:
    at.listed("Sunderland", "Reading", NOW + 10 * HOUR)


def bets_were_lost(at: Platform) -> None:
    later = f"{NOW + 2 * DAY:%Y-%m-%d %H:%M}"
    homes = [f"Home {number}" for number in range(11)]
    for home in homes:
        at.bet_on(home, "Away", later, as_of=NOW, stake=53.1, bankroll=1062.5)
    ledgers.know(at.engine, *(played(home, "Away", later, 0, 1) for home in homes))
    ledgers.settle(at.engine, NOW + 3 * DAY)


def a_job_fails(at: Platform) -> None:
    at.world.run("shaky")
    at.world.run("shaky", "broken")


def a_run_hangs(at: Platform) -> None:
    at.world.begin(dg.DagsterRunStatus.STARTED, minutes_ago=31)


def nobody_takes_runs_from_the_queue(at: Platform) -> None:
    at.world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=31)


def drift_is_not_checked(at: Platform) -> None:
    at.pass_to(NOW + 25 * HOUR)


def a_result_does_not_come(at: Platform) -> None:
    at.live(NOW + 5 * DAY)


def the_daemon_stops(at: Platform) -> None:
    at.world.beat("SENSOR", seconds_ago=300)


def the_database_is_gone(at: Platform) -> None:
    at.settings = at.settings.model_copy(update={"postgres_db": "nowhere"})


def a_table_may_not_be_read(at: Platform) -> None:
    ledgers.execute(at.engine, "REVOKE SELECT ON bets FROM grafana_reader")


Labels = list[dict[str, str]]
BREACHES: list[tuple[str, Callable[[Platform], None], Labels]] = [
    ("accuracy-below-market", the_market_was_right, [{"version": "1"}]),
    ("logloss-degraded", the_log_loss_rose, [{"version": "1"}]),
    ("dataset-drift", matches_changed, [{"version": "1"}]),
    ("missing-predictions", a_match_was_forgotten, [{"match": "Sunderland v Reading"}]),
    ("bet-drawdown", bets_were_lost, [{"ledger": "premier_league_predictor"}]),
    ("pipeline-failing", a_job_fails, [{"job": "shaky"}]),
    ("run-stuck", a_run_hangs, [{"job": "steady"}]),
    ("run-stuck", nobody_takes_runs_from_the_queue, [{"job": "steady"}]),
    ("drift-check-stale", drift_is_not_checked, [{}]),
    ("data-stale", a_result_does_not_come, [{}]),
    ("daemon-dead", the_daemon_stops, [{}]),
    ("db-unreachable", the_database_is_gone, []),
    ("db-unreachable", a_table_may_not_be_read, [{}]),
]


def test_in_good_health_every_rule_has_looked_and_none_fires(healthy: Platform) -> None:
    states = {each["uid"]: evaluate(healthy.settings, each) for each in RULES}
    assert {uid for uid, found in states.items() if found.state not in {"Normal", "OK"}} == set()
    nothing_to_list = {uid for uid, found in states.items() if not found.values}
    assert nothing_to_list == {"missing-predictions", "pipeline-failing", "run-stuck"}


@pytest.mark.parametrize(("uid", "breach", "labels"), BREACHES, ids=lambda each: getattr(each, "__name__", None))
def test_what_is_wrong_fires_its_rule_and_no_other(
    healthy: Platform, uid: str, breach: Callable[[Platform], None], labels: Labels
) -> None:
    breach(healthy)
    assert firing(healthy.settings) == {uid}
    fires = evaluate(healthy.settings, rule(uid)).fires
    assert [{name: value for name, value in each if name != "run"} for each in fires] == labels


def test_every_rule_has_its_breach() -> None:
    assert {uid for uid, _, _ in BREACHES} == {each["uid"] for each in RULES}


QUIET: dict[str, Callable[[Platform], object]] = {
    "a match is not due yet": lambda at: at.listed("Sunderland", "Reading", NOW + 25 * HOUR),
    "a log loss is high within noise": lambda at: at.score(1.2, at_least=1.04, expected=1.0),
    "a log loss of few forecasts": lambda at: at.score(1.2, at_least=1.1, expected=1.0, n=49),
    "a log loss without bounds": lambda at: at.score(1.2, at_least=None, expected=1.0),
    "a log loss that was high": lambda at: at.score(1.2, at_least=1.1, expected=1.0, as_of=NOW - DAY),
    "a log loss of a challenger": lambda at: at.score(1.2, at_least=1.1, expected=1.0, version="2"),
    "drift of a challenger": lambda at: at.drift(0.9, NOW + DAY, version="2"),
    "drift at its threshold": lambda at: at.drift(0.5),
    "drift of few matches": lambda at: at.drift(0.9, n=49),
    "drift that is over": lambda at: at.drift(0.9, NOW - DAY),
    "a job that succeeds again": lambda at: (at.world.run("shaky", "broken"), at.world.run("shaky")),
    "a run that is at work": lambda at: at.world.begin(dg.DagsterRunStatus.STARTED, minutes_ago=29),
    "a run that waits for it": lambda at: (
        at.world.begin(dg.DagsterRunStatus.STARTED, minutes_ago=29),
        at.world.begin(dg.DagsterRunStatus.QUEUED, minutes_ago=40),
    ),
    "a drift check a day ago": lambda at: at.pass_to(NOW + 23 * HOUR),
    "a part of the daemon is silent": lambda at: at.world.beat("SCHEDULER", seconds_ago=3600),
}


@pytest.mark.parametrize("nearly", QUIET.values(), ids=QUIET)
def test_what_is_not_wrong_yet_fires_nothing(healthy: Platform, nearly: Callable[[Platform], object]) -> None:
    nearly(healthy)
    assert firing(healthy.settings) == set()


@pytest.mark.parametrize(
    ("judged", "missed", "fires"),
    [(54, 12, True), (54, 6, False), (49, 12, False), (54, 1, False)],
    ids=["behind beyond noise", "behind within noise", "behind in a small sample", "nearly as often right"],
)
def test_an_accuracy_is_below_the_markets_beyond_noise_or_not_at_all(
    platform: Platform, judged: int, missed: int, fires: bool
) -> None:
    platform.begin()
    platform.forecast_all((0.5, 0.3, 0.2), BEGAN, range(judged))
    platform.forecast_all((0.2, 0.3, 0.5), BEGAN + HOUR, range(missed))
    found = evaluate(platform.settings, rule("accuracy-below-market"))
    assert (found.state == "Alerting") is fires
    assert len(found.values) == (judged >= 50)


@pytest.mark.parametrize(
    ("outcomes", "failures"),
    [(["broken", "good", "broken", "broken"], (2,)), (["broken"], (1,))],
    ids=["since the last success", "of a job that never succeeded"],
)
def test_failures_are_counted(healthy: Platform, outcomes: list[str], failures: tuple[int, ...]) -> None:
    for outcome in outcomes:
        healthy.world.run("shaky", outcome)
    assert evaluate(healthy.settings, rule("pipeline-failing")).values == failures


def test_a_replay_has_a_ledger_of_its_own(platform: Platform) -> None:
    kickoff = datetime.now(timezone.utc).replace(microsecond=0) - HOUR
    ledgers.as_if_taken_then(platform.engine, kickoff)
    assert evaluate(platform.settings, rule("bet-drawdown")).values == (0,)
    platform.next_match("Coming", "Unknown", NOW + DAY)
    assert evaluate(platform.settings, rule("bet-drawdown")) == Evaluation("OK")


def test_a_ledger_of_open_bets_has_lost_nothing(platform: Platform) -> None:
    platform.bet_on("Chelsea", "Fulham", ledgers.KICKOFF, as_of=ledgers.BEFORE, stake=50.0, bankroll=1000.0)
    assert evaluate(platform.settings, rule("bet-drawdown")).values == (0,)


def test_a_drawdown_is_that_of_now_and_not_of_the_past(healthy: Platform) -> None:
    assert evaluate(healthy.settings, rule("bet-drawdown")).values == (0,)
    bets_were_lost(healthy)
    (fall,) = evaluate(healthy.settings, rule("bet-drawdown")).values
    assert fall == pytest.approx(11 * 53.1 / 1062.5)


def test_without_the_database_the_rules_that_ask_it_keep_their_state(healthy: Platform) -> None:
    the_database_is_gone(healthy)
    states = {each["uid"]: evaluate(healthy.settings, each).state for each in RULES if asks(each) == DATA}
    assert states.pop("db-unreachable") == "Alerting"
    assert set(states.values()) == {"KeepLast"}


def test_without_dagsters_database_the_daemon_is_dead(healthy: Platform) -> None:
    healthy.settings = healthy.settings.model_copy(update={"dagster_db": "nowhere"})
    assert firing(healthy.settings) == {"daemon-dead"}


@each_rule
def test_without_any_row_a_rule_is_in_the_state_that_it_declares(empty: Settings, rule: dict[str, Any]) -> None:
    found = evaluate(empty, rule)
    if rule["uid"] == "db-unreachable":
        assert (found.state, found.values) == ("Normal", (0,))
    else:
        assert found.state == ("Alerting" if rule["uid"] in FRESHNESS else "OK") == rule["noDataState"]
        assert found.values == ()


def test_in_databases_of_another_time_zone_the_same_rules_fire(healthy: Platform) -> None:
    a_match_was_forgotten(healthy)
    nobody_takes_runs_from_the_queue(healthy)
    before = {each["uid"]: evaluate(healthy.settings, each) for each in RULES}
    for database, execute in (
        (healthy.settings.dagster_db, healthy.world.execute),
        (healthy.settings.postgres_db, lambda statement: ledgers.execute(healthy.engine, statement)),
    ):
        execute(f"ALTER DATABASE \"{database}\" SET timezone = 'America/St_Johns'")
    for each in RULES:
        found = evaluate(healthy.settings, each)
        assert (found.state, found.fires) == (before[each["uid"]].state, before[each["uid"]].fires)
        assert found.values == pytest.approx(before[each["uid"]].values, abs=60)


# --- when results are overdue ----------------------------------------------------------------------------------------

TEAMS = [f"Team {number:02}" for number in range(20)]


def a_season(first: datetime, games: int = 380) -> list[dict[str, Any]]:
    """The first games of a season that take ten months."""
    return [
        played(home, away, f"{first + DAY * 280 * k / 379:%Y-%m-%d %H:%M}", 1, 0)
        for k, (home, away) in enumerate(permutations(TEAMS, 2))
        if k < games
    ]


AUGUST = datetime(2023, 8, 11, 19, tzinfo=timezone.utc)
LAST_GAME = AUGUST + 280 * DAY
WHOLE, HALF = a_season(AUGUST), a_season(AUGUST, 190)
MIDDLE = HALF[-1]["kickoff"].to_pydatetime()
WAITING = fixture("Team 19", "Team 18", f"{MIDDLE + DAY:%Y-%m-%d %H:%M}")
LATER_RESULT = played("Team 19", "Team 17", f"{MIDDLE + 2 * DAY:%Y-%m-%d %H:%M}", 1, 0)
CASES = {
    "within a season": (HALF, MIDDLE + 2 * DAY, True),
    "in a break for internationals": (HALF, MIDDLE + 20 * DAY, True),
    "after too long a break": (HALF, MIDDLE + 22 * DAY, False),
    "a result that may yet come": ([*HALF, WAITING], MIDDLE + 3.9 * DAY, True),
    "a result that is overdue": ([*HALF, WAITING], MIDDLE + 4.1 * DAY, False),
    "a match that was postponed": ([*HALF, WAITING, LATER_RESULT], MIDDLE + 9 * DAY, True),
    "in the close season": (WHOLE, LAST_GAME + 60 * DAY, True),
    "at the end of August": (WHOLE, datetime(2024, 8, 31, tzinfo=timezone.utc), True),
    "in September without a new season": (WHOLE, datetime(2024, 9, 2, tzinfo=timezone.utc), False),
    "a season that was broken off": (WHOLE[:379], LAST_GAME + 60 * DAY, False),
    "one match into a season": (WHOLE[:1], AUGUST + 5 * DAY, True),
}


@pytest.mark.parametrize(("rows", "as_of", "fresh"), CASES.values(), ids=CASES)
def test_results_are_overdue_when_the_check_of_the_platform_says_so(
    platform: Platform, rows: list[dict[str, Any]], as_of: datetime, fresh: bool
) -> None:
    known = matches(*sorted(rows, key=lambda row: row["kickoff"]))
    platform.matches.store_matches(known, "test")
    platform.next_match("Coming", "Unknown", as_of + 300 * DAY, as_of=as_of)
    platform.pass_to(as_of)
    assert results_freshness(known, as_of).fresh is fresh
    assert evaluate(platform.settings, rule("data-stale")).state == ("Normal" if fresh else "Alerting")


def test_a_result_of_the_division_below_is_none_of_ours(healthy: Platform) -> None:
    below = matches(fixture("Hull", "Stoke", f"{NOW + HOUR:%Y-%m-%d %H:%M}"))
    healthy.matches.store_matches(below, "test", "E1")
    healthy.live(NOW + 4 * DAY - 5 * HOUR)
    assert firing(healthy.settings) == set()


@pytest.mark.parametrize(
    ("results_days", "drift_hours", "fires"),
    [(5, 1, set()), (22, 1, {"data-stale"}), (5, 25, {"drift-check-stale"})],
    ids=["all is fresh", "no result for weeks", "no drift check for a day"],
)
def test_live_ages_go_by_the_clock(platform: Platform, results_days: int, drift_hours: int, fires: set[str]) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    known = matches(played("Arsenal", "Everton", f"{now - results_days * DAY:%Y-%m-%d %H:%M}", 1, 0))
    platform.matches.store_matches(known, "test")
    platform.next_match("Coming", "Unknown", now + 2 * DAY, as_of=now, replay=False)
    platform.pass_to(now - 300 * DAY)  # what was lived last does not matter
    platform.drift(0.1, now - drift_hours * HOUR)
    assert firing(platform.settings) - {"daemon-dead"} == fires


# --- what Grafana reads ----------------------------------------------------------------------------------------------


def asks(rule: dict[str, Any]) -> str:
    """The data source of a rule."""
    found: str = node(rule, "A")["datasourceUid"]
    return found


@each_rule
def test_a_rule_is_one_query_and_a_threshold_on_it(rule: dict[str, Any]) -> None:
    query, threshold = rule["data"]
    assert (query["refId"], threshold["refId"], rule["condition"]) == ("A", "B", "B")
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"]
    assert query["datasourceUid"] in {DATA, DAGSTER}
    assert (query["model"]["format"], query["model"]["rawQuery"], query["model"]["refId"]) == ("table", True, "A")
    assert "$" not in query["model"]["rawSql"], "no dashboard, no variables; and ages go by the platform's now"
    assert query["relativeTimeRange"]["from"] > query["relativeTimeRange"]["to"]
    assert (threshold["datasourceUid"], threshold["model"]["type"]) == ("__expr__", "threshold")
    assert (threshold["model"]["expression"], threshold["model"]["refId"]) == ("A", "B")


@each_rule
def test_a_rule_has_what_grafana_asks_of_it_and_a_person(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule["uid"])
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["noDataState"] in {"OK", "Alerting"}
    assert rule["execErrState"] in {"KeepLast", "Alerting"}
    assert rule["labels"]["severity"] in {"warning", "error", "critical"}
    for said in (rule["annotations"]["summary"], rule["annotations"]["description"]):
        assert said.endswith(".")
        assert "${" not in said, "Grafana looks for a variable of the environment"
    assert len(rule["annotations"]["description"]) >= 100
    for said in (rule["title"], *rule["labels"].values()):
        assert said.replace("$$", "").count("$") == 0


@each_rule
def test_a_rule_leads_to_a_panel_of_its_data(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert (said["__dashboardUid__"], said["__panelId__"]) == (rule["dashboardUid"], str(rule["panelId"]))
    (board,) = (each for each in boards() if each["uid"] == rule["dashboardUid"])
    (panel,) = (each for each in panels(board) if each["id"] == rule["panelId"])
    assert panel["datasource"]["uid"] == asks(rule)


FRAMES = {
    "a number and texts": ("'a' AS job, 'b' AS run, 1.5::float8 AS minutes", []),
    "two numbers": ("1 AS n, 2 AS m", ["one column of numbers, not ['n', 'm']"]),
    "no number": ("'a' AS job", ["one column of numbers, not []"]),
    "a boolean": ("1 AS n, true AS dead", ["dead is neither number nor text"]),
    "a time": ("1 AS n, now() AS since", ["since is neither number nor text"]),
    "a number called time": ("1 AS time", ["a column called time makes it a series"]),
    "rows of the same labels": ("'a' AS job, n FROM generate_series(1, 2) n", ["two rows have the same labels"]),
}


@pytest.mark.parametrize(("selected", "faults"), FRAMES.values(), ids=FRAMES)
def test_what_grafana_cannot_take_for_numbers_with_labels_is_a_fault(
    empty: Settings, selected: str, faults: list[str]
) -> None:
    with connected(empty, DATA) as connection:
        assert frame_faults(ask(connection, f"SELECT {selected}")) == faults


def test_the_file_has_the_shape_of_file_provisioning() -> None:
    document = read("rules.yaml")
    assert set(document) == {"apiVersion", "groups", "deleteRules"}
    (group,) = document["groups"]
    assert set(group) == {"orgId", "name", "folder", "interval", "rules"}
    assert int(group["interval"].removesuffix("s")) % 10 == 0
    assert not {"folderUID", "orgID", "ruleGroup"} & {key for each in group["rules"] for key in each}
    for name in ("uid", "title"):
        assert len({each[name] for each in group["rules"]}) == len(group["rules"])


def test_what_is_told_goes_to_a_contact_point_that_is_there() -> None:
    (point,) = read("contact-points.yaml")["contactPoints"]
    (receiver,) = point["receivers"]
    assert (receiver["type"], receiver["settings"]["url"]) == ("webhook", "$GRAFANA_ALERT_URL")
    (policy,) = read("policies.yaml")["policies"]
    assert {policy["receiver"], *(route["receiver"] for route in policy["routes"])} == {point["name"]}
    severities = {each["labels"]["severity"] for each in RULES}
    for route in policy["routes"]:
        ((label, compared, value),) = route["object_matchers"]
        assert (label, compared) == ("severity", "=")
        assert value in severities


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the SDK of Grafana needs Python 3.11")
def test_a_rule_cannot_lead_to_a_panel_that_is_not_there_or_be_removed_and_there() -> None:
    from grafana.alert_file import document
    from grafana.alerts import RULES

    boards: dict[str, dict[str, Any]] = {uid: {"panels": []} for uid in {rule.board for rule in RULES}}
    with pytest.raises(ValueError, match="accuracy-below-market leads to the panel 'Is it right more often"):
        document(RULES, boards, [])
    with pytest.raises(ValueError, match="daemon-dead: a rule that is there cannot be among the removed"):
        document(RULES, boards, ["daemon-dead", "of-old"])
    assert document([], boards, ["of-old"])["deleteRules"] == [{"orgId": 1, "uid": "of-old"}]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the SDK of Grafana needs Python 3.11")
def test_a_dollar_in_a_title_is_meant() -> None:
    from grafana.alert_file import document
    from grafana.alerts import RULES

    costly = replace(RULES[0], title="It costs $HOME")
    boards = {costly.board: {"panels": [{"title": costly.question, "type": "stat", "id": 1}]}}
    (group,) = document([costly], boards, [])["groups"]
    assert group["rules"][0]["title"] == "It costs $$HOME"
