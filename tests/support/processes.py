"""The command in processes of its own, to be killed; many a second, forked off one that waits.

`python -m tests.support.processes` imports the tap once, then forks a child for every request. The
child is what `python -m tap_clover_export` is once its imports are done, with the same end, but
that it looks up for a signal that did not wake it only after an hour, and leaves a file where it
heard one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from tests.support.fork_server import PATIENCE, ForkServer, redirect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_clover_export.run import Run

GLANCE = 0.002


class Running(Protocol):
    """A process that can be looked at and signalled."""

    pid: int

    def poll(self) -> int | None:
        """Its return code, negative after a signal; None while it runs."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still runs."""
        ...


class Nursery(ForkServer):
    """Forks tap processes.

    Args:
        environment: Beside this process's own.
    """

    def __init__(self, **environment: str) -> None:
        super().__init__("tests.support.processes", **environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, arguments: list[str], *, stdout: Path, stderr: Path, tmp: Path) -> Child:
        """Start the command.

        Args:
            arguments: Its command line.
            stdout: Where its output goes: a file or a named pipe.
            stderr: Where its log goes.
            tmp: Its temporary directory.
        """
        paths = [str(stdout), str(stderr), str(tmp)]
        return Child(self, int(self.ask("start", arguments, *paths)))


class Child:
    """A forked tap process; its number stays its own until its end was seen."""

    def __init__(self, nursery: ForkServer, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its return code, negative after a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ask("poll", self.pid)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sig)


def tell_of_signals(file: str) -> None:
    """Make a file once the tap of this process has heard of a signal."""
    from tap_clover_export.run import Run  # noqa: PLC0415

    stop = Run.stop

    def told(run: Run, number: int) -> None:
        stop(run, number)
        Path(file).touch()

    Run.stop = told  # type: ignore[assignment,method-assign]


def full(pipe: Path) -> bool:
    """Whether a named pipe takes no more, however much it holds; somebody has it open to read."""
    end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return not select.select([], [end], [], 0)[1]
    finally:
        os.close(end)


def until(condition: Callable[[], object], process: Running, patience: float = PATIENCE) -> None:
    """Wait until something is so, or the process is over; fails after a minute."""
    end = time.monotonic() + patience
    while process.poll() is None and not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(GLANCE)


def wait(process: Running, patience: float = PATIENCE) -> int:
    """Wait for the end; answers the return code."""
    until(lambda: False, process, patience)
    code = process.poll()
    assert code is not None
    return code


@contextlib.contextmanager
def ended(process: Running) -> Iterator[Running]:
    """See to it that a process ends with the block."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        wait(process)


def write_json(file: Path, content: Mapping[str, Any]) -> str:
    """Write a file of settings or state; answers its path."""
    file.write_text(json.dumps(content))
    return str(file)


def _nurse() -> list[str] | None:
    """Fork on request; answers the arguments in the child."""
    answers = os.dup(1)
    for line in sys.stdin:
        request = json.loads(line)
        if request[0] == "start":
            pid = os.fork()
            if not pid:
                os.close(answers)
                _settle_in(*request[2:])
                return list(request[1])
            answer: int | None = pid
        else:
            ended, status = os.waitpid(request[1], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        os.write(answers, b"%s\n" % json.dumps(answer).encode())
    return None


def _settle_in(stdout: str, stderr: str, tmp: str) -> None:
    os.environ["TMPDIR"] = tmp
    tell_of_signals(f"{stderr}.heard")
    redirect(stdout, stderr)


if __name__ == "__main__":
    from tap_clover_export.scheduling import queue
    from tap_clover_export.tap import TapCloverExport

    queue.LISTEN_SECONDS = 3600.0
    asked = _nurse()
    if asked is not None:
        TapCloverExport.cli(asked)
