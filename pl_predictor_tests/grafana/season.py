"""A few weeks of 2023/24 lived by the platform itself, with bets and a retraining: what the boards are tried on."""

from datetime import datetime, timedelta, timezone

from pydantic import SecretStr

from pl_predictor.core.alerts import Changes, Condition, Level
from pl_predictor.services.grafana_reader import provide
from pl_predictor.settings import MODEL_NAME, Settings, parse_as_of
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.connection import opened
from pl_predictor_tests.grafana.grafana import PASSWORD
from pl_predictor_tests.grafana.macros import View
from pl_predictor_tests.integration.platform import run, using

# An hour after the odds of a round are known.
FIRST, LAST = parse_as_of("2023-12-15T20:00"), parse_as_of("2023-12-29T20:00")
CHOSEN = {"model": MODEL_NAME, "version": "1", "metric": "log_loss"}
EVERYTHING = View(FIRST - timedelta(days=365), datetime(2030, 1, 1, tzinfo=timezone.utc), "1d", CHOSEN)
POLICY = {
    # Some columns have drifted at the end of 2023: none may, so that there is a retraining.
    **{"PL_MAX_DRIFT_SHARE": "0", "PL_RETRAINING_COOLDOWN_DAYS": "14", "PL_MIN_NEW_RESULTS": "10"},
    # The forecasts follow the odds so closely that hardly an outcome has the value that a bet needs by default.
    **{"PL_MIN_EDGE": "0.0001", "PL_MIN_CONFIDENCE": "0"},
}
ALERTS = (
    Condition("source", Level.CRITICAL, "The source of matches is dead or broken", "no answer"),
    Condition("check_failed:drift_report", Level.WARNING, "drift: failed", "2 of 13 columns drifted", "run-1"),
)


def live(settings: Settings) -> Settings:
    """Live the weeks in the databases of `settings`, with two alerts at the end; the settings, readable for Grafana."""
    weeks = ("--first", FIRST.isoformat(), "--last", LAST.isoformat())
    # In a process of its own: libraries that are used to train warn, which is an error in a test's.
    said = run("replay", "--in-process", *weeks, env={**using(settings), **POLICY})
    assert said.returncode == 0, said.stderr
    with opened(settings.database_url(settings.postgres_db)) as engine:
        AlertStorage(engine).apply(Changes(opened=ALERTS), LAST, replay=True)
    return readable(settings)


def readable(settings: Settings) -> Settings:
    """The settings, whose databases Grafana may read with PASSWORD."""
    settings = settings.model_copy(update={"grafana_password": SecretStr(PASSWORD)})
    assert provide(settings) is None
    return settings
