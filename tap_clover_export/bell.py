"""Wakes the one who waits, also where a signal comes just before the waiting begins."""

from __future__ import annotations

import contextlib
import socket
import weakref


class Bell:
    """Rung by any thread, or by a signal where `fileno` is the wakeup file descriptor.

    Python runs a signal's handler between two steps of the main thread. Where the signal comes
    after the last step and before the wait, no lock and no queue would end that wait; a byte that
    stands in a socket does.
    """

    def __init__(self) -> None:
        """Hang a bell; it goes with the last who knows it."""
        self._ear, self._hand = socket.socketpair()
        self._hand.settimeout(0)
        weakref.finalize(self, _close, self._ear, self._hand)

    def fileno(self) -> int:
        """For `signal.set_wakeup_fd`."""
        return self._hand.fileno()

    def ring(self) -> None:
        """End the wait that is, or the next one; may be called from a signal handler."""
        with contextlib.suppress(BlockingIOError):  # full of rings that nobody has heard yet
            self._hand.send(b"\0")

    def wait(self, seconds: float) -> None:
        """Wait until it is rung, at most so long; all rings so far are one."""
        self._ear.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self._ear.recv(1 << 16)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        one.close()
