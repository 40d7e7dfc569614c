"""`make bench`: the figures beside their limits, as one JSON document on stdout; progress on stderr.

Exit code 0 if all that was asked for could be measured, whatever the figures are; 1 if not.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import psutil

from pl_predictor.services.postgres_as_root import discard_below
from pl_predictor_tests.bench.benchmarks import BENCHMARKS, LIMITS, Benchmark
from pl_predictor_tests.bench.terminal import NotMeasured


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pl_predictor_tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=LIMITS, metavar="NAME", default=list(LIMITS), help="these figures")
    parser.add_argument("--list", action="store_true", help="print the names of the figures")
    arguments = parser.parse_args()
    if arguments.list:
        click.echo("\n".join(LIMITS))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception: what was started is ended
    machine = _machine()
    figures: dict[str, dict[str, Any]] = {}
    for benchmark, names in BENCHMARKS.items():
        if set(names) & set(arguments.only):
            figures |= _measure(benchmark, names)
    wanted = {name: figures[name] for name in LIMITS if name in arguments.only}
    click.echo(json.dumps({"machine": machine, "figures": wanted}, indent=2))
    return 1 if any(figure["value"] is None for figure in wanted.values()) else 0


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 2**20),
        "python": platform.python_version(),
        "load_average_at_start": [round(load, 2) for load in os.getloadavg()],
    }


def _measure(benchmark: Benchmark, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The benchmark's figures; those it could not come to are null and carry the reason."""
    figures: dict[str, dict[str, Any]] = {}

    def record(name: str, value: float, **details: object) -> None:
        figures[name] = {**_beside_limits(name, value), **details}

    reason = ""
    folder = tempfile.mkdtemp(prefix="pl_predictor_bench_")
    try:
        benchmark(Path(folder), record)
    except NotMeasured as error:
        reason = str(error)
    finally:
        shutil.rmtree(folder)
        if os.geteuid() == 0:  # root's databases are not in their homes
            discard_below(Path(folder))
    return {name: figures.get(name, {**_beside_limits(name, None), "reason": reason}) for name in names}


def _beside_limits(name: str, value: float | None) -> dict[str, Any]:
    must, aim = LIMITS[name]
    figure = {"value": None, "must": must, "aim": aim, "within_must": None, "within_aim": None}
    if value is not None:
        figure |= {"value": float(f"{value:.5g}"), "within_must": value <= must, "within_aim": value <= aim}
    return figure


if __name__ == "__main__":
    sys.exit(main())
