"""Where the next step of each export is found: at once, after a pause, or once there is room."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import Stage
from tap_clover_export.scheduling.region_queue import RegionQueue

if TYPE_CHECKING:
    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.planning.plan import Partition
    from tap_clover_export.scheduling.admission import Admission
    from tap_clover_export.scheduling.backlog import Backlog
    from tap_clover_export.scheduling.downloads import Downloads
    from tap_clover_export.scheduling.scopes import Region

OLDEST_SECONDS = 12 * 3600.0
"""Where a finished export has waited this long, only what is emitted next is requested: files
live 24 hours."""

BRAKE_SECONDS = 60.0
"""How often what a brake or a limit holds back is looked at again."""


class Steps:
    """The steps that can be taken, and those that wait for a time, a slot or a budget.

    Attributes:
        under_way: The exports that are being worked at.
    """

    def __init__(
        self,
        clock: Clock,
        admission: Admission,
        downloads: Downloads,
        backlogs: dict[Partition, Backlog],
        under_way: set[Export],
    ) -> None:
        self._clock = clock
        self._admission = admission
        self._downloads = downloads
        self._backlogs = backlogs
        self.under_way = under_way
        self._queues: dict[str, RegionQueue] = {}
        self._timers: list[tuple[float, int, Export]] = []
        self._aging: list[tuple[float, int, Export]] = []
        self._aside: list[Export] = []
        self._serial = 0

    def queue(self, region: Region) -> RegionQueue:
        """Who waits in a region."""
        if region.name not in self._queues:
            self._queues[region.name] = RegionQueue(region, self._clock)
        return self._queues[region.name]

    @property
    def queues(self) -> list[RegionQueue]:
        """The regions that this run asks."""
        return list(self._queues.values())

    def add(self, export: Export, pause: float = 0.0) -> None:
        """Put an export where its next step will be found, once a pause in seconds is over."""
        export.due = self._clock.monotonic() + pause
        if pause > 0:
            self._add_timer(export, export.due)
        elif export.stage is Stage.DOWNLOAD:
            self._downloads.add(export)
        elif export.stage is not Stage.READY:
            queue = self.queue(self._admission.region(export))
            if export.stage is Stage.POLL:
                queue.add_poll(export)
            else:
                queue.offer(self._backlogs[export.partition])

    def answered(self) -> None:
        """A request was answered: its token may be used again."""
        aside, self._aside = self._aside, []
        for export in aside:
            self.add(export)

    def offer(self, backlog: Backlog) -> None:
        """Let a partition stand in line with the export that it needs next."""
        if export := backlog.next_request:
            self.queue(self._admission.region(export)).offer(backlog)

    def age(self, export: Export) -> None:
        """From now on a finished export waits at Clover."""
        self._serial += 1
        heapq.heappush(self._aging, (self._clock.monotonic(), self._serial, export))

    def next(self, *, requesting: bool) -> Export | None:
        """The export to take a step further now: what is requested, polled, then fetched.

        Args:
            requesting: Whether new exports are requested.
        """
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            export = heapq.heappop(self._timers)[2]
            if not export.cancelled and export not in self.under_way:
                self.add(export)
        found = (self._next_request(now) if requesting else None) or self._next_poll(now)
        if found:
            self._admission.start(found, creating=found.stage is Stage.CREATE)
        else:
            found = self._downloads.next()
        if found:
            self.under_way.add(found)
        return found

    def next_time(self, *, requesting: bool) -> float:
        """When there may be a next step, as far as time alone brings it."""
        now = self._clock.monotonic()
        times = [timer[0] for timer in self._timers[:1]]
        for queue in self._queues.values():
            if export := queue.first_poll:
                times.append(max(export.due, self._polls_at(queue, export)))
            if requesting and (export := queue.first):
                times.append(self._requests_at(queue, export))
        return min((time for time in times if time > now), default=float("inf"))

    def _next_request(self, now: float) -> Export | None:
        """The export to request next, where a region and a slot are open."""
        only_heads = self._waited_long(now)
        # A region that closes comes before one that may be asked at any hour, or the other's
        # exports would take the place in all of its few; new days come before any history.
        firsts = [(export, queue) for queue in self.queues if (export := queue.first)]
        firsts.sort(key=lambda one: (one[0].purpose, not one[1].region.closes, one[0].priority))
        for _, queue in firsts:
            while (export := queue.first) and self._requests_at(queue, export) <= now:
                queue.pop()
                free = self._admission.token_free_at(export)
                if only_heads and self._backlogs[export.partition].head is not export:
                    # No brake on age holds the head of a line.
                    free = now + BRAKE_SECONDS
                if free <= now:
                    self._backlogs[export.partition].requesting = True
                    return export
                self._set_aside(export, free)
        return None

    def _next_poll(self, now: float) -> Export | None:
        """The export to poll next, where its region, its app and its token may be asked."""
        for queue in self._queues.values():
            while (export := queue.first_poll) and self._polls_at(queue, export) <= now:
                queue.pop_poll()
                if export in self.under_way:
                    continue
                free = self._admission.token_free_at(export)
                if free <= now:
                    return export
                self._set_aside(export, free)
        return None

    def _set_aside(self, export: Export, until: float) -> None:
        """Look at an export again at a time, or with the next answer where that is infinite."""
        if until == math.inf:
            self._aside.append(export)
        else:
            self._add_timer(export, until)

    def _add_timer(self, export: Export, due: float) -> None:
        export.due = due
        self._serial += 1
        heapq.heappush(self._timers, (due, self._serial, export))

    def _requests_at(self, queue: RegionQueue, export: Export) -> float:
        """When a region may be asked for an export."""
        return max(self._admission.slot_at(queue.region), self._admission.app_free_at(export))

    def _polls_at(self, queue: RegionQueue, export: Export) -> float:
        """When exports of a region may be polled."""
        return max(queue.region.polls_not_before, self._admission.app_free_at(export))

    def _waited_long(self, now: float) -> bool:
        """Whether a finished export has waited so long that Clover may drop it soon."""
        while self._aging and not _waits_at_clover(self._aging[0][2]):
            heapq.heappop(self._aging)
        return bool(self._aging) and now - self._aging[0][0] > OLDEST_SECONDS


def _waits_at_clover(export: Export) -> bool:
    started = export.stage is Stage.CREATE or export.ready or export.spool is not None
    return not started and not export.cancelled
