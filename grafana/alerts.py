"""The alert rules: what Grafana tells a person about by itself. The file that it reads them from is made elsewhere.

Grafana looks from outside: it also tells what the platform's own alerts (the table `alerts`) cannot, because nothing of
the platform runs. A rule is SQL that gives a number a row, a threshold that no row may exceed, and the panel that shows
what is wrong. Two kinds: lists of offenders, where no row is health, and ages, where no row is an alert. Times are the
boards': in a replay now is the moment that it lives, so that a replay which stands still grows no older; only the
machinery (Dagster's runs and daemon) goes by the clock. So does how long a rule must hold before it tells: of a replay
that lives a week a minute it tells only what lasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from grafana.house import DAGSTER, DATA
from grafana.predictions import COMING
from grafana.queries import (
    AGAINST_MARKET,
    CHAMPION,
    DRIFT_CHECK_AGE,
    DRIFT_SHARE,
    MODEL,
    NOW,
    OVERDUE,
    REPLAY,
    SILENT_FOR,
    newest_metric,
)
from grafana.system import ENDED_RUNS, UNFINISHED_RUNS
from grafana.thresholds import (
    DAEMON_SILENCE_SECONDS,
    DRIFT_CHECK_DUE_DAYS,
    FORECAST_DUE_HOURS,
    MAX_BOLDNESS,
    MAX_DRAWDOWN,
    MAX_DRIFT_SHARE,
    MIN_SAMPLE,
    PERFORMANCE_WINDOW,
    STANDARD_ERRORS,
    STUCK_MINUTES,
)
from pl_predictor.core.freshness import LONGEST_BREAK, RESULT_DUE

READ: Final = ("matches", "match_features", "model_metrics", "model_predictions", "retraining_events", "bets")
"""The platform's tables that the rules read."""


@dataclass(frozen=True)
class Rule:
    """A rule: it fires for each row of `sql` whose number is above `above` for as long as `lasting`.

    sql: one column of numbers; columns of text, if any, name the row. board, question: uid and title of the panel that
    the alert leads to. summary: may use the row's `$labels` and `$values.A`. absent: what no row means. failed: what
    it means that the query fails; Error is an alert of its own, DatasourceError, one for all rules that cannot look.
    """

    uid: str
    title: str
    board: str
    question: str
    sql: str
    above: float
    lasting: str
    severity: Literal["warning", "error", "critical"]
    summary: str
    description: str
    source: str = DATA
    absent: Literal["OK", "Alerting"] = "OK"
    failed: Literal["Error", "Alerting"] = "Error"


RULES: Final = (
    Rule(
        uid="accuracy-below-market",
        title="The market is right more often than the forecasts",
        board="mlops-overview",
        question="Is it right more often than the market?",
        sql=f"""
        WITH {AGAINST_MARKET} SELECT {CHAMPION} AS version, -at_most AS behind FROM ahead WHERE at_most IS NOT NULL
        """,
        above=0,
        lasting="15m",
        severity="warning",
        summary="The bookmakers' favourite wins more often than what version {{ $labels.version }} predicts.",
        description=f"""The number is by how much at least: the share of matches in which the favourite was right,
        minus that in which the forecast was, minus {STANDARD_ERRORS} standard errors. Of the latest
        {PERFORMANCE_WINDOW} official forecasts with odds, {MIN_SAMPLE} at least. A good model predicts the favourite
        nearly always: look for a fault in features or feed before you train again.""",
    ),
    Rule(
        uid="logloss-degraded",
        title="The forecasts are worse than they promise",
        board="mlops-performance",
        question="Is the log loss what the forecasts themselves expect?",
        sql=f"""
        SELECT own.model_version AS version, (own.metadata->>'anytime_low')::float8 - promised.value AS excess
        FROM model_metrics own JOIN model_metrics promised USING (model_name, model_version, as_of)
        WHERE own.metric_type = 'log_loss' AND promised.metric_type = 'log_loss_expected'
            AND model_name = {MODEL} AND model_version = {CHAMPION} AND as_of = (
                SELECT m.as_of FROM ({newest_metric("'log_loss'", CHAMPION)}) m
            )
            AND (own.metadata->>'n')::int >= {MIN_SAMPLE} AND own.metadata->>'anytime_low' IS NOT NULL
        """,
        above=MAX_BOLDNESS,
        lasting="15m",
        severity="warning",
        summary="The log loss of version {{ $labels.version }} exceeds what it expects itself, beyond noise.",
        description=f"""The number is by how many nats a match at least: the lower bound that holds at all looks of a
        season, minus the expectation; over {MAX_BOLDNESS} is too much. The forecasts are too bold: see their
        calibration. Unless the platform trains again by itself, launch `emergency_retraining` in Dagster.""",
    ),
    Rule(
        uid="dataset-drift",
        title="The latest matches are unlike those of the training",
        board="mlops-drift",
        question="How much has drifted?",
        sql=f"WITH {DRIFT_SHARE} SELECT version, share FROM newest_check WHERE judged",
        above=MAX_DRIFT_SHARE,
        lasting="15m",
        severity="warning",
        summary="{{ $values.A.Value | humanizePercentage }} of the columns have drifted from the training of version "
        "{{ $labels.version }}.",
        description=f"""Over {MAX_DRIFT_SHARE:.0%} the platform trains again by itself, unless a cooldown or too few
        new results forbid it: then the tick of `retraining_sensor` in Dagster says why. The board names the
        columns.""",
    ),
    Rule(
        uid="missing-predictions",
        title="A match is about to kick off without a forecast",
        board="mlops-predictions",
        question="How many due matches have no forecast?",
        sql=f"""
        WITH {COMING}
        SELECT home_team || ' v ' || away_team AS match,
            ({FORECAST_DUE_HOURS} - extract(epoch FROM kickoff - {NOW}) / 3600)::float8 AS late
        FROM coming WHERE prediction IS NULL ORDER BY kickoff, home_team
        """,
        above=0,
        lasting="15m",
        severity="critical",
        summary=f"{{{{ $labels.match }}}} kicks off within {FORECAST_DUE_HOURS} hours, and has no forecast.",
        description="""The number is for how many hours the forecast is due. It cannot be made after kick-off: launch
        `daily_predictions` in Dagster, or see why the last run of it failed.""",
    ),
    Rule(
        uid="bet-drawdown",
        title="The bets on paper have lost half of the bankroll",
        board="mlops-betting",
        question="How far is the bankroll below its peak?",
        sql=f"""
        SELECT model_name AS ledger, (1 - (min(starting_bankroll) + coalesce(sum(profit), 0))
            / greatest(max(starting_bankroll), max(bankroll_after)))::float8 AS fall
        FROM bets WHERE replay = {REPLAY} AND model_name = {MODEL} GROUP BY model_name
        """,
        above=MAX_DRAWDOWN,
        lasting="15m",
        severity="warning",
        summary="The bankroll is {{ $values.A.Value | humanizePercentage }} below its peak.",
        description=f"""Were the claimed values true, a quarter of Kelly's stake would lead to {MAX_DRAWDOWN:.0%} in
        under 1 % of the time: compare claimed and realised value, and the closing line value, before you believe in
        bad luck. No real money is lost. It ends when the bankroll recovers; until then silence it.""",
    ),
    Rule(
        uid="pipeline-failing",
        title="A job fails",
        board="mlops-system",
        question="How did the last run of each job go?",
        sql=f"""
        WITH {ENDED_RUNS}
        SELECT job, failures FROM jobs WHERE failures > 0 ORDER BY job
        """,
        above=0,
        lasting="5m",
        severity="error",
        summary="{{ $labels.job }} failed, and has not succeeded since.",
        description="""The number is how often in a row. The run's log in Dagster says why. A run of the job that
        succeeds ends the alert; so does deleting the failed run, if nobody wants to repeat it. Assets that a person
        materializes by hand are no job, and of them no alert: that person sees how it went.""",
        source=DAGSTER,
    ),
    Rule(
        uid="run-stuck",
        title="A run is stuck",
        board="mlops-system",
        question="Which runs are waiting or at work?",
        sql=f"""
        WITH {UNFINISHED_RUNS}
        SELECT job, run, (extract(epoch FROM now() - since) / 60)::float8 AS minutes FROM unfinished
        WHERE stuck ORDER BY since, run
        """,
        above=STUCK_MINUTES,
        lasting="5m",
        severity="error",
        summary='Run {{ $labels.run }} of {{ $labels.job }} is {{ $values.A.Value | printf "%.0f" }} minutes old.',
        description=f"""At work, or waiting while no other run is at work, for over {STUCK_MINUTES} minutes: Dagster's
        own monitoring should have ended it, so the daemon may be dead. Terminate the run in Dagster; see
        logs/daemon.log in the platform's home.""",
        source=DAGSTER,
    ),
    Rule(
        uid="drift-check-stale",
        title="Drift is not checked any more",
        board="mlops-drift",
        question="How old is the newest check?",
        sql=DRIFT_CHECK_AGE,
        above=DRIFT_CHECK_DUE_DAYS,
        lasting="30m",
        severity="warning",
        summary="No drift check for over a day: nobody would notice that the league or the feed has changed.",
        description="""The number is the age of the newest check in days; no data: there was none yet. It is made
        every six hours, in summer too, and in a replay with every tick, by whose time it is judged: a replay that
        stands still is not stale. Launch `drift_analysis` in Dagster; what it says of too few matches is a reason to
        wait.""",
        absent="Alerting",
    ),
    Rule(
        uid="data-stale",
        title="Results are overdue",
        board="mlops-overview",
        question="How old is the newest result?",
        sql=f"WITH {OVERDUE} SELECT overdue FROM results",
        above=0,
        lasting="30m",
        severity="critical",
        summary="The newest Premier League result is older than the calendar allows: the source is dead, or not asked.",
        description=f"""The number is for how many days a result is overdue; no data: none is known, or nothing was
        ever forecast. A match that has kicked off is due after {RESULT_DUE.days} days, unless a later one has a
        result (it was postponed); within a season no break lasts over {LONGEST_BREAK.days} days; after a complete
        season nothing is due until 1 September. A replay is judged by its own time. See `results_are_fresh` and
        `matches` in Dagster.""",
        absent="Alerting",
    ),
    Rule(
        uid="daemon-dead",
        title="The daemon has stopped",
        board="mlops-system",
        question="For how long is the daemon silent?",
        sql=SILENT_FOR,
        above=DAEMON_SILENCE_SECONDS,
        lasting="2m",
        severity="critical",
        summary="Dagster's daemon gives no sign of life: nothing is scheduled, sensed or told.",
        description="""The number is the age of its newest heartbeat in seconds, by the clock in a replay too; no
        data: there never was one; an error: Dagster's database does not answer, and without it no daemon works. `make
        up` starts a daemon again that was killed: see whether it runs, and logs/daemon.log in the platform's home. To
        stop the platform for long, stop Grafana with it, or silence this alert.""",
        source=DAGSTER,
        absent="Alerting",
        failed="Alerting",
    ),
    Rule(
        uid="db-unreachable",
        title="Grafana cannot read the platform's tables",
        board="mlops-overview",
        question="What is wrong now?",
        sql=f"""
        SELECT count(*) AS unreadable FROM unnest(ARRAY{list(READ)}) relation
        WHERE NOT has_table_privilege(relation, 'SELECT')
        """,
        above=0,
        lasting="2m",
        severity="critical",
        summary="PostgreSQL does not answer, or the role grafana_reader may not read: every other alert is blind.",
        description="""The number is how many tables may not be read; an error: there is no answer, or a table is
        missing. Is PostgreSQL up, is its address in Grafana's data source right, does the role's password still hold?
        Starting the platform gives the role its grants again.""",
        absent="Alerting",
        failed="Alerting",
    ),
)

REMOVED: Final[Sequence[str]] = ()
"""uids of rules that were here once: Grafana keeps a rule that is merely gone from the file."""
