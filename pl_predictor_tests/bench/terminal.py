"""A command as if typed in a terminal: what it prints, when, and Ctrl-C. Here, too, that nothing of it stays behind."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from pl_predictor.services.postgres_server import PostgresServer
from pl_predictor.services.supervisor import clear
from pl_predictor.settings import PROJECT

PATIENCE_SECONDS = 900.0
CTRL_C_SECONDS = 60.0
LOOK_SECONDS = 0.05


class NotMeasured(Exception):
    """Why there is no figure, in a sentence."""


def progress(line: str) -> None:
    """A line for whoever waits; stdout is for the figures."""
    click.echo(line, err=True)


class Terminal:
    """One command in a session of its own. What it prints is passed on as progress, with the seconds since its start.

    Every method that waits raises NotMeasured when the command ends too soon, in vain, or not at all.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path = PROJECT) -> None:
        self._name = " ".join(command)
        self._lines: list[tuple[float, str]] = []
        self._ended_after = 0.0
        progress(f"$ {self._name}")
        self._began = time.monotonic()
        try:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise NotMeasured(f"{command[0]} cannot be run: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append((self._elapsed(), line.rstrip()))
            progress(f"{self._elapsed():7.2f}  {line.rstrip()}")
        self._ended_after = self._elapsed()

    def end(self) -> tuple[float, str]:
        """Wait until the command has succeeded: the seconds it took, and the last line that it printed."""
        self._reader.join(PATIENCE_SECONDS)
        if self._reader.is_alive():
            raise NotMeasured(f"`{self._name}` did not end within {PATIENCE_SECONDS:.0f} s")
        if self.process.wait():
            raise NotMeasured(self._failure())
        return self._ended_after, self._lines[-1][1] if self._lines else ""

    def line(self, start: str) -> float:
        """The seconds until it prints a line that starts so."""
        return self._until(lambda: next((when for when, line in self._lines if line.startswith(start)), None), start)

    def answer(self, url: str) -> float:
        """The seconds until a GET of `url` succeeds."""
        return self._until(lambda: self._elapsed() if _answers(url) else None, url)

    def _until(self, look: Callable[[], float | None], awaited: str) -> float:
        while (when := look()) is None:
            if not self._reader.is_alive():
                raise NotMeasured(self._failure())
            if self._elapsed() > PATIENCE_SECONDS:
                raise NotMeasured(f"`{self._name}` came not to '{awaited}' within {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        return when

    def _failure(self) -> str:
        said = "; ".join(line for _, line in self._lines[-5:])
        return f"`{self._name}` ended with code {self.process.wait()}: {said or 'it said nothing'}"

    def ctrl_c(self) -> None:
        """Interrupt it as a terminal does, all of its process group; kill what is not gone in a minute."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
            self._reader.join(CTRL_C_SECONDS)
        self.process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def opened(command: Sequence[str], env: Mapping[str, str], folder: Path = PROJECT) -> Iterator[Terminal]:
    """A command that uses the home in `env`, until the block ends: then nothing of it or of that home runs."""
    terminal = Terminal(command, env, folder)
    try:
        yield terminal
    finally:
        terminal.ctrl_c()
        clear(Path(env["PL_HOME"]))
        server = embedded_server(env)
        if server.pid():
            with server.lease():  # the last to leave stops it
                progress("PostgreSQL had been left running")


def embedded_server(env: Mapping[str, str]) -> PostgresServer:
    """The PostgreSQL of the home in `env`."""
    return PostgresServer(Path(env["PL_HOME"]), port=int(env["PL_POSTGRES_PORT"]))
