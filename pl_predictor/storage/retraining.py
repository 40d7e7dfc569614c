"""`retraining_events`: who was to serve and why, a row a decision; and what a decision about a training rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import pandas as pd
from sqlalchemy import Engine, func, select, true
from sqlalchemy.dialects.postgresql import insert

from pl_predictor import tables
from pl_predictor.core.feed_contract import teams_in
from pl_predictor.core.promotion import Ruling, Windows
from pl_predictor.core.retraining import History, Serving
from pl_predictor.storage.connection import read

Event = Literal["promoted", "refused", "rolled_back"]
VERDICTS: Final[tuple[Event, ...]] = ("promoted", "refused")
EVENTS: Final[tuple[Event, ...]] = (*VERDICTS, "rolled_back")
TABLE = tables.retraining_events


@dataclass(frozen=True)
class Decided:
    """A decision as the table has it."""

    event: Event
    reason: str
    verdict: str
    champion_version: str | None
    challenger_version: str
    as_of: datetime
    last_match: datetime | None

    @property
    def promoted(self) -> bool:
        """True if the challenger was to serve from then on."""
        return self.event == "promoted"


@dataclass(frozen=True)
class Occasion:
    """Why there was something to decide, at which moment, and the run that decided. evidence: as
    core.retraining.Finding.as_document gives it."""

    cause: str
    reason: str
    as_of: datetime
    replay: bool
    code_version: str
    dagster_run_id: str
    evidence: Sequence[Mapping[str, str]] = ()


class RetrainingStorage:
    """Writes decisions, once each, and reads what the next one needs to know."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(
        self,
        verdict: Ruling,
        occasion: Occasion,
        *,
        champion: str | None,
        challenger: str,
        last_match: datetime,
        windows: Windows,
    ) -> Decided:
        """Record the gate's verdict on a challenger; returns what stands: an earlier verdict on it, if there is one."""
        row = {
            "event": "promoted" if verdict.promoted else "refused",
            "rule": verdict.rule,
            "verdict": verdict.words,
            "champion_version": champion,
            "challenger_version": challenger,
            "last_match": last_match,
            **{
                f"{name}_{column}": getattr(delta, field) if delta is not None else None
                for name, delta in vars(windows).items()
                for column, field in (("delta", "mean"), ("low", "low"), ("high", "high"), ("n", "n"))
            },
        }
        self._insert(row, occasion)
        decided = self.decision(challenger)
        assert decided is not None, "a row that is refused for a conflict is there"
        return decided

    def keep_rollback(self, occasion: Occasion, *, champion: str, previous: str) -> Decided:
        """Record that `previous` is put back in the place of `champion`."""
        verdict = f"version {previous} serves again in the place of version {champion}: {occasion.reason}"
        row = {"event": "rolled_back", "verdict": verdict, "champion_version": champion, "challenger_version": previous}
        self._insert(row, occasion)
        return Decided("rolled_back", occasion.reason, verdict, champion, previous, occasion.as_of, None)

    def _insert(self, row: dict[str, Any], occasion: Occasion) -> None:
        why = {
            "cause": occasion.cause,
            "reason": occasion.reason,
            "as_of": occasion.as_of,
            "replay": occasion.replay,
            "code_version": occasion.code_version,
            "dagster_run_id": occasion.dagster_run_id,
            "evidence": list(map(dict, occasion.evidence)),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(TABLE).values(**row, **why).on_conflict_do_nothing())

    def decision(self, version: str) -> Decided | None:
        """The gate's verdict on a version; None before there is one."""
        return self._newest(TABLE.c.challenger_version == version)

    def champion(self, as_of: datetime | None = None) -> str | None:
        """The version that served at `as_of`, or by the newest decision, by the record; None before the first."""
        query = (
            select(TABLE.c.challenger_version)
            .where(TABLE.c.event.in_(("promoted", "rolled_back")), true() if as_of is None else TABLE.c.as_of <= as_of)
            .order_by(TABLE.c.id.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def newest(self, as_of: datetime | None = None) -> Decided | None:
        """The newest decision, a rollback included; with `as_of` the newest of those at that moment."""
        return self._newest(true() if as_of is None else TABLE.c.as_of <= as_of, TABLE.c.id.desc(), events=EVENTS)

    def last_training(self, as_of: datetime) -> Decided | None:
        """The gate's newest verdict at `as_of`, on whatever version."""
        return self._newest(TABLE.c.as_of <= as_of, TABLE.c.as_of.desc(), TABLE.c.id.desc())

    def _newest(self, condition: Any, *order: Any, events: Sequence[Event] = VERDICTS) -> Decided | None:
        names = ("event", "reason", "verdict", "champion_version", "challenger_version", "as_of", "last_match")
        query = (
            select(*(TABLE.c[name] for name in names))
            .where(TABLE.c.event.in_(events), condition)
            .order_by(*order)
            .limit(1)
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else Decided(**found._mapping)

    def history(self, as_of: datetime, champion: Serving | None, *, training: bool) -> History:
        """What a decision at `as_of` rests on. champion: who serves then; training: a run trains already."""
        decided, trained = self.newest(as_of), self.last_training(as_of)
        seen = None if champion is None else champion.last_match
        return History(
            champion=None if champion is None else champion.version,
            last_decision=None if decided is None else decided.as_of,
            new_results=self._results_after(seen if trained is None else trained.last_match, as_of),
            unseen=self._results_after(seen, as_of),
            training=training,
            close_season=self._season_is_over(as_of),
        )

    def _results_after(self, last_match: datetime | None, as_of: datetime) -> int:
        table = tables.matches
        query = select(func.count()).where(
            table.c.division == "E0", table.c.result.is_not(None), table.c.kickoff <= as_of
        )
        if last_match is not None:
            query = query.where(table.c.kickoff > last_match)
        with self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def _season_is_over(self, as_of: datetime) -> bool:
        """True from the last result of a season until the first kick-off of the next."""
        table = tables.matches
        begun = select(func.max(table.c.season)).where(table.c.division == "E0", table.c.kickoff <= as_of)
        with self._engine.connect() as connection:
            season = connection.scalar(begun)
            if season is None:
                return False
            played = select(func.count()).where(
                table.c.division == "E0",
                table.c.season == season,
                table.c.result.is_not(None),
                table.c.kickoff <= as_of,
            )
            teams = teams_in(season, "E0")
            return int(connection.scalar(played) or 0) >= teams * (teams - 1)

    def events(self) -> pd.DataFrame:
        """Every decision, oldest first (columns of the table)."""
        with self._engine.connect() as connection:
            return read(connection, select(TABLE).order_by(TABLE.c.id))
