"""What is left of one partition, in the order in which it is emitted."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.planning import windows
from tap_clover_export.planning.plan import Purpose
from tap_clover_export.planning.windows import Window
from tap_clover_export.progress.summary import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.planning.plan import PartitionPlan, PendingExport, PlannedExport


class Backlog:
    """A partition's exports: it offers its next one, and never overtakes itself.

    Attributes:
        partition: The merchant's stream.
        active: Exports that Clover was asked for, or is about to be, and that are not emitted.
        failures: What it can't go on with, and why.
        requesting: Whether Clover is being asked for its next export just now.
        turn: It is offered again once its region has made this number of requests.
        ticket: Its place in its region's line; older ones count no more.
    """

    def __init__(self, plan: PartitionPlan) -> None:
        self.partition = plan.partition
        self.active: list[Export] = []
        self.failures: list[Failure] = []
        self.requesting = False
        self.turn = 0
        self.ticket = 0
        self._bookmark = plan.bookmark
        self._emitted = False
        self._upcoming: Iterator[PlannedExport] = plan.exports()
        self._resumable = len(plan.pending)
        self._requests: list[Export] = []
        self._cancelled: list[Export] = []

    @property
    def head(self) -> Export | None:
        """The export that is emitted next."""
        return self.active[0] if self.active else None

    @property
    def asking(self) -> Export | None:
        """The first export that waits for an answer of Clover's."""
        stages = (Stage.CREATE, Stage.POLL)
        return next((export for export in self.active if export.stage in stages), None)

    def pending(self) -> list[PendingExport]:
        """What Clover was asked for and what is not emitted, in order of time."""
        known = (export.pending for export in (*self.active, *self._cancelled))
        return sorted((one for one in known if one), key=lambda one: one.window)

    def resume(self) -> list[Export]:
        """The exports of former runs, with all that comes before them in line."""
        resumed = []
        while self._resumable and (export := self._next_planned()):
            if export.resumed:
                self._resumable -= 1
                resumed.append(export)
        return resumed

    @property
    def next_request(self) -> Export | None:
        """The export to ask Clover for next, wherever it stands in line."""
        # No partition overtakes itself: what has to be asked for again comes before what
        # was never asked for, since nothing behind it can be emitted first.
        while self._requests and not self._requestable(self._requests[0]):
            heapq.heappop(self._requests)
        return self._requests[0] if self._requests else self._next_planned()

    def request_again(self, export: Export) -> None:
        """Clover has it no longer: it comes before all that were not requested yet."""
        heapq.heappush(self._requests, export)

    def emitted(self) -> None:
        """Its first export was emitted whole."""
        self.active.pop(0)
        self._emitted = True

    def parts(self, export: Export) -> tuple[Export, Export] | None:
        """What is new of an export, then its look-back; None where it has not both."""
        window, bookmark = export.window, self._bookmark
        if export.purpose is not Purpose.NEW or bookmark is None:
            return None
        bookmark = windows.whole(bookmark)
        if not window.start < bookmark < window.end:
            return None
        new, lookback = Window(bookmark, window.end), Window(window.start, bookmark)
        return export.in_two(new, lookback)

    def replace(self, export: Export, halves: tuple[Export, Export]) -> None:
        """Two halves take an export's place."""
        place = self.active.index(export)
        del self.active[place]
        export.cancelled = True
        for half in reversed(halves):
            self.active.insert(place, half)
            self.request_again(half)

    def fail(self, export: Export, reason: str, *, is_hole: bool) -> list[Export]:
        """End before an export; answers what is cancelled, while what stands before it goes on.

        Without its new days a partition ends here. A hole in its look-back, its history or the
        search for late changes ends that alone.

        Args:
            export: What can't be had.
            reason: Why, and what to do.
            is_hole: Whether it is this window that fails, and not all that is asked for.
        """
        before = list(itertools.takewhile(lambda one: one is not export, self.active))
        bookmark = self._bookmark
        if bookmark is None and (before or self._emitted):
            bookmark = export.window.start
        purpose, window = export.purpose, export.window
        failure = Failure(self.partition, reason, purpose, window, bookmark, is_hole)
        self.failures.append(failure)
        ends = {purpose}
        if purpose is Purpose.NEW and not failure.is_lookback:
            ends = set(Purpose)
        upcoming = self._upcoming
        self._upcoming = (planned for planned in upcoming if planned.purpose not in ends)
        behind = self.active[len(before) :]
        cancelled = [one for one in behind if one.purpose in ends]
        for one in cancelled:
            one.cancelled = True
        self.active = [*before, *(one for one in behind if not one.cancelled)]
        self._cancelled += cancelled
        return cancelled

    def _next_planned(self) -> Export | None:
        planned = next(self._upcoming, None)
        if planned is None:
            return None
        export = Export(self.partition, planned.window, planned.priority)
        if planned.pending:
            export.resume(planned.pending)
        else:
            self.request_again(export)
        self.active.append(export)
        return export

    @staticmethod
    def _requestable(export: Export) -> bool:
        return export.stage is Stage.CREATE and not export.cancelled
