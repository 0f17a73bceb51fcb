"""Processes that end with us."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 10


@contextmanager
def process(
    command: Sequence[str],
    *,
    end: signal.Signals = signal.SIGTERM,
    **options: Any,  # noqa: ANN401
) -> Iterator[subprocess.Popen[str]]:
    """Run a process with its children while the block lasts.

    Args:
        command: The program and its arguments.
        end: The signal that asks it to end.
        options: What `subprocess.Popen` takes.
    """
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as running:
        try:
            yield running
        finally:
            _end(running, end)


def read(stream: IO[str] | None) -> str:
    """Read the first line of a process's output."""
    return stream.readline().strip() if stream else ""


def _end(running: subprocess.Popen[str], end: signal.Signals) -> None:
    if running.poll() is not None:
        return
    os.killpg(running.pid, end)
    with suppress(subprocess.TimeoutExpired):
        running.wait(PATIENCE)
        return
    os.killpg(running.pid, signal.SIGKILL)
