"""What is emitted next: what is whole first, then what has begun to arrive."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tap_clover_export.exports.export import Export


class Emission:
    """The exports that can be emitted, in the order of work."""

    def __init__(self, is_head: Callable[[Export], bool], spooled: Collection[Export]) -> None:
        """Begin with none.

        Args:
            is_head: Whether an export is emitted next of its partition.
            spooled: The exports of which files lie on disk.
        """
        self._is_head = is_head
        self._spooled = spooled
        self._ready: list[Export] = []

    def add(self, export: Export) -> None:
        """An export may have become ready, or the next of its partition."""
        if export.ready and self._is_head(export):
            heapq.heappush(self._ready, export)

    @property
    def whole(self) -> Export | None:
        """The export that can be emitted to its end, left in line."""
        while self._ready:
            if self._ready[0].ready and self._is_head(self._ready[0]):
                return self._ready[0]
            heapq.heappop(self._ready)
        return None

    def pop(self) -> Export | None:
        """The export to emit now."""
        if self.whole:
            return heapq.heappop(self._ready)
        begun = (e for e in self._spooled if e.emittable and self._is_head(e))
        return min(begun, default=None)
