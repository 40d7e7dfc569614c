"""A record in which no two cells of a table are alike: decisions, scores, drift, alerts and fixtures, row by row.

Version 1 served from day 0 on, 2 from day 10, 10 from day 30; 3 was refused on day 20, and on day 35 version 2 was put
back. It is day 40. What is written is kept here, in the order of writing, for the tests to expect.
"""

from dataclasses import astuple
from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from pl_predictor.core.alerts import Changes, Condition, Level
from pl_predictor.core.features import build
from pl_predictor.core.promotion import Delta, Ruling, Windows
from pl_predictor.settings import MODEL_NAME, Settings
from pl_predictor.storage.alerts import AlertStorage
from pl_predictor.storage.matches import MatchStorage
from pl_predictor.storage.metrics import MetricsStorage
from pl_predictor.storage.retraining import Occasion, RetrainingStorage
from pl_predictor_tests.frames import fixture, forecast, matches, played
from pl_predictor_tests.grafana.grafana import Frame, answer, asked
from pl_predictor_tests.grafana.healthy import BEGAN, DAY, HOUR, NOW
from pl_predictor_tests.grafana.macros import View

Row = dict[str, Any]

SCORES: Final = (
    *("accuracy", "f1_weighted", "precision_weighted", "recall_weighted", "rps", "rps_market", "rps_skill"),
    *("log_loss", "log_loss_expected", "log_loss_skill", "log_loss_skill_recent", "log_loss_skill_expected_recent"),
)
LOOKS: Final = {"1": (5, 5.25, 13), "2": (9, 12, 12.25, 29.5, 36), "10": (25, 32), "3": (22, 38)}
"""The days on which each version was scored: some while it did not serve, some twice."""
COLUMNS: Final = ("p_home", "home_form", "result", "away_form", "p_away")
DRIFT: Final[tuple[tuple[str, float, tuple[str, ...]], ...]] = (
    ("1", 5, ()),
    ("2", 12, ("home_form",)),
    ("2", 29, ("home_form", "p_home")),
    ("2", 29.25, ("p_away", "result", "p_home")),
    ("10", 34, ("home_form",)),
)
"""The checks of drift, and which columns had drifted."""
ALERTS: Final = (
    (31, Condition("quality", Level.WARNING, "Accuracy fell", "48 % of 60", "run-w")),
    (32, Condition("run_failed:loop", Level.ERROR, "A run failed", "it broke", "run-e")),
    (33, Condition("source", Level.CRITICAL, "No answer", "for three days", "run-c")),
    (34, Condition("feed", Level.CRITICAL, "No fixtures", "none is published", "run-d")),
    (36, Condition("drift", Level.ERROR, "It is over", "and resolved", "run-r")),
)
"""In the order in which they were opened, and the day that each speaks of."""
LIKE: Final = ((0.2, 400), (0.6, 70))
"""About which mean and n the first difference of a decision is of past seasons, and the second of the live window."""
ODDS: Final[Row] = {"home_odds": 2.1, "draw_odds": 3.4, "away_odds": 5.2}
CLOSING: Final[Row] = {"closing_home_odds": 2.2, "closing_draw_odds": 3.3, "closing_away_odds": 5.1}
SHOTS: Final[Row] = {"home_shots": 12, "away_shots": 9}


def day(number: float) -> datetime:
    return BEGAN + DAY * number


class Record:
    """What was written, and what the boards show of it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings, self._engine = settings, engine
        self.metrics, self.matches = MetricsStorage(engine), MatchStorage(engine)
        self.decisions: list[Row] = []
        self.scores: list[Row] = []
        self.checks: list[Row] = []
        self.drift: list[Row] = []

    def write(self) -> "Record":
        """Write all of it."""
        self._decide()
        self._score()
        self._look_for_drift()
        self._warn()
        self._play()
        self._forecast()
        return self

    def served(self, version: str, at: datetime) -> bool:
        """Whether it was that version that served then."""
        who = [each["version"] for each in self.decisions if each["event"] != "refused" and each["moment"] <= at]
        return bool(who) and who[-1] == version

    def ask(self, board: str, title: str) -> Frame:
        """What comes back for a query of `mlops-<board>`, where all of it is looked at and version 2 is chosen."""
        chosen = {"model": MODEL_NAME, "version": "2", "metric": "log_loss"}
        return answer(self.settings, asked(title, f"mlops-{board}"), View(BEGAN - DAY, NOW + DAY, "1d", chosen))

    def rows(self, board: str, title: str) -> list[Row]:
        """Its rows, by column."""
        frame = self.ask(board, title)
        return [dict(zip(frame.names, row, strict=True)) for row in frame.rows]

    def lines(self, board: str, title: str) -> dict[tuple[float, str], float]:
        """Its points: the value by time and series."""
        return {(row["time"], row["metric"]): row["value"] for row in self.rows(board, title)}

    def _decide(self) -> None:
        storage = RetrainingStorage(self._engine)
        for number, (version, event, cause, when, found) in enumerate(
            (
                ("1", "promoted", "first", 0, ()),
                ("2", "promoted", "degradation", 10, (9, 8)),
                ("3", "refused", "drift", 20, (19,)),
                ("10", "promoted", "routine", 30, ()),
                ("2", "rolled_back", "by hand", 35, ()),
            )
        ):
            evidence = [
                {"check": "skill", "words": "it fell", "as_of": day(each).isoformat(), "run_id": "run-0"}
                for each in found
            ]
            why = Occasion(cause, f"reason {number}", day(when), True, "abc", f"run-{number}", evidence)
            champion = next((each["version"] for each in self.decisions[::-1] if each["event"] != "refused"), None)
            past, live = (Delta(mean + number / 100, mean - 0.1, mean + 0.3, n + number, 5) for mean, n in LIKE)
            if event == "rolled_back":
                assert champion is not None
                verdict = storage.keep_rollback(why, champion=champion, previous=version).verdict
                shown: tuple[Any, ...] = (None,) * 5
            else:
                verdict = f"verdict {number}"
                storage.keep(
                    Ruling(event == "promoted", "better", verdict),
                    why,
                    champion=champion,
                    challenger=version,
                    last_match=day(when),
                    windows=Windows(past, live, live),
                )
                shown = (*astuple(past)[:3], live.mean, live.n)
            row = {"moment": why.as_of, "event": event, "cause": cause, "version": version, "previous": champion}
            said = {"verdict": verdict, "reason": why.reason, "run": why.dagster_run_id}
            judged = dict(zip(("past seasons", "low", "high", "live", "n, live"), shown, strict=True))
            self.decisions.append({**row, **said, **judged, "found": [day(each) for each in found]})

    def _score(self) -> None:
        for version, days in LOOKS.items():
            for when in days:
                for metric in SCORES:
                    number = len(self.scores)
                    row: Row = {"version": version, "metric": metric, "as_of": day(when), "value": 0.1 + number / 1000}
                    self.scores.append({**row, "n": 100 + number})
        for row in self.scores:
            about: Row = {"as_of": row["as_of"], "model_version": row["version"], "metadata": {"n": row["n"]}}
            self.metrics.store_model_metric(row["metric"], row["value"], **about)

    def _look_for_drift(self) -> None:
        for number, (version, when, drifted) in enumerate(DRIFT):
            facts = {
                "n": 60 + number,
                "reference_n": 380 + number,
                "columns": 5 + number,
                "report": f"http://there/#/report {number}",
            }
            share = 0.1 + number / 10
            about: Row = {"as_of": day(when), "model_version": version}
            self.metrics.store_model_metric("drift_share", share, metadata=facts, **about)
            self.checks.append({"version": version, "as_of": day(when), "share": share, **facts})
            rows = []
            for at, name in enumerate(COLUMNS):
                score = (drifted.index(name) + 1) / 10_000 if name in drifted else 0.9 - at / 10
                effect = None if name == "result" else (number + 1) / 100 + at / 10
                judged = {"drifted": name in drifted, "threshold": 0.01 + at / 1000, "method": f"test {at}"}
                sizes = {"current_n": 70 + at, "reference_n": 390 + at}
                rows.append({"column_name": name, "score": score, "effect_size": effect, **judged, **sizes})
            self.metrics.store_drift(pd.DataFrame(rows), **about)
            self.drift += [{**row, "version": version, "as_of": day(when)} for row in rows]

    def _warn(self) -> None:
        storage = AlertStorage(self._engine)
        for when, condition in ALERTS:
            storage.apply(Changes(opened=(condition,)), day(when), replay=True)
        (over,) = (each for each in storage.open_alerts() if each.key == "drift")
        storage.apply(Changes(resolved=(over,)), NOW, replay=True)
        storage.failed(next(each for each in storage.open_alerts() if each.key == "feed"), "refused")
        storage.inform("promoted", "Version 10 serves", "it is better", as_of=NOW, replay=True)

    def _play(self) -> None:
        """In one week a match of four has no odds, two have no closing odds, three no shots; the last result is of day
        34, and one of day 36 is missing."""
        known = ({**CLOSING}, {**ODDS, **CLOSING, **SHOTS}, ODDS, ODDS)
        for number, has in enumerate(known):
            self._know(played(f"Played {number}", "Away", _said(day(3 + number / 4)), 1, 0, **has))
        self._know(played("Last", "Away", _said(day(34)), 0, 1, **ODDS, **CLOSING, **SHOTS))
        self._know(fixture("Overdue", "Away", _said(day(36))))

    def _forecast(self) -> None:
        """Of four fixtures of the next seven days version 2, which serves, has forecast the first, three times, two of
        them within a day, and version 10 the second, an hour later; a fifth fixture is farther off."""
        for hours in (10, 12, 30, 100, 200):
            self._know(fixture(f"In {hours} h", "Away", _said(NOW + HOUR * hours), **(ODDS if hours == 10 else {})))
        for ago, version, hours, p in (
            *((25, "2", 10, (0.3, 0.3, 0.4)), (20, "2", 10, (0.6, 0.25, 0.15)), (2, "2", 10, (0.55, 0.24, 0.21))),
            (1, "10", 12, (0.5, 0.3, 0.2)),
        ):
            said = forecast(f"In {hours} h", "Away", _said(NOW + HOUR * hours), p, **ODDS)
            self.metrics.store_predictions(
                pd.DataFrame([{**said, "information": "odds"}]),
                as_of=NOW - HOUR * ago,
                replay=True,
                model_version=version,
                code_version="abc",
                dagster_run_id=f"run {ago}",
            )
        known = self.matches.season(2023, "E0").head(1)
        self.matches.store_features(build(known), as_of=NOW, code_version="abc")

    def _know(self, row: Row) -> None:
        self.matches.store_matches(matches(row), "test")


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
