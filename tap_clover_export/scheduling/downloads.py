"""Which file to fetch next, within the bounds of the disk."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tap_clover_export.exports.export import Export

SPOOLED = 4
"""How many exports at most lie on disk for each that may be in progress."""

MOST_SPOOLED = 48
"""And how many in all: each takes a file descriptor."""


class Downloads:
    """The exports that wait for their files, and those that lie on disk."""

    def __init__(
        self, is_head: Callable[[Export], bool], steps: Collection[Export], slots: int
    ) -> None:
        """Begin with an empty disk.

        Args:
            is_head: Whether an export is emitted next of its partition.
            steps: The exports that are being worked at.
            slots: How many exports may be in progress at Clover at a time.
        """
        self._is_head = is_head
        self._steps = steps
        self._most = min(max(2, SPOOLED * slots), MOST_SPOOLED)
        self._tight = False
        self._begun: list[Export] = []
        self._waiting: list[Export] = []
        self._heads: list[Export] = []
        self.spooled: set[Export] = set()

    def add(self, export: Export) -> None:
        """An export has files to fetch."""
        if export.spool:
            heapq.heappush(self._begun, export)
            return
        heapq.heappush(self._waiting, export)
        if self._is_head(export):
            self.add_head(export)

    def add_head(self, export: Export) -> None:
        """An export with files to fetch is the next of its partition."""
        heapq.heappush(self._heads, export)

    def next(self) -> Export | None:
        """The export to fetch a file of next; it lies on disk from now on."""
        # No brake on disk holds the head of a line, which gets as much again.
        room = self._most - len(self.spooled)
        heads = room + self._most
        if self._tight:
            heads = self._most - sum(map(self._is_head, self.spooled))
        heaps = [self._begun]
        heaps += [self._waiting] * (room > 0 and not self._tight) + [self._heads] * (heads > 0)
        found = [heap for heap in heaps if self._first(heap)]
        if not found:
            return None
        export = heapq.heappop(min(found, key=lambda heap: heap[0]))
        self.spooled.add(export)
        return export

    def discard(self, export: Export) -> None:
        """Give back the disk of an export."""
        self.spooled.discard(export)
        export.discard()

    def make_room(self, export: Export) -> list[Export]:
        """The disk is full: what is emitted first keeps its files, the others wait for theirs.

        Args:
            export: Whose file did not fit.

        Returns:
            The exports whose files were given up.
        """
        self._tight = True
        self._most = max(1, len(self.spooled) // 2)
        first = min(
            self.spooled | {export},
            key=lambda one: (not self._is_head(one), not _emission_began(one), one),
        )
        given_up = [one for one in self.spooled.difference(self._steps) if one is not first]
        if export is not first:
            given_up.append(export)
        for one in given_up:
            self.discard(one)
        return given_up

    def _first(self, heap: list[Export]) -> Export | None:
        """The first of a heap that still waits for a file."""
        while heap and not self._waits(heap[0], begun=heap is self._begun):
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _waits(self, export: Export, *, begun: bool) -> bool:
        return (
            export.stage is Stage.DOWNLOAD
            and not export.cancelled
            and export not in self._steps
            and begun is (export in self.spooled)
        )


def _emission_began(export: Export) -> bool:
    return export.spool is not None and export.spool.taken > 0
