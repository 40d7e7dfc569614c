"""What is measured, each in an empty folder of its own, and the limits. How the figures are shown is __main__'s."""

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import psutil

from pl_predictor.core.scoring import Score
from pl_predictor.services.supervisor import marked
from pl_predictor.settings import PROJECT
from pl_predictor.sources.layout import season_folder
from pl_predictor_tests.bench.loops import equal_promoted, not_recovered
from pl_predictor_tests.bench.quality import against_bet365, matches_played
from pl_predictor_tests.bench.replay import live
from pl_predictor_tests.bench.terminal import NotMeasured, embedded_server, opened, progress
from pl_predictor_tests.bench.verdicts import false_alarms, missed_changes
from pl_predictor_tests.football_data import mirror
from pl_predictor_tests.integration.platform import COMMAND, environment
from pl_predictor_tests.sources.made_up import content, season_lines

QUALITY: Mapping[str, tuple[float, float]] = {
    "backtest_s": (120, 40),
    "rps_no_odds_over_bet365": (1.017, 1.012),
    "rps_odds_over_bet365": (1.0005, 1.0),
    "share_wrong_odds": (0.46, 0.45),
    "f1_shortfall_odds": (0.50, 0.49),
    **{
        f"slope_off_{outcome}_{odds}": (0.1, 0.05)
        for odds in ("odds", "no_odds")
        for outcome in ("home", "draw", "away")
    },
    "matches_without_forecast": (0, 0),
}
REPLAY: Mapping[str, tuple[float, float]] = {
    "replay_tick_s": (15, 8),
    "replay_matches_without_forecast": (0, 0),
    "replay_matches_unsettled": (0, 0),
    "replay_failed_runs": (0, 0),
}
LIMITS: Mapping[str, tuple[float, float]] = {
    "fresh_clone_to_forecasts_s": (240, 120),
    "of_that_after_installation_s": (75, 40),
    "second_up_s": (45, 20),
    "run_warm_s": (25, 12),
    "run_new_moment_s": (25, 12),
    "import_definitions_s": (2.5, 2),
    "heavy_modules_imported": (0, 0),
    "memory_mb": (2048, 1228),
    "first_ingest_s": (25, 15),
    "first_ingest_mb": (600, 300),
    "unchanged_ingest_s": (3, 1),
    "unchanged_ingest_rows_written": (0, 0),
    "million_matches_slowdown": (1.3, 1.1),
    "million_matches_mb": (1000, 600),
    "features_12000_s": (1, 1),
    "features_million_s": (90, 90),
    "features_million_mb": (4096, 4096),
    "features_million_linear": (1.25, 1.25),
    **QUALITY,
    **REPLAY,
    "false_alarm_share_of_seasons": (0.05, 0.05),
    "missed_changes_share": (0.10, 0.05),
    "not_recovered_share": (0.10, 0.05),
    "equal_promoted_share": (0.05, 0.02),
    "dashboard_query_ms": (200, 100),
}
"""The most that each figure must be, and is aimed to be."""

FORECASTS, STAYS = "Forecasts of", "Stays until Ctrl-C"
LATER = ("2023-12-30T20:00", "2023-12-31T20:00", "2024-01-01T20:00")
HEAVY = ("mlflow", "evidently", "sklearn", "matplotlib")
IMPORT = (
    "import json, sys, time; began = time.perf_counter(); import pl_predictor.definitions; "
    f"print(json.dumps([time.perf_counter() - began, [name for name in {HEAVY} if name in sys.modules]]))"
)


class Record(Protocol):
    """Takes a figure as soon as it is known; `details` say more about it."""

    def __call__(self, name: str, value: float, **details: object) -> None: ...


Benchmark = Callable[[Path, Record], None]


def clone(folder: Path, record: Record) -> None:
    """From `git clone` to forecasts, with every cache of a package manager empty; and once more after Ctrl-C.

    What is not committed is not measured: the commit's name then ends with `-dirty`.
    """
    checkout, home = folder / "clone", folder / "clone" / ".pl_predictor"
    inherited = environment(home).items()
    caches = {name: str(folder / name) for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR", "MPLCONFIGDIR")}
    # `make bench` is a make too, whose variables are not for this one.
    env = {**{k: v for k, v in inherited if not k.startswith(("MAKE", "MFLAGS"))}, **caches}
    _, commit = _finished(["git", "describe", "--always", "--dirty", "--abbrev=12"], env)
    cloning, _ = _finished(["git", "clone", "--quiet", str(PROJECT), str(checkout)], env, folder)
    installing, _ = _finished(["make", "setup"], env, checkout)
    with opened(["make", "up"], env, checkout) as first:
        starting = first.line(FORECASTS)
        record("fresh_clone_to_forecasts_s", cloning + installing + starting, commit=commit)
        record("of_that_after_installation_s", starting, installation_s=round(installing, 2))
        first.line(STAYS)
    with opened(["make", "up"], env, checkout) as second:
        answers = second.answer(f"http://127.0.0.1:{env['PL_DAGSTER_PORT']}/server_info")
        forecasts = second.line(FORECASTS)
        details = {"ui_answers_s": round(answers, 2), "forecasts_s": round(forecasts, 2)}
        record("second_up_s", max(answers, forecasts), **details)


def run(folder: Path, record: Record) -> None:
    """`pl-predictor run` where it ran before. It starts and stops PostgreSQL each time: nothing else runs."""
    env = environment(folder / "home")
    first, _ = _finished([*COMMAND, "run"], env)
    record("run_warm_s", _median([[*COMMAND, "run"]] * 3, env), first_run_s=round(first, 2))
    record("run_new_moment_s", _median([[*COMMAND, "run", "--as-of", moment] for moment in LATER], env))


def import_definitions(folder: Path, record: Record) -> None:
    """What every process of Dagster pays before it does anything, and for having imported when it exits."""
    env = environment(folder / "home")
    imports = [_finished([sys.executable, "-c", IMPORT], env) for _ in range(5)]
    interpreter = statistics.median(_finished([sys.executable, "-c", "pass"], env)[0] for _ in range(5))
    seconds, modules = zip(*(json.loads(said) for _, said in imports), strict=True)
    whole = statistics.median(whole for whole, _ in imports)
    record("import_definitions_s", whole - interpreter, without_exit_s=round(statistics.median(seconds), 2))
    record("heavy_modules_imported", len(modules[0]), modules=modules[0])


def memory(folder: Path, record: Record) -> None:
    """What `make up` keeps running, once MLflow's server, the last to start, answers."""
    env = environment(folder / "home")
    with opened([*COMMAND, "up"], env) as up:
        up.line(STAYS)
        up.answer(f"http://127.0.0.1:{env['PL_MLFLOW_PORT']}/health")
        if (pid := embedded_server(env).pid()) is None:
            raise NotMeasured("the embedded PostgreSQL does not run")
        postmaster = psutil.Process(pid)
        postgres = [postmaster, *postmaster.children(recursive=True)]
        sizes = []
        for process in {psutil.Process(up.process.pid), *marked(folder / "home"), *postgres}:
            with suppress(psutil.NoSuchProcess):  # a connection that was closed meanwhile
                sizes.append((_megabytes(process), " ".join(process.cmdline()[1:5]).strip()))
        for size, command in sorted(sizes, reverse=True):
            progress(f"{size:7.1f} MB  {command or 'PostgreSQL'}")
        total = sum(size for size, _ in sizes)
        record("memory_mb", total, kind="PSS" if psutil.LINUX else "RSS", processes=len(sizes))


def ingest(folder: Path, record: Record) -> None:
    """31 seasons of two divisions from a folder, the site's own files where this machine has them; and once more."""
    files = mirror()
    if files is None:
        for season, division in product(range(1993, 2024), ("E0", "E1")):
            file = folder / "mmz4281" / season_folder(season) / f"{division}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content(season_lines(season, division)))
    said = _figures("feed", folder, "ingest", str(files or folder))
    details = {
        "matches": said["first_matches"],
        "rows": said["first_rows"],
        "files": "made up" if files is None else "real",
    }
    record("first_ingest_s", said["first_s"], **details)
    record("first_ingest_mb", said["mb"])
    record("unchanged_ingest_s", said["unchanged_s"])
    record("unchanged_ingest_rows_written", said["unchanged_rows"])


def million_matches(folder: Path, record: Record) -> None:
    """A million matches against a quarter of a million: the time of one match, and memory."""
    quarter, million = (_figures("feed", folder, "synthetic", str(count)) for count in (250_000, 1_000_000))
    details = {"matches": million["matches"], "seconds": round(million["s"], 1)}
    record("million_matches_slowdown", _slowdown(million, quarter), **details)
    record("million_matches_mb", million["mb"], of_a_quarter_mb=round(quarter["mb"], 1))


def features(folder: Path, record: Record) -> None:
    """The features of 32 seasons of 20 teams: about as many matches as the Premier League ever had."""
    said = _figures("features", folder, "32", "20", "5")
    record("features_12000_s", said["s"], matches=said["matches"])


def features_million(folder: Path, record: Record) -> None:
    """Those of a million matches, 98 seasons of 102 teams, against a quarter of them: memory, and the time of one.

    That one is the processor's: whoever waits waits longer on a busy machine, and by chance in only one of the two.
    """
    quarter, million = (_figures("features", folder, seasons, "102", "1") for seasons in ("25", "98"))
    record("features_million_s", million["s"], matches=million["matches"])
    record("features_million_mb", million["mb"], before_mb=round(million["before_mb"], 1))
    details = {"cpu_s": round(million["cpu_s"], 2), "of_a_quarter_cpu_s": round(quarter["cpu_s"], 2)}
    record("features_million_linear", _slowdown(million, quarter, "cpu_s"), **details)


def quality(folder: Path, record: Record) -> None:
    """The walk-forward of 2012/13 to 2023/24 on the site's own files, against Bet365's prices before the match.

    share_wrong is 1 - accuracy, f1_shortfall 1 - weighted F1, and a slope is off by its distance to 1, so that less is
    better as everywhere here.
    """
    files = mirror()
    if files is None:
        raise NotMeasured("no football-data.co.uk files here: name their folder in PL_TEST_FOOTBALL_DATA")
    env = {**environment(folder / "home"), "PL_SOURCE": "football-data", "PL_FOOTBALL_DATA_URL": str(files)}
    command = [*COMMAND, "backtest", "--first", "2012", "--last", "2023", "--out"]
    _finished([*command, str(folder / "warm.csv")], env)  # takes the files in
    seconds, _ = _finished([*command, str(folder / "odds.csv")], env)
    _finished([*command, str(folder / "no_odds.csv"), "--no-odds"], env)
    record("backtest_s", seconds)
    for name in ("no_odds", "odds"):
        ours, theirs = against_bet365(folder / f"{name}.csv", files)
        skill = ours["rps_skill"]
        details = {"rps": round(ours["rps"].value, 5), "rps_bet365": round(theirs["rps"].value, 5)}
        record(
            f"rps_{name}_over_bet365", 1 - skill.value, interval=_interval(skill, lambda value: 1 - value), **details
        )
        for outcome in ("home", "draw", "away"):
            own, market = (scores[f"calibration_slope_{outcome}"] for scores in (ours, theirs))
            details = {"slope": round(own.value, 3), "slope_bet365": round(market.value, 3)}
            record(f"slope_off_{outcome}_{name}", abs(own.value - 1), interval=_interval(own), **details)
    record("share_wrong_odds", 1 - ours["accuracy"].value, interval=_interval(ours["accuracy"]))
    record("f1_shortfall_odds", 1 - ours["f1_weighted"].value, interval=_interval(ours["f1_weighted"]))
    record("matches_without_forecast", matches_played(files, 2012, 2023) - ours["rps"].n)


def quiet_seasons(folder: Path, record: Record) -> None:  # noqa: ARG001
    """The share of made-up seasons in which nothing changes and some weekly look says ERROR."""
    share, details = false_alarms()
    record("false_alarm_share_of_seasons", share, **details)


def changed_seasons(folder: Path, record: Record) -> None:  # noqa: ARG001
    """The share of made-up changes, each worth 0.08 of log loss, that are no ERROR within ten matchweeks."""
    share, details = missed_changes()
    record("missed_changes_share", share, **details)


def replay_season(folder: Path, record: Record) -> None:
    """2023/24 lived again by the week under the daemon, in an empty home; the decisions are among the details."""
    lived = live(folder)
    events = [" ".join(event.values()) for event in lived.events]
    record(
        "replay_tick_s", statistics.median(lived.ticks), slowest_s=round(max(lived.ticks), 1), ticks=len(lived.ticks)
    )
    record("replay_matches_without_forecast", 380 - lived.forecast_in_time)
    record("replay_matches_unsettled", 380 - lived.settled)
    record("replay_failed_runs", lived.failed_runs, seconds=round(lived.seconds), decisions=events, bets=lived.bets)


def changed_lives(folder: Path, record: Record) -> None:  # noqa: ARG001
    """The share of such changes that the loop by itself has not overcome within the 38 matchweeks that follow."""
    share, details = not_recovered()
    record("not_recovered_share", share, **details)


def equal_lives(folder: Path, record: Record) -> None:  # noqa: ARG001
    """The share of challengers as good as the champion that are promoted for being better."""
    share, details = equal_promoted()
    record("equal_promoted_share", share, **details)


def dashboards(folder: Path, record: Record) -> None:
    """The slowest query of the boards and alert rules, at ten seasons, a year of hourly scores and a year of runs."""
    said = _figures("dashboards", folder, str(folder / "filled"))
    record("dashboard_query_ms", said.pop("ms"), **said)


BENCHMARKS: Mapping[Benchmark, tuple[str, ...]] = {
    clone: ("fresh_clone_to_forecasts_s", "of_that_after_installation_s", "second_up_s"),
    run: ("run_warm_s", "run_new_moment_s"),
    import_definitions: ("import_definitions_s", "heavy_modules_imported"),
    memory: ("memory_mb",),
    ingest: ("first_ingest_s", "first_ingest_mb", "unchanged_ingest_s", "unchanged_ingest_rows_written"),
    million_matches: ("million_matches_slowdown", "million_matches_mb"),
    features: ("features_12000_s",),
    features_million: ("features_million_s", "features_million_mb", "features_million_linear"),
    quality: tuple(QUALITY),
    replay_season: tuple(REPLAY),
    quiet_seasons: ("false_alarm_share_of_seasons",),
    changed_seasons: ("missed_changes_share",),
    changed_lives: ("not_recovered_share",),
    equal_lives: ("equal_promoted_share",),
    dashboards: ("dashboard_query_ms",),
}
"""Each benchmark and the figures that it records."""


def _finished(command: list[str], env: Mapping[str, str], folder: Path = PROJECT) -> tuple[float, str]:
    with opened(command, env, folder) as terminal:
        return terminal.end()


def _figures(module: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """The figures of a process of `bench.<module>`."""
    command = [sys.executable, "-m", f"pl_predictor_tests.bench.{module}", *arguments]
    _, said = _finished(command, environment(folder / "home"))
    figures: dict[str, Any] = json.loads(said)
    return figures


def _interval(score: Score, shown: Callable[[float], float] = lambda value: value) -> list[float]:
    """The 95 % interval of a score that is shown as a function of it."""
    if score.low is None or score.high is None:
        raise NotMeasured(f"{score.metric} has no interval")
    return sorted(round(shown(edge), 5) for edge in (score.low, score.high))


def _slowdown(many: Mapping[str, float], few: Mapping[str, float], seconds: str = "s") -> float:
    """The time of one match of many over that of one of few."""
    return (many[seconds] / many["matches"]) / (few[seconds] / few["matches"])


def _median(commands: list[list[str]], env: Mapping[str, str]) -> float:
    return statistics.median(_finished(command, env)[0] for command in commands)


def _megabytes(process: psutil.Process) -> float:
    """PSS, which counts a shared page in parts; RSS, which counts it in each process, where the system has no PSS."""
    info = process.memory_full_info()
    return float(getattr(info, "pss", info.rss)) / 2**20
