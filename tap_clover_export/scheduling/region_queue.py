"""Who waits in one region: the partitions that offer an export, and the exports to be polled."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import Stage

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.planning.plan import Priority
    from tap_clover_export.scheduling.backlog import Backlog
    from tap_clover_export.scheduling.scopes import Region


class RegionQueue:
    """A region's partitions in the order of work, and its exports in the order of their polls.

    What stands in line and is no longer true is dropped where it comes to the front.
    """

    def __init__(self, region: Region, clock: Clock) -> None:
        self.region = region
        self._clock = clock
        self._serial = 0
        self._offers: list[tuple[Priority, int, Backlog]] = []
        self._offered = Counter[int]()
        self._benched: list[tuple[int, int, Backlog]] = []
        self._polls: list[tuple[float, int, Export]] = []

    def offer(self, backlog: Backlog) -> None:
        """Let a partition stand in line, once, with the export that it needs next."""
        if not self._is_offered(backlog):
            return
        if backlog.turn > self.region.turns:
            heapq.heappush(self._benched, (backlog.turn, self._next_ticket(backlog), backlog))
        else:
            self._line_up(backlog)

    def bench(self, backlog: Backlog, export: Export) -> None:
        """A refused partition goes behind the others of its turn, and one of a later turn."""
        purpose = export.priority[0]
        others = sum(number for one, number in self._offered.items() if one <= purpose)
        backlog.turn = self.region.turns + others + 1

    @property
    def first(self) -> Export | None:
        """The export to request next, left in line."""
        offers, benched = self._offers, self._benched
        while offers and not self._is_offered(offers[0][2], offers[0][1]):
            self.pop()
        while benched and (benched[0][0] <= self.region.turns or not offers):
            _, ticket, backlog = heapq.heappop(benched)
            if self._is_offered(backlog, ticket):
                self._line_up(backlog)
        return offers[0][2].next_request if offers else None

    def pop(self) -> None:
        """Take the first export out of line."""
        priority, *_ = heapq.heappop(self._offers)
        self._offered[priority[0]] -= 1

    def add_poll(self, export: Export) -> None:
        """An export is to be polled."""
        self._serial += 1
        heapq.heappush(self._polls, (export.due, self._serial, export))

    @property
    def first_poll(self) -> Export | None:
        """The export to poll next, left in line."""
        while self._polls:
            export = self._polls[0][2]
            if export.stage is Stage.POLL and not export.cancelled:
                return export
            heapq.heappop(self._polls)
        return None

    def pop_poll(self) -> None:
        """Take the first export to be polled out of line."""
        heapq.heappop(self._polls)

    def _line_up(self, backlog: Backlog) -> None:
        if export := backlog.next_request:
            heapq.heappush(self._offers, (export.priority, self._next_ticket(backlog), backlog))
            self._offered[export.priority[0]] += 1

    def _next_ticket(self, backlog: Backlog) -> int:
        self._serial += 1
        backlog.ticket = self._serial
        return self._serial

    def _is_offered(self, backlog: Backlog, ticket: int | None = None) -> bool:
        """Whether a partition may be asked for, by its last place in line."""
        export = backlog.next_request
        return (
            export is not None
            and ticket in (None, backlog.ticket)
            and not backlog.requesting
            and export.due <= self._clock.monotonic()
        )
