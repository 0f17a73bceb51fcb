"""The order of work: what to request, poll, fetch and emit next; no threads, no waiting."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from tap_clover_export.errors import without_request_ids
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.outcomes import (
    Accepted,
    Empty,
    Failed,
    Finished,
    Moved,
    NoSpace,
    RateLimited,
    Refused,
    Split,
    Working,
)
from tap_clover_export.progress.summary import in_brief
from tap_clover_export.scheduling.admission import Admission
from tap_clover_export.scheduling.backlog import Backlog
from tap_clover_export.scheduling.downloads import Downloads
from tap_clover_export.scheduling.emission import Emission
from tap_clover_export.scheduling.limits import Deadline
from tap_clover_export.scheduling.steps import BRAKE_SECONDS, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.planning.plan import Partition, PartitionPlan, PendingExport
    from tap_clover_export.progress.stats import RunStats
    from tap_clover_export.scheduling.limits import Limits
    from tap_clover_export.scheduling.region_queue import RegionQueue

logger = logging.getLogger("tap-clover-export.queue")

IDLE_SECONDS = 3600.0
"""The longest pause."""


class Scheduler:
    """Which step to take next, over all partitions, regions and stages.

    Attributes:
        backlogs: What is left of each partition.
    """

    def __init__(
        self,
        clock: Clock,
        stats: RunStats,
        limits: Limits,
        *,
        on_retry: Callable[[str], None],
    ) -> None:
        """Make an empty scheduler.

        Args:
            clock: The time.
            stats: Counts what happens.
            limits: What the run keeps to.
            on_retry: Called with the reason where something is tried again.
        """
        self._clock = clock
        self._stats = stats
        self._deadline = Deadline(clock, limits)
        self._on_retry = on_retry
        self._said_reasons: set[str] = set()
        self._touched: set[Partition] = set()
        self._open: set[Backlog] = set()
        self.backlogs: dict[Partition, Backlog] = {}
        under_way: set[Export] = set()
        self._admission = Admission(clock, limits)
        self._downloads = Downloads(self._goes_on, under_way, limits.slots)
        self._emission = Emission(self._is_head, self._downloads.spooled)
        self._steps = Steps(clock, self._admission, self._downloads, self.backlogs, under_way)

    def add(self, plan: PartitionPlan) -> None:
        """Take a partition's work in."""
        backlog = self.backlogs[plan.partition] = Backlog(plan)
        for export in backlog.resume():
            export.requested = self._clock.monotonic()
            self._admission.region(export).at_clover.hold(export, export.requested)
            self._stats.resumed(plan.partition)
            self._steps.add(export)
        self._steps.offer(backlog)
        if backlog.active:
            self._open.add(backlog)

    # What the emitter asks

    def pick(self) -> Export | None:
        """What can be emitted now, in the order of work."""
        return self._emission.pop()

    @property
    def whole(self) -> bool:
        """Whether an export is ready to be emitted to its end."""
        return self._emission.whole is not None

    def reject(self, export: Export, why: str) -> None:
        """Have the file that was taken last fetched again."""
        if export.spool and export.spool.reject():
            export.bad = why
            if export.ready:
                export.stage = Stage.DOWNLOAD
                self._steps.add(export)

    def emitted(self, export: Export) -> None:
        """An export was emitted whole."""
        backlog = self.backlogs[export.partition]
        backlog.emitted()
        self._stats.emitted(export.partition)
        self._downloads.discard(export)
        self._go_on(backlog)

    def fail(self, export: Export, reason: str, *, is_hole: bool = True) -> None:
        """End what an export is for before it; what stands before it in line goes on."""
        backlog = self.backlogs[export.partition]
        if export.cancelled:
            return
        words = without_request_ids(reason)
        level = logging.DEBUG if words in self._said_reasons else logging.ERROR
        logger.log(level, "%s: %s.", backlog.partition, in_brief(reason))
        self._said_reasons.add(words)
        self._stats.failed(backlog.partition)
        for cancelled in backlog.fail(export, reason, is_hole=is_hole):
            self._discard(cancelled)
        self._steps.offer(backlog)
        self._go_on(backlog)

    def changes(self) -> list[tuple[Partition, list[PendingExport]]]:
        """The partitions whose pending exports changed since the last call."""
        touched, self._touched = self._touched, set()
        return [(partition, self.backlogs[partition].pending()) for partition in touched]

    @property
    def changed(self) -> bool:
        """Whether pending exports changed since the last call of `changes`."""
        return bool(self._touched)

    @property
    def running(self) -> int:
        """Exports that take a place at Clover."""
        return self._admission.running

    @property
    def requesting(self) -> bool:
        """Whether Clover is being asked for an export just now."""
        return any(export.stage is Stage.CREATE for export in self._steps.under_way)

    @property
    def refusing(self) -> list[tuple[str, str]]:
        """The regions that refused and accepted no export so far, and why."""
        regions = self._admission.regions.values()
        return [(r.name, r.why()) for r in regions if r.since is not None and not r.ever]

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will get ready."""
        if not self._open:
            return True
        if self.requesting or not self._deadline.passed:
            return False
        return not any(backlog.head and self._is_coming(backlog.head) for backlog in self._open)

    def clear(self) -> None:
        """Give back the disk."""
        for export in list(self._downloads.spooled):
            self._downloads.discard(export)

    # What the workers ask

    def next_step(self) -> Export | None:
        """The export to take a step further now."""
        requesting = not self._deadline.passed
        if requesting:
            for queue in self._steps.queues:
                self._give_up_if_due(queue)
        return self._steps.next(requesting=requesting)

    def record_outcome(self, export: Export, outcome: Outcome) -> None:
        """Take in what a step came to."""
        creating = export.stage is Stage.CREATE
        self._steps.under_way.discard(export)
        if creating:
            self.backlogs[export.partition].requesting = False
        if export.stage is not Stage.DOWNLOAD:
            self._admission.answer(export, outcome, creating=creating)
            self._steps.answered()
        if isinstance(outcome, Accepted):
            export.id, export.created = outcome.id, outcome.created
            export.requested = self._clock.monotonic()
            self._touched.add(export.partition)
            self._stats.requested(export.partition)
        if export.cancelled:
            self._discard(export)
        else:
            self._apply(outcome, export)
        if creating:
            self._steps.offer(self.backlogs[export.partition])
        if not export.spool:
            self._downloads.spooled.discard(export)
        region = self._admission.region(export)
        if region.since is None or not self._steps.queue(region).first:
            self._stats.wait_ended(region.name)
        else:
            until = self._admission.wall_time(region.not_before)
            self._stats.waiting(region.name, until, region.why())

    def seconds_until_next_step(self) -> float:
        """How long there is nothing to do."""
        now, requesting = self._clock.monotonic(), not self._deadline.passed
        times = [now + IDLE_SECONDS, self._steps.next_time(requesting=requesting)]
        times += [self._deadline.requests, self._deadline.end]
        times += self._admission.times()
        return max(min(time for time in times if time > now) - now, 0.001)

    # What an outcome changes

    @functools.singledispatchmethod
    def _apply(self, outcome: Outcome, export: Export) -> None:
        """Change an export by what its step came to, and put it where its next step is found."""
        raise NotImplementedError(outcome)

    @_apply.register
    def _(self, outcome: Accepted, export: Export) -> None:
        export.stage = Stage.POLL
        self._steps.add(export, outcome.pause)

    @_apply.register
    def _(self, outcome: Working, export: Export) -> None:
        if outcome.finished:
            self._steps.age(export)
        self._steps.add(export, outcome.pause)

    @_apply.register
    def _(self, outcome: Finished, export: Export) -> None:
        export.created, export.stage = outcome.created, Stage.DOWNLOAD
        export.link(outcome.urls, self._clock.monotonic())
        self._steps.age(export)
        self._touched.add(export.partition)
        self._steps.add(export)

    @_apply.register
    def _(self, outcome: Empty, export: Export) -> None:
        export.created, export.stage = outcome.created, Stage.READY
        self._touched.add(export.partition)
        self._emission.add(export)

    @_apply.register
    def _(self, outcome: Moved, export: Export) -> None:
        if outcome.reason:
            self._stats.retried(export.partition)
            self._on_retry(outcome.reason)
        if outcome.stage is Stage.CREATE and export.id:
            export.forget()
            self._touched.add(export.partition)
            self.backlogs[export.partition].request_again(export)
        # A file may have been rejected while the last one was on its way.
        missing = outcome.stage is Stage.READY and export.bad
        export.stage = Stage.DOWNLOAD if missing else outcome.stage
        self._emission.add(export)
        self._steps.add(export, outcome.pause)

    @_apply.register
    def _(self, outcome: NoSpace, export: Export) -> None:
        self._on_retry(f"the temporary directory takes no more ({outcome.reason})")
        given_up = self._downloads.make_room(export)
        for one in given_up:
            one.stage = Stage.POLL
        for one in {export, *given_up}:
            self._steps.add(one, outcome.pause)

    @_apply.register
    def _(self, outcome: Refused, export: Export) -> None:
        del outcome
        self._refused(export)

    @_apply.register
    def _(self, outcome: RateLimited, export: Export) -> None:
        del outcome
        self._refused(export)
        if not self._admission.limited_for_long(export):
            return
        for backlog in list(self._open):
            waiting = backlog.asking
            if waiting and (reason := self._admission.limited_for_long(waiting)):
                self.fail(waiting, reason, is_hole=False)

    @_apply.register
    def _(self, outcome: Split, export: Export) -> None:
        logger.warning("%s; trying it as two halves.", outcome.reason)
        self._replace(export, export.halves(outcome.halves))

    @_apply.register
    def _(self, outcome: Failed, export: Export) -> None:
        parts = self.backlogs[export.partition].parts(export)
        if parts and not outcome.keep:  # a hole in the look-back holds up no new day
            logger.warning("%s; trying what is new by itself.", in_brief(outcome.reason))
            self._replace(export, parts)
            return
        if not outcome.keep:
            export.forget()
            self._touched.add(export.partition)
        self.fail(export, outcome.reason)

    # Inside

    def _replace(self, export: Export, parts: tuple[Export, Export]) -> None:
        """Ask for two exports in the place of one."""
        self._stats.split(export.partition)
        self._touched.add(export.partition)
        self._discard(export)
        backlog = self.backlogs[export.partition]
        backlog.replace(export, parts)
        self._steps.offer(backlog)

    def _go_on(self, backlog: Backlog) -> None:
        """Look at what a partition emits next."""
        head = backlog.head
        if head is None:
            self._open.discard(backlog)
            self._stats.finished(backlog.partition)
            return
        self._emission.add(head)
        if head.stage is Stage.DOWNLOAD and not head.spool:
            self._downloads.add_head(head)

    def _is_head(self, export: Export) -> bool:
        return self.backlogs[export.partition].head is export

    def _goes_on(self, export: Export) -> bool:
        """Whether an export is emitted next, and its region tells of it."""
        return self._is_head(export) and self._is_answered(export)

    def _discard(self, export: Export) -> None:
        """Give back the disk and the place of an export that nobody will take."""
        self._downloads.discard(export)
        if export not in self._steps.under_way:
            self._admission.region(export).at_clover.release(export)

    def _refused(self, export: Export) -> None:
        """Ask again for a refused export, after the others of its turn."""
        if export.stage is Stage.CREATE:
            queue = self._steps.queue(self._admission.region(export))
            queue.bench(self.backlogs[export.partition], export)
        self._steps.add(export)

    def _give_up_if_due(self, queue: RegionQueue) -> None:
        """Give a region up that has refused, or not answered, for too long."""
        reason = self._admission.lost(queue.region) if queue.first else None
        if reason is None:
            return
        for backlog in list(self._open):
            export = backlog.next_request
            if export and self._admission.region(export) is queue.region:
                self.fail(export, reason, is_hole=False)
        self._stats.wait_ended(queue.region.name)

    def _is_coming(self, head: Export) -> bool:
        """Whether a head is still waited for after `max_run`: not where polls are refused."""
        if head.stage is Stage.CREATE or self._deadline.ended:
            return head.emittable
        return self._is_answered(head)

    def _is_answered(self, export: Export) -> bool:
        """Whether nothing is asked of an export, or polls of its region are not refused."""
        if export.stage is not Stage.POLL:
            return True
        until = self._admission.region(export).polls_not_before
        return until - self._clock.monotonic() < BRAKE_SECONDS
