"""A season of the snapshot lived again under the servers of `pl-predictor up`, and what the tables say then."""

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import text

from pl_predictor.services.environment import at
from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.settings import Settings
from pl_predictor.storage.connection import open_engine
from pl_predictor_tests.bench.terminal import NotMeasured, opened
from pl_predictor_tests.integration.platform import COMMAND, environment

# An hour after the odds of a round are known.
BEFORE, FIRST, LAST = "2023-08-04T20:00", "2023-08-11T20:00", "2024-05-24T20:00"
STAYS = "Stays until Ctrl-C"
FORECAST_IN_TIME = """
    SELECT count(DISTINCT (season, home_team, away_team)) AS n FROM model_predictions
    WHERE season = 2023 AND as_of < kickoff
"""
SETTLED = f"{FORECAST_IN_TIME} AND actual_result IS NOT NULL"
FAILED = "SELECT count(*) AS n FROM runs WHERE status <> 'SUCCESS'"
EVENTS = "SELECT as_of, cause, event, challenger_version, verdict FROM retraining_events ORDER BY id"
BETS = "SELECT settlement, stake::float8 AS stake, profit::float8 AS profit FROM bets ORDER BY id"
TICKS = """
    SELECT r.run_id, extract(epoch FROM r.create_timestamp) AS created, r.end_time FROM runs r
    JOIN run_tags t USING (run_id) WHERE t.key = 'pl_predictor/replay' AND r.pipeline_name = 'loop' ORDER BY created
"""


@dataclass(frozen=True)
class Lived:
    """What a season left behind. ticks: seconds of each, from its launch to the next launch. bets: how many were taken
    and settled, units staked and won."""

    seconds: float
    ticks: list[float]
    forecast_in_time: int
    settled: int
    failed_runs: int
    events: list[dict[str, str]]
    bets: dict[str, float]


def live(folder: Path, *, first: str = FIRST, last: str = LAST) -> Lived:
    """Live 2023/24 under the daemon in an empty home."""
    env = {**environment(folder / "home"), "PL_AS_OF": BEFORE}
    with opened([*COMMAND, "up"], env) as servers:
        servers.line(STAYS)
        began = time.perf_counter()
        if subprocess.run([*COMMAND, "replay", "--first", first, "--last", last], env=env, check=False).returncode:
            raise NotMeasured("the replay failed, see above")
        seconds = time.perf_counter() - began
        created = _rows(env, TICKS, "dagster_db")["created"].astype(float)
        events, bets = _rows(env, EVENTS, "postgres_db"), _rows(env, BETS, "postgres_db")
        return Lived(
            seconds=seconds,
            ticks=[float(gap) for gap in created.diff().dropna()],
            forecast_in_time=_count(env, FORECAST_IN_TIME, "postgres_db"),
            settled=_count(env, SETTLED, "postgres_db"),
            failed_runs=_count(env, FAILED, "dagster_db"),
            events=json.loads(events.assign(as_of=events["as_of"].astype(str)).to_json(orient="records")),
            bets={
                "taken": len(bets),
                "settled": int(bets["settlement"].notna().sum()),
                "turnover": round(float(bets["stake"].sum()), 2),
                "profit": round(float(bets["profit"].sum()), 2),
            },
        )


def _count(env: Mapping[str, str], query: str, database: str) -> int:
    return int(_rows(env, query, database)["n"].sum())


def _rows(env: Mapping[str, str], query: str, database: str) -> pd.DataFrame:
    settings = Settings(PL_HOME=Path(env["PL_HOME"]), PL_POSTGRES_PORT=int(env["PL_POSTGRES_PORT"]))
    address = PostgresServer(settings.home, port=settings.embedded_postgres_port).running()
    if address is None:
        raise NotMeasured("the embedded PostgreSQL does not run")
    settings = at(settings, address)
    engine = open_engine(settings.database_url(getattr(settings, database)))
    with engine.connect() as connection:
        found = pd.read_sql(text(query), connection)
    engine.dispose()
    return found
