"""A small season, written by the platform's own writers, with all that makes counting hard.

Each match is forecast several times by two versions. The last forecast of one match comes after its kick-off, which was
moved forward; another match is put off, so that the bet on it is void; at one moment later code forecasts again; some
matches have no odds, the last round has no results, and the first forecast of all was made live. The clocks of the
United Kingdom go back a day after its end: seven and ten days later, fixtures are an hour nearer or farther by them.
"""

from datetime import datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from pl_predictor.core import betting
from pl_predictor.core.betting_scores import blind_scores, ledger_scores
from pl_predictor.core.evidence import evidence
from pl_predictor.core.features import MARKET, TARGETS
from pl_predictor.core.market import implied_probabilities
from pl_predictor.core.matches import CLOSING_ODDS, KEY, MAX_ODDS, PRE_MATCH_ODDS
from pl_predictor.core.promotion import Ruling, Windows
from pl_predictor.core.settlement import official_forecasts
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.bets import BetStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import EARLIEST, MetricsStorage
from pl_predictor.storage.retraining import Occasion, RetrainingStorage
from pl_predictor_tests.bench.many_matches import many_matches
from pl_predictor_tests.core.paper_bets import STAKING
from pl_predictor_tests.frames import fixture, forecast, matches
from pl_predictor_tests.grafana.grafana import Frame, answer, asked
from pl_predictor_tests.grafana.macros import View

VERSIONS: Final = ("1", "2")
BEFORE: Final = (timedelta(hours=50), timedelta(hours=20), timedelta(hours=1))
"""How long before a round each version forecasts it."""
PUT_OFF, FORWARD = 3, 9
"""Which match, in the order of the kick-offs, is put off by ten days, and which is moved forward by three hours."""
MATCHES, SEASON = list(KEY), 2023


class Season:
    """The season as it happened (`games`, a match frame), and what the platform wrote of it. scored_at: when last."""

    scored_at: datetime

    def __init__(self, engine: Engine, *, teams: int = 8) -> None:
        games = many_matches(1, teams, first=SEASON)
        games = games.sort_values(["kickoff", "home_team"], ignore_index=True)
        games["kickoff"] -= timedelta(days=7)
        self._rng = np.random.default_rng(8)
        for names, times in ((MAX_ODDS, 1.1), (CLOSING_ODDS, self._rng.uniform(0.93, 1.07, (len(games), 3)))):
            games[list(names)] = games[list(PRE_MATCH_ODDS)].to_numpy() * times
        games.loc[games.index % 9 == 1, [*PRE_MATCH_ODDS, *MAX_ODDS, *CLOSING_ODDS]] = np.nan
        self.games, self.rounds = games, np.arange(len(games)) // (teams // 2)
        self.matches, self.metrics, self.bets = MatchStorage(engine), MetricsStorage(engine), BetStorage(engine)
        self.events = RetrainingStorage(engine)
        self.end = games["kickoff"].max().to_pydatetime() + timedelta(hours=72)

    def write(self) -> "Season":
        """Live it."""
        self._live_forecast()
        self.matches.store_matches(_to_come(self.games), "test")
        self._decide()
        for number in range(self.rounds.max() + 1):
            self._round(number)
        self._coming()
        self._features()
        return self

    def known(self) -> pd.DataFrame:
        """All that the tables say of its matches."""
        return self.matches.season(SEASON, "E0")

    def official(self, version: str) -> pd.DataFrame:
        """The official forecasts of a version, by core.settlement."""
        made = self.metrics.get_predictions_by_date_range(EARLIEST, self.end, model_version=version, replay=True)
        return official_forecasts(made, self.known())

    def settled_bets(self) -> pd.DataFrame:
        """The settled bets in the order in which they were."""
        ledger = self.bets.ledger(replay=True)
        return ledger[ledger["settlement"].notna()].sort_values(["settled_at", "kickoff", "home_team"], kind="stable")

    def view(self, interval: str = "1d") -> View:
        """One looks at all of it."""
        chosen = {"model": MODEL_NAME, "version": "1", "metric": "log_loss"}
        return View(self.end - timedelta(days=365), self.end + timedelta(days=30), interval, chosen)

    def _round(self, number: int) -> None:
        mine = self.games[self.rounds == number]
        first = mine["kickoff"].min().to_pydatetime()
        for ahead in BEFORE:
            self._forecast(mine, first - ahead)
        if self._at(PUT_OFF) == number:
            self._move(PUT_OFF, timedelta(days=10))
            self._forecast(self.games[self.games.index == PUT_OFF], first + timedelta(days=9))
        if self._at(FORWARD) == number:
            self._move(FORWARD, -timedelta(hours=3))
        played = self.games[self.rounds <= number] if number < self.rounds.max() else self.games.iloc[:0]
        self.matches.store_matches(played, "test")
        self._settle(mine["kickoff"].max().to_pydatetime() + timedelta(hours=60), scored=number % 4 == 1)

    def _at(self, match: int) -> int:
        return int(self.rounds[match])

    def _move(self, match: int, by: timedelta) -> None:
        kickoffs = self.games["kickoff"].tolist()
        kickoffs[match] += by
        self.games["kickoff"] = pd.DatetimeIndex(kickoffs)
        self.matches.store_matches(_to_come(self.games.loc[[match]]), "test")

    def _forecast(self, games: pd.DataFrame, as_of: datetime) -> None:
        for version in VERSIONS:
            for code in ("abc", "def") if as_of.day == games["kickoff"].min().day else ("abc",):
                self.metrics.store_predictions(
                    self._probabilities(games),
                    as_of=as_of,
                    replay=True,
                    model_version=version,
                    code_version=code,
                    dagster_run_id="run-1",
                )
        self._bet(as_of)

    def _probabilities(self, games: pd.DataFrame) -> pd.DataFrame:
        """Forecasts about the market's, as a forecast frame."""
        market = implied_probabilities(games[list(PRE_MATCH_ODDS)].to_numpy(dtype=np.float64))
        p = np.where(np.isnan(market), 1 / 3, market) * self._rng.uniform(0.7, 1.3, market.shape)
        p /= p.sum(axis=1, keepdims=True)
        rows = []
        for (_, game), (home, draw, away) in zip(games.iterrows(), p, strict=True):
            odds: dict[str, Any] = {name: game[name] if pd.notna(game[name]) else None for name in PRE_MATCH_ODDS}
            said = forecast(game["home_team"], game["away_team"], "2023-08-01", (home, draw, away), **odds)
            rows.append({**said, "kickoff": game["kickoff"], "information": "odds" if odds["home_odds"] else "no_odds"})
        return pd.DataFrame(rows)

    def _bet(self, as_of: datetime) -> None:
        made = self.metrics.get_predictions_by_date_range(as_of, as_of, model_version="1", replay=True)
        made = made.drop_duplicates(MATCHES)
        worth = betting.edges(made, self.known(), STAKING)
        about: dict[str, Any] = {
            "as_of": as_of,
            "replay": True,
            "model_version": "1",
            "code_version": "abc",
            "dagster_run_id": "run-1",
        }
        self.bets.replace_edges(worth, prices="best", **about)
        bets = betting.take(worth, betting.book(self.bets.ledger(replay=True), STAKING), STAKING)
        if len(bets):
            bets = bets.merge(made[[*KEY, "id"]], on=MATCHES).rename(columns={"id": "forecast_id"})
            self.bets.take(bets.assign(prices="best", starting_bankroll=STAKING.bankroll), **about)

    def _settle(self, as_of: datetime, *, scored: bool) -> None:
        known = self.known()
        self.metrics.settle(known[known["result"].notna()])
        ledger = self.bets.ledger(replay=True)
        open_bets = ledger[ledger["settlement"].isna() & (ledger["as_of"] < as_of)]
        bankroll = betting.book(ledger, STAKING).bankroll
        self.bets.settle(betting.settle(open_bets, known, as_of, bankroll), settled_at=as_of)
        if scored:
            self._score(known, as_of)

    def _score(self, known: pd.DataFrame, as_of: datetime) -> None:
        self.scored_at = as_of
        for version in VERSIONS:
            official = self.official(version)
            found = evidence(official[official["result"].notna()], window=380, skill_window=80, false_alarm_rate=0.05)
            rows = [{"metric_type": each.metric, "value": each.value, "metadata": each.facts} for each in found]
            self.metrics.store_model_metrics(pd.DataFrame(rows), as_of=as_of, model_version=version)
        bets = self.settled_bets()
        blind = blind_scores(known.merge(bets.loc[bets["settlement"] != "void", [*KEY, "outcome"]], on=MATCHES))
        scores = ledger_scores(bets, known, as_of, began_with=STAKING.bankroll)
        about: dict[str, Any] = {"as_of": as_of, "replay": True, "code_version": "abc", "dagster_run_id": "run-1"}
        self.bets.store_scores(pd.concat([scores, blind], ignore_index=True), **about)

    def _decide(self) -> None:
        begin = self.games["kickoff"].min().to_pydatetime() - timedelta(days=7)
        for version, champion, promoted in (("1", None, True), ("2", "1", False)):
            self.events.keep(
                Ruling(promoted, "first", "as the interval says"),
                Occasion("first", "no model could serve", begin, True, "abc", "run-1"),
                champion=champion,
                challenger=version,
                last_match=begin,
                windows=Windows(),
            )

    def _live_forecast(self) -> None:
        """Of a match to come, as the database's clock says: it has no part in what is replayed."""
        now = datetime.now(timezone.utc)
        said = f"{now + timedelta(days=2):%Y-%m-%d %H:%M}"
        self.matches.store_matches(matches(fixture("Live", "Now", said, season=now.year)), "test")
        rows = pd.DataFrame([forecast("Live", "Now", said, season=now.year)])
        self.metrics.store_predictions(rows, as_of=now, replay=False, model_version="1", code_version="abc")

    def _coming(self) -> None:
        """Fixtures half an hour before and after the next 7 and 10 days are over; the first one is forecast.

        The first two have odds, of which the edges tell, and of the last round, which has kicked off meanwhile.
        """
        odds: dict[str, Any] = dict(zip((*PRE_MATCH_ODDS, *MAX_ODDS), (1.5, 4.5, 7.0, 1.6, 4.8, 7.5), strict=True))
        rows = [
            fixture(f"Coming {hours}", "Away", f"{self.end + timedelta(hours=hours):%Y-%m-%d %H:%M}", **known)
            for hours, known in ((167.5, odds), (168.5, odds), (239.5, {}), (240.5, {}))
        ]
        coming = matches(*rows)
        self.matches.store_matches(coming, "test")
        self.metrics.store_predictions(
            self._probabilities(coming.iloc[:1]),
            as_of=self.end - timedelta(hours=24),
            replay=True,
            model_version="1",
            code_version="abc",
        )

        made = self._probabilities(pd.concat([self.games[self.rounds == self.rounds.max()], coming.iloc[:3]]))
        self.bets.replace_edges(
            betting.edges(made, self.known(), STAKING),
            prices="best",
            as_of=self.end - timedelta(hours=24),
            replay=True,
            model_version="1",
            code_version="abc",
            dagster_run_id="run-1",
        )

    def _features(self) -> None:
        known = self.known()
        unknown = dict.fromkeys(MARKET, np.nan)
        frame = known[[*KEY, "kickoff", *TARGETS]].assign(**unknown, home_rest=7.0)
        self.matches.store_features(frame, as_of=self.end, code_version="abc")


def _to_come(games: pd.DataFrame) -> pd.DataFrame:
    """The match frame as it is before the matches are played."""
    unknown: dict[str, Any] = {"result": None, "home_goals": pd.NA, "away_goals": pd.NA}
    return games.assign(**unknown)


class World:
    """Such a season, and what the boards show of it."""

    def __init__(self, settings: Settings, season: Season) -> None:
        self.settings, self.season = settings, season

    def ask(self, board: str, title: str, interval: str = "1d") -> Frame:
        """What comes back for a panel of `mlops-<board>`."""
        return answer(self.settings, asked(title, f"mlops-{board}"), self.season.view(interval))

    def row(self, board: str, title: str) -> dict[str, Any]:
        """The one row of it, by column."""
        frame = self.ask(board, title)
        (row,) = frame.rows
        return dict(zip(frame.names, row, strict=True))
