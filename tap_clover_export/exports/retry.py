"""Pauses that grow, half of each by chance, so that many clients don't come back at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import backoff

if TYPE_CHECKING:
    from collections.abc import Iterator


LONGEST_BUSY = 300.0
"""The longest pause while Clover is busy."""


class Pauses:
    """A row of pauses: 1, 2, 4 ... seconds up to the longest, each cut by up to a half."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._row: Iterator[float] | None = None

    def next(self) -> float:
        """The next pause, in seconds."""
        if self._row is None:
            self._row = backoff.expo(base=2, factor=1, max_value=self._longest)
            next(self._row)
        half = next(self._row) / 2
        return half + backoff.full_jitter(half) if half else half

    def reset(self) -> None:
        """Begin anew."""
        self._row = None
