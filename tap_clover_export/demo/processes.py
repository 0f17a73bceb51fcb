"""Processes that end with us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
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
    """Run a process with its children while the block lasts, on Linux also after a SIGKILL of us.

    Args:
        command: The program and its arguments.
        end: The signal that asks it to end.
        options: What `subprocess.Popen` takes.
    """
    guard = ["setpriv", f"--pdeathsig={end.name}", "--"] if shutil.which("setpriv") else []
    guarded = [*guard, *command]
    with subprocess.Popen(guarded, text=True, start_new_session=True, **options) as running:
        try:
            yield running
        finally:
            _end(running, end)


def read(stream: IO[str] | None) -> str:
    """Read the first line of a process's output."""
    return stream.readline().strip() if stream else ""


def _end(running: subprocess.Popen[str], end: signal.Signals) -> None:
    """End the process and whatever it left behind."""
    limit = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, end)
        while time.monotonic() < limit:
            running.poll()
            os.killpg(running.pid, 0)
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGKILL)
