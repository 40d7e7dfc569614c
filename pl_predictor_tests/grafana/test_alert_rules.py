"""The alert rules keep quiet in good health, and each fires for what it is there for and nothing else does."""

from collections.abc import Callable, Set
from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pytest

from pl_predictor.settings import Settings
from pl_predictor_tests.frames import played
from pl_predictor_tests.grafana.alerting import Evaluation, asks, evaluate, firing, leads_to, rule, rules
from pl_predictor_tests.grafana.colours import BAD, alarming, colours
from pl_predictor_tests.grafana.grafana import DATA, answer
from pl_predictor_tests.grafana.healthy import BEGAN, DAY, HOUR, NOW, Platform
from pl_predictor_tests.grafana.macros import View
from pl_predictor_tests.grafana.season import CHOSEN
from pl_predictor_tests.storage import ledgers

RULES = rules()
VIEW = View(BEGAN, NOW, "1d", CHOSEN)
FRESHNESS = {"drift-check-stale", "data-stale", "daemon-dead"}


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


def looks_wrong(at: Platform, rule: dict[str, Any], named: Set[str] = frozenset()) -> bool | None:
    """Whether the number that a rule leads to, or a row of the list that has what is named in it, is red or amber; None
    where the rule leads to lines, or tells that no list can be read."""
    panel, question = leads_to(rule)
    if panel["type"] == "timeseries" or rule["uid"] == "db-unreachable":
        return None
    frame = answer(at.settings, question, VIEW)
    if panel["type"] == "stat":
        return bool(colours(panel, frame) & BAD)
    return any(named <= set(row) for row in alarming(panel, frame))


def test_in_good_health_every_rule_has_looked_and_none_fires(healthy: Platform) -> None:
    states = {each["uid"]: evaluate(healthy.settings, each) for each in RULES}
    assert {uid for uid, found in states.items() if found.state not in {"Normal", "OK"}} == set()
    nothing_to_list = {uid for uid, found in states.items() if not found.values}
    assert nothing_to_list == {"missing-predictions", "pipeline-failing", "run-stuck"}
    assert not any(looks_wrong(healthy, each) for each in RULES)


@pytest.mark.parametrize(("uid", "breach", "labels"), BREACHES, ids=lambda each: getattr(each, "__name__", None))
def test_what_is_wrong_fires_its_rule_and_no_other(
    healthy: Platform, uid: str, breach: Callable[[Platform], None], labels: Labels
) -> None:
    breach(healthy)
    assert firing(healthy.settings) == {uid}
    fires = evaluate(healthy.settings, rule(uid)).fires
    assert [{name: value for name, value in each if name != "run"} for each in fires] == labels
    named = {value for row in labels for value in row.values()}
    assert looks_wrong(healthy, rule(uid), named) is not False


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


def test_without_the_database_the_rules_that_ask_it_say_that_they_cannot_look(healthy: Platform) -> None:
    the_database_is_gone(healthy)
    states = {each["uid"]: evaluate(healthy.settings, each).state for each in RULES if asks(each) == DATA}
    assert states.pop("db-unreachable") == "Alerting"
    assert set(states.values()) == {"Error"}


def test_without_dagsters_database_the_daemon_is_dead(healthy: Platform) -> None:
    healthy.settings = healthy.settings.model_copy(update={"dagster_db": "nowhere"})
    assert firing(healthy.settings) == {"daemon-dead"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["uid"]))
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
