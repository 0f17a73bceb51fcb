"""Runs Meltano so that its state is saved and its tokens are gone, however it is ended.

`python guard.py SECONDS LOCK COMMAND…` ends when its parent does, a SIGKILL included; it takes up
to SECONDS for that, also alone. A SIGTERM to Meltano ends tap and loader at once and saves no
state; here the tap is asked, and the loader comes to its end. LOCK is a file that holds a second
run of the same chunk up until all of this one is gone.

The merchants come on stdin and go into a file in memory, which ends with this process. Airflow's
own processes could not hold it: nobody may look into them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCKED = 75
"""The exit code where another run of the chunk does not end."""

MARGIN_SECONDS = 10
LOCK_POLL_SECONDS = 0.2
NOTHING = Path(os.devnull)

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command; answers its exit code, 128 + n where a signal ended it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    grace, lock = int(sys.argv[1]), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT, 0o600)
    merchants = sys.stdin.buffer.read()
    if not _locked(lock, grace + MARGIN_SECONDS):
        return LOCKED
    out = sys.stdout.buffer
    with subprocess.Popen(
        sys.argv[3:],
        env={**os.environ, "TAP_CLOVER_EXPORT_MERCHANTS_FILE": _in_memory(merchants)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock],
    ) as running:

        def kill_all(*_: object) -> None:
            os.killpg(os.getpid(), signal.SIGKILL)

        def ask_meltano(*_: object) -> None:
            signal.signal(signal.SIGALRM, kill_all)
            signal.setitimer(signal.ITIMER_REAL, grace / 2)
            running.terminate()

        def ask_tap(*_: object) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGALRM, ask_meltano)
            signal.setitimer(signal.ITIMER_REAL, grace / 2)
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


def _locked(lock: int, seconds: float) -> bool:
    """Whether the lock is ours, after some seconds at most."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(LOCK_POLL_SECONDS)


def _in_memory(content: bytes) -> str:
    """The path of a file that only this user's processes can read."""
    descriptor = os.memfd_create("merchants")
    os.fchmod(descriptor, 0o600)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _taps(meltano: int) -> Iterator[int]:
    """What Meltano has started that reads nothing: loaders and mappers have a pipe as stdin.

    Whatever stands between, such as `uv run` or a script around Meltano or the tap, is passed by.
    """
    children: dict[str, list[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if (process / "fd/0").readlink() == NOTHING:
                children.setdefault(parent, []).append(process.name)
    below = list(children.get(str(meltano), ()))
    for name in below:  # it grows meanwhile
        below += children.get(name, ())
        if name not in children:
            yield int(name)


if __name__ == "__main__":
    ended = main()
    sys.stdout = None  # nothing is left to flush
    sys.exit(ended)
