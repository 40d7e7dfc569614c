"""Processes of a home are found, ended and started again, whoever started them and however their parent died."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.supervisor import MARKER, NAME_MARKER, RESTARTS, Supervisor, alive, clear, marked

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
WITH_CHILD_OF_ITS_OWN_SESSION = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys;"
    "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True);"
    "signal.pause()",
]
DEAF_TO_SIGTERM = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()",
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "logs").mkdir()
    yield tmp_path
    clear(tmp_path)


def wait_until_marked(home: Path, count: int) -> list[psutil.Process]:
    while len(found := marked(home)) < count:
        psutil.wait_procs(found, timeout=0.05)
    return found


def test_stopping_ends_what_was_started_and_its_children_in_sessions_of_their_own(home: Path) -> None:
    supervisor = Supervisor(home, {})
    supervisor.start("parent", WITH_CHILD_OF_ITS_OWN_SESSION)
    processes = wait_until_marked(home, 2)
    supervisor.stop()
    assert not any(map(alive, processes))


def test_what_a_killed_parent_left_is_cleared_by_the_next(home: Path) -> None:
    script = (
        "import signal, sys; from pathlib import Path; from pl_predictor.services.supervisor import Supervisor;"
        f"Supervisor(Path({str(home)!r}), {{}}).start('child', {FOREVER!r}); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        wait_until_marked(home, 1)
        parent.kill()
    assert len(marked(home)) == 1
    assert clear(home) == 1
    assert marked(home) == []


def test_processes_of_another_home_are_left_alone(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    with subprocess.Popen(FOREVER, env={**os.environ, MARKER: str(other)}) as process:
        try:
            assert clear(home) == 0
            assert process.poll() is None
        finally:
            process.kill()


def test_a_process_that_ignores_the_request_to_end_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pl_predictor.services.supervisor.GRACE_SECONDS", 0.2)
    deaf = subprocess.Popen(DEAF_TO_SIGTERM, env={**os.environ, MARKER: str(home)}, stdout=subprocess.PIPE)
    with deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        try:
            clear(home)
            assert not alive(psutil.Process(deaf.pid))
        finally:
            deaf.kill()


def test_a_process_that_ended_is_started_again_and_said(home: Path) -> None:
    supervisor, said = Supervisor(home, {}), list[str]()
    supervisor.start("worker", FOREVER)
    (first,) = wait_until_marked(home, 1)
    first.kill()
    while not said:
        supervisor.watch(said.append)
    (second,) = wait_until_marked(home, 1)
    assert second.pid != first.pid
    assert said == ["The worker had ended (code -9) and was started again"]
    supervisor.stop()


def test_a_process_that_keeps_ending_is_an_error_that_shows_its_last_words(home: Path) -> None:
    supervisor, said = Supervisor(home, {}), list[str]()
    supervisor.start("worker", [sys.executable, "-c", "raise SystemExit('the disk is full')"])

    def watch_for_ever() -> None:
        while True:
            supervisor.watch(said.append)

    with pytest.raises(PredictorError, match=r"the worker ended 4 times .* code 1; .*\.log ends with:\n") as error:
        watch_for_ever()
    assert "the disk is full" in str(error.value)
    assert len(said) == RESTARTS


def test_a_command_that_is_stopped_ends_at_once(home: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert Supervisor(home, {}).run(FOREVER, stop) == 130


def test_a_command_that_is_not_stopped_runs_to_its_end(home: Path) -> None:
    assert Supervisor(home, {}).run([sys.executable, "-c", "raise SystemExit(7)"], threading.Event()) == 7


def test_a_process_with_an_environment_of_its_own_has_nothing_of_the_platforms_and_still_belongs_to_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_PARENT", "secret")
    supervisor = Supervisor(home, {"OF_THE_PLATFORM": "secret"})
    supervisor.start("worker", FOREVER, environment={"OWN": "its own"})
    (worker,) = wait_until_marked(home, 1)
    assert worker.environ() == {"OWN": "its own", MARKER: str(home), NAME_MARKER: "worker"}
    supervisor.stop()
