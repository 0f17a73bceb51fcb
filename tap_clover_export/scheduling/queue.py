"""Works ahead over streams, merchants and windows, so that nobody waits without need.

Threads create, poll and download; the main thread takes what is ready, in the order of work. The
one lock is here: all that the scheduler knows is read and changed under it.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from tap_clover_export.clock import SystemClock, Wakeup
from tap_clover_export.errors import Stopped, unexpected
from tap_clover_export.exports.outcomes import Failed
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.planning.plan import Partition, PartitionPlan, PendingExport
    from tap_clover_export.progress.summary import Failure
    from tap_clover_export.scheduling.backlog import Backlog
    from tap_clover_export.scheduling.limits import Limits

logger = logging.getLogger("tap-clover-export.queue")

JOIN_SECONDS = 1.0

CREATE_SECONDS = 60.0
"""How long a run that ends waits for the answer to a request that would be forgotten without."""

LISTEN_SECONDS = 10.0
"""How often the caller looks up while nothing happens."""

MOST_WORKERS = 16

_T = TypeVar("_T")


class _NotYet(enum.Enum):
    NOT_YET = 0


_NOT_YET = _NotYet.NOT_YET


class Advances(Protocol):
    """Takes an export a step further."""

    def advance(self, export: Export, /) -> Outcome:
        """Make one attempt."""
        ...


class Queue:
    """The exports of a run, from the first request to the file on disk.

    Attributes:
        wakeup: Makes the caller look at `interrupted`.
    """

    def __init__(
        self,
        plans: Iterable[PartitionPlan],
        exporter: Advances,
        limits: Limits,
        *,
        clock: Clock | None = None,
        workers: int | None = None,
        on_change: Callable[[], None] | None = None,
        on_retry: Callable[[str], None] = lambda _: None,
        interrupted: Callable[[], bool] = lambda: False,
        stats: RunStats | None = None,
    ) -> None:
        """Make a queue; nothing is asked of Clover before the first call of `next`.

        Args:
            plans: What each partition lacks.
            exporter: Takes an export a step further.
            limits: What the run keeps to.
            clock: The time; the system's unless given.
            workers: How many threads; 0 does the work in the caller's thread while it waits.
            on_change: Called in the caller's thread after `pending` of a partition changed.
            on_retry: Called, in any thread, with the reason where something is tried again.
            interrupted: Whether the caller should stop waiting.
            stats: Counts what happens.
        """
        self._clock = clock or SystemClock()
        self._exporter = exporter
        self._workers = min(limits.slots + 1, MOST_WORKERS) if workers is None else workers
        self._on_change = on_change
        self._interrupted = interrupted
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._closed = False
        self._crash: BaseException | None = None
        self._scheduler = Scheduler(
            self._clock, stats or RunStats(self._clock.monotonic), limits, on_retry=on_retry
        )
        self.wakeup = Wakeup()
        for plan in plans:
            self._scheduler.add(plan)

    @property
    def backlogs(self) -> dict[Partition, Backlog]:
        """What is left of each partition."""
        return self._scheduler.backlogs

    @property
    def running(self) -> int:
        """Exports that take a place at Clover, as it was known last while others change it.

        It waits for nobody: the display asks in a lock of its own, which a line of the log needs.
        """
        if self._changed.acquire(blocking=False):
            try:
                self._running = self._scheduler.running
            finally:
                self._changed.release()
        return self._running

    # Taking, in the caller's thread

    def next(self) -> Export | None:
        """The next export with something to emit, over all partitions; None when all is done."""

        def look() -> Export | _NotYet | None:
            if export := self._scheduler.pick():
                return export
            return None if self._scheduler.exhausted else _NOT_YET

        return self._wait(look)

    def file(self, export: Export) -> bytes | None:
        """The next file of an export.

        None where all were taken, where it can't be had, or where others are ready and it is not.
        """

        def look() -> bytes | _NotYet | None:
            content = export.spool.take() if export.spool else None
            if content is not None or export.cancelled or export.ready:
                return content
            return None if self._scheduler.whole or self._scheduler.exhausted else _NOT_YET

        return self._wait(look)

    def reject(self, export: Export, why: str) -> None:
        """The file that was taken last is no good: have it fetched again."""
        with self._changed:
            self._scheduler.reject(export, why)
            self._changed.notify_all()

    def emitted(self, export: Export) -> None:
        """An export was emitted whole."""
        with self._changed:
            self._scheduler.emitted(export)
            self._changed.notify_all()

    def fail(self, partition: Partition, reason: str) -> None:
        """Give a partition up; what was requested stays pending."""
        with self._changed:
            if head := self.backlogs[partition].head:
                self._scheduler.fail(head, reason)

    def pending(self, partition: Partition) -> list[PendingExport]:
        """What Clover was asked for and what is not emitted, in order of time."""
        with self._changed:
            return self.backlogs[partition].pending()

    def resumes(self, partition: Partition) -> bool:
        """Whether exports of a former run are still to be emitted."""
        with self._changed:
            return any(export.resumed for export in self.backlogs[partition].active)

    def changes(self) -> list[tuple[Partition, list[PendingExport]]]:
        """The partitions whose pending exports changed since the last call."""
        with self._changed:
            return self._scheduler.changes()

    @property
    def failures(self) -> list[Failure]:
        """What could not go on."""
        return [failure for backlog in self.backlogs.values() for failure in backlog.failures]

    @property
    def refusing(self) -> list[tuple[str, str]]:
        """The regions that accepted no export in this run, and why."""
        return self._scheduler.refusing

    @property
    def left(self) -> list[Export]:
        """What `max_run` left for the next run, the first export of each partition."""
        return [head for backlog in self.backlogs.values() if (head := backlog.head)]

    def close(self) -> None:
        """End the threads and give the disk back.

        A request for an export that is under way is answered first: Clover has it from then on,
        and who does not know its id can't resume it.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._threads:
                self._changed.wait_for(lambda: not self._scheduler.requesting, CREATE_SECONDS)
        end = time.monotonic() + JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            self._scheduler.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, look: Callable[[], _T | _NotYet]) -> _T:
        """Look until there is something to see."""
        self._start()
        while True:
            if self._closed or self._interrupted():
                raise Stopped
            with self._changed:
                if self._crash:
                    raise self._crash
                seen = look()
                touched = self._scheduler.changed and self._on_change is not None
            if touched and self._on_change:
                self._on_change()
            if not isinstance(seen, _NotYet):
                return seen
            if not touched:
                self._listen()

    def _listen(self) -> None:
        """Wait until something happened."""
        if not self._threads:
            self._work_here()
            return
        self.wakeup.wait(LISTEN_SECONDS)

    # Working, in the threads

    def _start(self) -> None:
        # Rule 9: threads work ahead, so that neither Clover nor the emitter waits for the other;
        # what is next to be emitted is held back by nothing that comes after it.
        if self._workers and not self._threads:
            for number in range(self._workers):
                thread = threading.Thread(target=self._work, name=f"clover-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._closed and not (export := self._scheduler.next_step()):
                        self.wakeup.set()  # a time may have come that the caller looks for
                        self._changed.wait(self._scheduler.seconds_until_next_step())
                    if self._closed or not export:
                        return
                self._step(export)
        except BaseException as error:  # noqa: BLE001
            self._crash = error
            self.wakeup.set()

    def _work_here(self) -> None:
        with self._changed:
            export = self._scheduler.next_step()
            pause = 0.0
            if not export and not self._scheduler.exhausted:
                pause = self._scheduler.seconds_until_next_step()
        if export:
            self._step(export)
        else:
            self._clock.sleep(pause)

    def _step(self, export: Export) -> None:
        try:
            outcome = self._exporter.advance(export)
        except Exception as error:
            logger.debug("Unexpected.", exc_info=True)
            outcome = Failed(unexpected(error), keep=True)
        with self._changed:
            self._scheduler.record_outcome(export, outcome)
            if self._closed:
                export.discard()
            self._changed.notify_all()
        self.wakeup.set()
