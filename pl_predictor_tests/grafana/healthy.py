"""A platform in good health at a moment of a replay, by the platform's own writers: the rules must keep quiet of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice, permutations
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import Engine

from pl_predictor.core.features import build
from pl_predictor.core.promotion import Ruling, Windows
from pl_predictor.services.environment import exported, make_home
from pl_predictor.settings import Settings
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.connection import open_engine
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor.storage.retraining import Occasion, RetrainingStorage
from pl_predictor_tests.frames import fixture, forecast, played
from pl_predictor_tests.grafana.world import World
from pl_predictor_tests.storage import ledgers

NOW = ledgers.AFTER
BEGAN = NOW - timedelta(days=40)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ODDS: dict[str, Any] = {"home_odds": 2.0, "draw_odds": 3.5, "away_odds": 4.0}
"""Of which the home win is the favourite."""
TEAMS = ("Arsenal", "Brentford", "Burnley", "Everton", "Leeds", "Luton", "Palace", "Wolves")
PAIRS = list(islice(permutations(TEAMS, 2), 54))
"""Matches that were played: a few more than the smallest sample that decides anything."""
EACH = range(len(PAIRS))


class Platform:
    """What a platform has written down, and how it goes on. settings: with which Grafana reads it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings: Settings = world.settings
        self.engine: Engine = open_engine(self.settings.database_url(self.settings.postgres_db))
        self.metrics, self.matches = MetricsStorage(self.engine), MatchStorage(self.engine)

    def in_good_health(self) -> None:
        """A champion, forecasts that came true, the next one, a bet won, drift checked, a run that succeeded.

        A daemon's sign of life does not last: it is the test's.
        """
        self.begin()
        self.forecast_all((0.5, 0.3, 0.2), BEGAN)
        self.score(0.97, at_least=0.9, expected=0.98)
        self.bet_on("Chelsea", "Fulham", ledgers.KICKOFF, as_of=ledgers.BEFORE, stake=50.0, bankroll=1000.0)
        ledgers.know(self.engine, played("Chelsea", "Fulham", ledgers.KICKOFF, 1, 0))
        ledgers.settle(self.engine)
        self.next_match("Leicester", "Norwich", NOW + 20 * HOUR)
        self.live(NOW)
        self.world.run("steady")

    def begin(self) -> None:
        """Version 1 serves, and matches were played, all of which the home team won."""
        ledgers.know(self.engine, *(played(*pair, _kickoff(k), 1, 0, **ODDS) for k, pair in enumerate(PAIRS)))
        self.serve(BEGAN)

    def serve(self, as_of: datetime, *, replay: bool = True) -> None:
        """Version 1 serves from then on."""
        occasion = Occasion("first", "nobody serves", as_of, replay, "abc", "run-1")
        verdict = Ruling(True, "first", "the first")
        RetrainingStorage(self.engine).keep(
            verdict, occasion, champion=None, challenger="1", last_match=as_of, windows=Windows()
        )

    def forecast_all(
        self, p: tuple[float, float, float], as_of: datetime, of: Sequence[int] = range(len(PAIRS))
    ) -> None:
        """Forecasts of version 1 of these matches that were played, with their results."""
        rows = pd.DataFrame([forecast(*PAIRS[k], _kickoff(k), p, **ODDS) for k in of])
        self.metrics.store_predictions(rows, as_of=as_of, replay=True, model_version="1", code_version="abc")
        self.metrics.settle(rows[["season", "home_team", "away_team"]].assign(result="H"))

    def score(
        self,
        log_loss: float,
        *,
        at_least: float | None,
        expected: float,
        n: int = len(PAIRS),
        as_of: datetime = NOW,
        version: str = "1",
    ) -> None:
        """The scores of a version. at_least: the bound that holds at every look."""
        facts = {"n": n, **({} if at_least is None else {"anytime_low": at_least})}
        for metric, value in (("log_loss", log_loss), ("log_loss_expected", expected)):
            self.metrics.store_model_metric(metric, value, as_of=as_of, model_version=version, metadata=facts)

    def drift(self, share: float, as_of: datetime = NOW, n: int = 100, version: str = "1") -> None:
        """A check of drift."""
        facts = {"n": n, "reference_n": 380, "columns": 13, "report": "http://127.0.0.1"}
        self.metrics.store_model_metric("drift_share", share, as_of=as_of, model_version=version, metadata=facts)

    def pass_to(self, as_of: datetime) -> None:
        """The replay lives this moment, as far as its features."""
        known = self.matches.season(2023, "E0").head(1)
        self.matches.store_features(build(known), as_of=as_of, code_version="abc")

    def live(self, as_of: datetime) -> None:
        """The replay lives this moment, and checks drift."""
        self.pass_to(as_of)
        self.drift(0.1, as_of)

    def next_match(self, home: str, away: str, kickoff: datetime, *, as_of: datetime = NOW, replay: bool = True) -> int:
        """A match to come and its forecast; the forecast's number."""
        self.listed(home, away, kickoff)
        return ledgers.seal(self.engine, home, away, f"{kickoff:%Y-%m-%d %H:%M:%S}", as_of=as_of, replay=replay)

    def listed(self, home: str, away: str, kickoff: datetime) -> None:
        """A match to come."""
        ledgers.know(self.engine, fixture(home, away, f"{kickoff:%Y-%m-%d %H:%M:%S}", **ledgers.PRICES))

    def bet_on(self, home: str, away: str, kickoff: str, *, as_of: datetime, **money: Any) -> None:
        """A match to come, its forecast, and a bet on the home win."""
        moment = pd.Timestamp(kickoff, tz="UTC")
        number = self.next_match(home, away, moment.to_pydatetime(), as_of=as_of)
        row = ledgers.bet("H", home, away, kickoff=moment, forecast_id=number, **money)
        assert ledgers.take(BetStorage(self.engine), row, as_of=as_of) == 1


@contextmanager
def lived(settings: Settings) -> Iterator[Platform]:
    """The platform of these settings, whose databases are there, with its Dagster instance."""
    with exported(settings):
        make_home(settings)
        with dg.DagsterInstance.get() as instance:
            platform = Platform(World(settings, instance))
            yield platform
            platform.engine.dispose()


def _kickoff(number: int) -> str:
    """Three matches a day from the beginning on."""
    return f"{BEGAN + DAY * (1 + number // 3):%Y-%m-%d 15:00}"
