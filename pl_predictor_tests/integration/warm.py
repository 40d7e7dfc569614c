"""Processes of a test's own that begin with the libraries in memory: importing those is most of what a short run costs.

Only the libraries: the platform's modules are read by each process itself, in the environment that the test gives it.
How a process starts from nothing is for the tests that run `pl-predictor` as a person does (platform.py).
This module imports nothing that is heavy: each of these processes reads it before its environment is set.
"""

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pl_predictor.services.code_server import forks_with_libraries

_CONTEXT = forks_with_libraries()


def start(env: Mapping[str, str], said: Path, target: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Call `target` in a new process with this environment; `said`: a folder for its stdout and stderr."""
    said.mkdir(parents=True, exist_ok=True)
    process = _CONTEXT.Process(target=_call, args=(dict(env), str(said), target, arguments))
    process.start()
    return process


def _call(env: dict[str, str], said: str, target: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(env)
    for name, number in (("stdout", 1), ("stderr", 2)):
        opened = os.open(f"{said}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    target(*arguments)


def command(*arguments: str) -> None:
    """`pl-predictor` with these arguments."""
    sys.argv = ["pl-predictor", *arguments]
    from pl_predictor.cli import main

    main()


def job(name: str, tags: dict[str, str]) -> None:
    """A job to its end."""
    import dagster as dg

    from pl_predictor.definitions import build_defs

    with dg.DagsterInstance.get() as instance:
        build_defs().resolve_job_def(name).execute_in_process(instance=instance, tags=tags)
