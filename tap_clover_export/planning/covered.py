"""What is covered of a partition: one span, and how it grows; pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from pendulum import DateTime


@dataclasses.dataclass(frozen=True)
class Covered:
    """A half-open span `[start, end)` of which everything is exported and emitted.

    Attributes:
        start: None where everything before the end is covered.
        end: The bookmark.
    """

    start: DateTime | None
    end: DateTime

    def touches(self, window: Window) -> bool:
        """Whether nothing lies between the span and a window."""
        return window.start <= self.end and (self.start is None or self.start <= window.end)

    def with_window(self, window: Window) -> Covered:
        """The span and a window that touches it."""
        start = None if self.start is None else min(self.start, window.start)
        return Covered(start, max(self.end, window.end))


def grown(covered: Covered | None, window: Window, created: DateTime | None) -> Covered | None:
    """What is covered once a window is emitted; as it was where the window does not touch it.

    Args:
        covered: What was covered before, if anything.
        window: What was emitted.
        created: When its export was made, by Clover's clock.
    """
    # Rule 3: an export shows what existed when it was made. Whatever comes after one that was made
    # before its window's end no longer touches the span, so that no later window moves it.
    end = min(created, window.end) if created else window.end
    if end <= window.start:
        return covered
    window = Window(window.start, end)
    if covered is None:
        return Covered(window.start, window.end)
    return covered.with_window(window) if covered.touches(window) else covered
