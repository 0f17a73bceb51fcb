"""Runs Meltano so that its state is saved and its tokens are gone, however it is ended.

`python guard.py COMMAND…` ends when its parent does, a SIGKILL included. A SIGTERM to Meltano ends
tap and loader at once and saves no state; here the tap is asked, and the loader comes to its end.

The merchants come on stdin and go into a file in memory, which ends with this process. Airflow's
own processes could not hold it: nobody may look into them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60
"""After this number of seconds Meltano itself is asked, and after the same again all is killed."""

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command; answers its exit code, 128 + n where a signal ended it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    out = sys.stdout.buffer
    with subprocess.Popen(
        sys.argv[1:],
        env={**os.environ, "TAP_CLOVER_EXPORT_MERCHANTS_FILE": _in_memory(sys.stdin.buffer.read())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:

        def kill_all(*_: object) -> None:
            os.killpg(os.getpid(), signal.SIGKILL)

        def ask_meltano(*_: object) -> None:
            signal.signal(signal.SIGALRM, kill_all)
            signal.alarm(PATIENCE)
            running.terminate()

        def ask_tap(*_: object) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGALRM, ask_meltano)
            signal.alarm(PATIENCE)
            taps = list(_taps(running.pid))
            for tap in taps:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(tap, signal.SIGTERM)
            if not taps:
                ask_meltano()

        signal.signal(signal.SIGTERM, ask_tap)
        for line in running.stdout or ():
            with contextlib.suppress(OSError):  # whoever read it may be gone
                out.write(line)
                out.flush()
        code = running.wait()
    return code if code >= 0 else 128 - code


def _in_memory(content: bytes) -> str:
    """The path of a file that only this user's processes can read."""
    descriptor = os.memfd_create("merchants")
    os.fchmod(descriptor, 0o600)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _taps(meltano: int) -> Iterator[int]:
    """The extractors that Meltano has started."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(meltano) and b"/extractors/" in (process / "cmdline").read_bytes():
                yield int(process.name)


if __name__ == "__main__":
    ended = main()
    sys.stdout = None  # nothing is left to flush
    sys.exit(ended)
