"""A program run as a whole process, measured from outside."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).parents[1]
DRAIN = ["cat"]
COUNT = [sys.executable, "-m", "benchmarks.count"]


class BenchError(Exception):
    """What was measured is not what was meant."""


@dataclass(frozen=True)
class Run:
    """One process, from start to exit.

    Attributes:
        seconds: By the clock.
        cpu: Of user and system, its own.
        megabytes: Its peak memory.
        counted: What `benchmarks.count` saw of its output, if that read it.
    """

    seconds: float
    cpu: float
    megabytes: float
    counted: dict[str, int]


@dataclass(frozen=True)
class Spread:
    """The median of some values, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum values up."""
        row = sorted(values)
        return cls(statistics.median(row), row[0], row[-1])


def environment() -> dict[str, str]:
    """Ours, without what makes Python slower than a user's: unbuffered output, no bytecode kept."""
    dropped = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "LOGLEVEL")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"NO_COLOR": "1"}


def run(command: Sequence[str], *, count: bool = False) -> Run:
    """Run a program whose output another one reads: `cat`, or one that counts.

    Raises:
        BenchError: It failed.
    """
    with (
        tempfile.TemporaryFile() as log,
        tempfile.TemporaryFile() as told,
        subprocess.Popen(  # noqa: S603
            COUNT if count else DRAIN,
            stdin=subprocess.PIPE,
            stdout=told if count else subprocess.DEVNULL,
        ) as sink,
    ):
        begin = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603
            command, stdout=sink.stdin, stderr=log, cwd=ROOT, env=environment()
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if sink.stdin:
            sink.stdin.close()
        sink.wait()
        if child.returncode:
            log.seek(0)
            raise BenchError(f"{' '.join(command)} failed:\n{log.read()[-2000:].decode()}")
        told.seek(0)
        return Run(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / (1000 if sys.platform == "linux" else 1e6),
            json.loads(told.read() or "{}"),
        )


def first_request(command: Sequence[str], server: socket.socket) -> float:
    """How many seconds pass from a program's start to its first request to a server."""
    begin = time.perf_counter()
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    ) as child:
        try:
            connection, _ = server.accept()
            seconds = time.perf_counter() - begin
            connection.close()
        finally:
            child.kill()
    server.settimeout(0.0)
    with contextlib.suppress(BlockingIOError):
        while True:  # what else it opened is not the next one's
            server.accept()[0].close()
    server.settimeout(None)
    return seconds


@contextlib.contextmanager
def clover(**options: Any) -> Iterator[str]:  # noqa: ANN401
    """A local Clover in a process of its own; gives its address."""
    with clover_process(**options) as (url, _):
        yield url


@contextlib.contextmanager
def clover_process(**options: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401
    """A local Clover in a process of its own; gives its address and the process's id."""
    command = [sys.executable, "-m", "tap_clover_export.simulator", "--region", "sandbox"]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            command.append(option)
            continue
        for item in value if isinstance(value, list) else [value]:
            command += [option, str(item)]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
    ) as server:
        try:
            url = server.stdout.readline().strip() if server.stdout else ""
            if not url:
                raise BenchError("the local Clover did not start")
            yield url, server.pid
        finally:
            server.terminate()
