"""Starts the platform's processes, starts those again that die, and clears away what an earlier parent left behind.

Every process is started with a marker in its environment, which its own children inherit: whatever carries the marker
of this home belongs to this home, whoever started it and however its parent died. No process id is ever written down,
so none can be mistaken for another's.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pl_predictor.core.errors import PredictorError

MARKER, NAME_MARKER = "PL_SUPERVISED_HOME", "PL_SUPERVISED_NAME"
GRACE_SECONDS, KILL_SECONDS = 10.0, 5.0
RESTARTS, RESTART_WINDOW = 3, 120.0
LOG_LINES_SHOWN = 15


@dataclass
class _Process:
    command: Sequence[str]
    environment: Mapping[str, str]
    popen: "subprocess.Popen[bytes]"
    stays: bool
    needed: bool
    ends: list[float] = field(default_factory=list)


def marked(home: Path, name: str | None = None) -> list[psutil.Process]:
    """The processes that belong to this home (of that name, and their children), but for this one and its parents."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid in own:
                continue
            environment = process.environ()
            if environment.get(MARKER) == str(home) and name in {None, environment.get(NAME_MARKER)}:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone meanwhile, or another user's: not ours
    return found


def clear(home: Path, name: str | None = None) -> int:
    """End the processes that `marked` finds: ask, wait, then kill. Returns how many there were."""
    ended = set[int]()
    deadline = time.monotonic() + GRACE_SECONDS
    while processes := marked(home, name):
        asked = time.monotonic() < deadline
        if time.monotonic() > deadline + KILL_SECONDS:
            numbers = ", ".join(str(process.pid) for process in processes)
            raise PredictorError(f"processes {numbers} of {home} do not end: end them by hand, or restart the machine")
        for process in processes:
            try:
                process.terminate() if asked else process.kill()
            except psutil.NoSuchProcess:
                continue
            ended.add(process.pid)
        _wait_for_the_end(processes, until=max(deadline, time.monotonic() + 1.0))
    return len(ended)


def _wait_for_the_end(processes: Sequence[psutil.Process], *, until: float) -> None:
    """Not psutil.wait_procs: it may wait for a zombie, and the first process of a container may never collect one."""
    while time.monotonic() < until and any(map(alive, processes)):
        time.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    """Whether a process still does something: one that only waits to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Supervisor:
    """The processes of one home. Not for threads: one parent starts, watches and stops them."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._environment = {**os.environ, **environment, MARKER: str(home)}
        self._processes: dict[str, _Process] = {}

    def log(self, name: str) -> Path:
        """Where the process of that name writes what it prints."""
        return self._home / "logs" / f"{name}.log"

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        stays: bool = True,
        needed: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process, writing to its log; `watch` starts it again if it ends, unless it is one that may end.

        needed: False for one that the others can do without, if it keeps ending. environment: its own, in the place of
        the platform's, which has its passwords.
        """
        log = self.log(name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        environment = self._environment if environment is None else {**environment, MARKER: str(self._home)}
        self._processes[name] = _Process(command, environment, self._spawn(name, command, environment), stays, needed)

    def run(self, command: Sequence[str], stop: threading.Event) -> int:
        """Run a command to its end on this terminal; its exit code, or 130 if it was stopped before."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=self._environment, start_new_session=True)
        while process.poll() is None:
            if stop.wait(0.05):
                process.terminate()
                try:
                    process.wait(GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                return 130
        return process.returncode

    def _spawn(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        # Its own session: Ctrl-C in the terminal reaches the parent alone, which stops the others in order.
        with self.log(name).open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, NAME_MARKER: name},
                start_new_session=True,
            )

    def watch(self, say: Callable[[str], None]) -> None:
        """Start again what ended since the last look, and say so; PredictorError if something keeps ending."""
        for name, process in list(self._processes.items()):
            code = process.popen.poll()
            if code is None:
                continue
            if not process.stays:
                say(f"The {name} has ended" + (f" with code {code}: see {self.log(name)}" if code else ""))
                del self._processes[name]
                continue
            now = time.monotonic()
            process.ends = [end for end in process.ends if now - end < RESTART_WINDOW] + [now]
            if len(process.ends) > RESTARTS and not process.needed:
                say(f"The {name} keeps ending, last with code {code}: left alone, see {self.log(name)}")
                del self._processes[name]
                continue
            if len(process.ends) > RESTARTS:
                lines = self.log(name).read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                raise PredictorError(
                    f"the {name} ended {len(process.ends)} times in {RESTART_WINDOW:.0f} s, last with code {code}; "
                    f"{self.log(name)} ends with:\n" + "\n".join(lines)
                )
            clear(self._home, name)  # a child of a killed process may still hold its port
            process.popen = self._spawn(name, process.command, process.environment)
            say(f"The {name} had ended (code {code}) and was started again")

    def stop(self) -> None:
        """End every process of this home, those that others left included."""
        clear(self._home)
        for process in self._processes.values():
            process.popen.wait()
        self._processes.clear()
