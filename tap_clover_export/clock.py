"""Time, handed in, and what wakes the one who waits."""

from __future__ import annotations

import contextlib
import socket
import time
import weakref
from typing import Protocol


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; durations are measured on it, which nobody sets back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's own time."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


class Wakeup:
    """Wakes the one who waits, also where a signal comes just before the waiting begins.

    Set by any thread, or by a signal where `fileno` is the wakeup file descriptor. Python runs a
    signal's handler between two steps of the main thread. Where the signal comes after the last
    step and before the wait, no lock and no queue would end that wait; a byte that stands in a
    socket does.
    """

    def __init__(self) -> None:
        """Open a pair of sockets; they go with the last who knows them."""
        self._receiver, self._sender = socket.socketpair()
        self._sender.settimeout(0)
        weakref.finalize(self, _close, self._receiver, self._sender)

    def fileno(self) -> int:
        """For `signal.set_wakeup_fd`."""
        return self._sender.fileno()

    def set(self) -> None:
        """End the wait that is, or the next one; may be called from a signal handler."""
        with contextlib.suppress(BlockingIOError):  # full of bytes that nobody has read yet
            self._sender.send(b"\0")

    def wait(self, seconds: float) -> None:
        """Wait until it is set, at most so long; all that came so far is one."""
        self._receiver.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self._receiver.recv(1 << 16)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        one.close()
