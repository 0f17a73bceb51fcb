"""The simulator's clock."""

from __future__ import annotations

import threading
import time


class Clock:
    """A clock that runs on with real time, or stands until it is moved.

    Args:
        start: Epoch seconds to start at; the real time when left out.
        frozen: Whether only :meth:`advance` and :meth:`set` move it.
    """

    def __init__(self, start: float | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.Lock()
        self._frozen = frozen
        self._base = time.time() if start is None else start
        self._mark = time.monotonic()

    def now(self) -> float:
        """Tell the time in epoch seconds."""
        with self._lock:
            return self._read()

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        with self._lock:
            self._base += seconds

    def set(self, epoch: float) -> None:
        """Put the clock to a time."""
        with self._lock:
            self._base = epoch
            self._mark = time.monotonic()

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still between moves."""
        return self._frozen

    @frozen.setter
    def frozen(self, value: bool) -> None:
        with self._lock:
            self._base = self._read()
            self._mark = time.monotonic()
            self._frozen = value

    def _read(self) -> float:
        if self._frozen:
            return self._base
        return self._base + time.monotonic() - self._mark
