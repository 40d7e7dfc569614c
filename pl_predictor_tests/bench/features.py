"""How long the features of made-up matches take, and how much memory: run as a process of its own, figures as JSON.

`SEASONS TEAMS TIMES`: so many seasons of so many teams, and the median of so many times.
"""

import json
import statistics
import sys
import time

import click

from pl_predictor.core.features import build
from pl_predictor_tests.bench.many_matches import many_matches
from pl_predictor_tests.bench.peak import megabytes

if __name__ == "__main__":
    seasons, teams, times = map(int, sys.argv[1:])
    matches = many_matches(seasons, teams)
    before, spent = megabytes(), []
    for _ in range(times):
        began = time.monotonic(), time.process_time()
        build(matches)
        spent.append((time.monotonic() - began[0], time.process_time() - began[1]))
    wall, cpu = (statistics.median(seconds) for seconds in zip(*spent, strict=True))
    figures = {"s": wall, "cpu_s": cpu, "matches": len(matches), "mb": megabytes(), "before_mb": before}
    click.echo(json.dumps(figures))
