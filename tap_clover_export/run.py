"""One run: the work it has, the queue that does it, and the state that remembers it."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from typing import TYPE_CHECKING, Any, Protocol

from tap_clover_export import times
from tap_clover_export.clock import SystemClock
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.errors import Stopped
from tap_clover_export.exports.exporter import Exporter
from tap_clover_export.exports.spool import EXPORT_BYTES
from tap_clover_export.planning.bookmarks import Bookmarks
from tap_clover_export.planning.late_changes import Schedule
from tap_clover_export.planning.plan import Partition, plan_partition, turns
from tap_clover_export.progress import summary
from tap_clover_export.progress.log import ProgressLog
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.queue import Queue
from tap_clover_export.tokens.store import open_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pendulum import DateTime

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.export import Export
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.settings import Settings

logger = logging.getLogger("tap-clover-export.run")


AHEAD = dt.timedelta(days=1)
"""A bookmark further ahead than clocks differ is a mistake."""


class WritesState(Protocol):
    """Writes the state to the output."""

    def write_state(self, state: dict[str, Any], *, last: bool = False) -> None:
        """Write it if it changed, or if it has to be the last message."""
        ...

    def write_if_due(self, state: dict[str, Any]) -> None:
        """Write it if it changed, and as often as its size allows."""
        ...

    def raise_if_closed(self) -> None:
        """End here if nobody reads the output any more.

        Raises:
            OutputClosedError: The reader is gone.
        """
        ...


class Run:
    """What the streams of one run share.

    Attributes:
        plans: What each partition lacks.
        bookmarks: The state, and how it moves.
        stats: What is done so far.
        progress_log: Tells the log of it.
        signal: The signal that asked the run to stop, if one did.
    """

    def __init__(
        self,
        settings: Settings,
        streams: Sequence[str],
        state: dict[str, Any],
        state_writer: WritesState,
        *,
        full_tables: Collection[str] = (),
        clock: Clock | None = None,
        workers: int | None = None,
    ) -> None:
        """Plan a run; asks Clover nothing.

        Args:
            settings: The settings.
            streams: The streams to export.
            state: Singer's state, changed in place.
            state_writer: Writes it.
            full_tables: The streams of which everything is exported, whatever the state says.
            clock: The time; the system's unless given.
            workers: How many threads; 0 does everything in the caller's thread.

        Raises:
            StateError: The state can't be read.
        """
        self._settings = settings
        self._state_writer = state_writer
        self._clock = clock or SystemClock()
        self._workers = workers
        self._queue: Queue | None = None
        self.signal: int | None = None
        self.bookmarks = Bookmarks(state, full_tables)
        self.stats = RunStats(self._clock.monotonic)
        self.progress_log = ProgressLog(self.stats)
        now = self.now()
        schedules = {stream: self._late_changes(stream) for stream in streams}
        partitions = [
            Partition(merchant, stream) for merchant in settings.merchants for stream in streams
        ]
        states = [self.bookmarks.read(partition) for partition in partitions]
        self.plans = [
            plan_partition(
                partition,
                number,
                state,
                end=settings.end or now,
                now=now,
                lookback=settings.lookback,
                width=settings.window,
                late_changes=schedules[partition.stream],
            )
            for partition, state, number in zip(partitions, states, turns(states), strict=True)
        ]
        self._plan_of = {plan.partition: plan for plan in self.plans}

    def _late_changes(self, stream: str) -> Schedule | None:
        """When late changes are looked for; windows by `modifiedTime` bring them by themselves."""
        settings = self._settings
        if not settings.late_changes or self.bookmarks.window_field(stream) == "modifiedTime":
            return None
        return Schedule(settings.late_changes, settings.late_changes_every)

    def now(self) -> DateTime:
        """The time, in UTC."""
        return times.from_seconds(self._clock.now())

    @functools.cached_property
    def client(self) -> Client:
        """Speaks to Clover for this run."""
        settings = self._settings
        store = open_store(settings.token_store, settings.token_keys)
        auth = Auth(settings.client_id, store, self._clock.now, settings.client_secret)
        return Client(auth, file_bytes=settings.file_bytes)

    @property
    def queue(self) -> Queue:
        """The queue, made when it is first needed."""
        if self._queue is None:
            settings = self._settings
            exporter = Exporter(
                self.client,
                self._clock,
                poll_interval=settings.poll_interval,
                timeout=settings.export_timeout,
                most_bytes=max(EXPORT_BYTES, settings.file_bytes),
            )
            limits = Limits(
                slots=settings.max_concurrent_exports,
                max_wait=settings.max_wait,
                max_run=settings.max_run,
                patience=settings.export_timeout,
            )
            self._queue = Queue(
                self.plans,
                exporter,
                limits,
                clock=self._clock,
                workers=self._workers,
                on_change=self.checkpoint,
                on_retry=self.progress_log.attempt_failed,
                interrupted=self._interrupted,
                stats=self.stats,
            )
        return self._queue

    def _interrupted(self) -> bool:
        self._state_writer.raise_if_closed()
        self.progress_log.report_if_due()
        return self.signal is not None

    def prepare(self) -> None:
        """Say what there is to do."""
        if not self.plans:
            logger.warning(
                "Neither orders nor payments are selected, or stream_maps removes them; there is "
                "nothing to do."
            )
        now = self.now()
        for plan in self.plans:
            if plan.partition.merchant.start > now:
                logger.warning("The start_date of %s lies in the future.", plan.partition)
            elif plan.bookmark and plan.bookmark > now:
                logger.log(
                    logging.WARNING if plan.bookmark > now + AHEAD else logging.INFO,
                    "The bookmark of %s lies in the future, at %s; nothing new of it is exported "
                    "until then: look at this machine's clock, or correct the state.",
                    plan.partition,
                    times.to_text(plan.bookmark),
                )
        if self._settings.late_changes and (
            names := [
                name
                for name in dict.fromkeys(plan.partition.stream for plan in self.plans)
                if self.bookmarks.window_field(name) == "modifiedTime"
            ]
        ):
            logger.info(
                "Clover's windows of %s hold modifiedTime: late changes come by themselves, no "
                "search for them is needed.",
                " and ".join(names),
            )
        for plan in self.plans:
            self.stats.planned(plan.partition, plan.count())
        self.progress_log.begin(
            self._settings.max_concurrent_exports, sum(len(plan.pending) for plan in self.plans)
        )

    @property
    def running(self) -> int:
        """Exports that are in progress at Clover or being asked for."""
        return self._queue.running if self._queue else 0

    def next(self) -> Export | None:
        """The export to emit next, over all partitions."""
        return self.queue.next()

    def fail(self, partition: Partition, reason: str) -> None:
        """Give a partition up; its bookmark stays where it is."""
        self.queue.fail(partition, reason)

    def files(self, export: Export) -> Iterator[bytes]:
        """An export's files, as they arrive; fewer than all where others are ready before it."""
        while (content := self.queue.file(export)) is not None:
            yield content

    def reject(self, export: Export, why: str) -> None:
        """A file was no good: have it fetched again."""
        self.queue.reject(export, why)

    def finish(self, export: Export) -> None:
        """Every record of an export is written: move the bookmark."""
        self.progress_log.emitted(
            export.partition,
            export.window,
            export.spool.records if export.spool else 0,
            self._clock.monotonic() - export.requested,
        )
        self.queue.emitted(export)
        pending = self.queue.pending(export.partition)
        plan = self._plan_of[export.partition]
        self.bookmarks.emitted(plan, export.purpose, export.window, export.created, pending)
        self.checkpoint()

    def resumes(self, partition: Partition) -> bool:
        """Whether exports of a former run are still to be emitted."""
        return self.queue.resumes(partition)

    def checkpoint(self) -> None:
        """Take what Clover was asked for into the state, and write it if its size allows."""
        self._note_pending(self.queue)
        self._state_writer.write_if_due(self.bookmarks.state)

    def _note_pending(self, queue: Queue) -> None:
        for partition, pending in queue.changes():
            self.bookmarks.requested(partition, pending)

    def _note_holes(self, queue: Queue) -> None:
        holes: dict[Partition, list[Window]] = {}
        for failure in filter(lambda failure: failure.is_hole, queue.failures):
            holes.setdefault(failure.partition, []).append(failure.window)
        for plan in self.plans:
            self.bookmarks.ended(plan.partition, holes.get(plan.partition, ()))

    def raise_if_stopped(self) -> None:
        """Stop here if the run was asked to.

        Raises:
            Stopped: It was.
        """
        if self.signal is not None:
            raise Stopped

    def stop(self, signal: int) -> None:
        """Ask the run to stop; may be called from a signal handler."""
        self.signal = signal
        if self._queue:
            self._queue.wakeup.set()

    def close(self, *, quietly: bool = False) -> None:
        """End the threads, give the disk back and, unless quietly, write the last state."""
        if self._queue:
            self.client.close_to_refreshes()
            self._queue.close()
            self._note_pending(self._queue)
            self._note_holes(self._queue)
        self.stats.close()
        if not quietly:
            self._state_writer.write_state(self.bookmarks.state, last=True)
        if self._queue:
            self.client.close()

    def missing(self) -> str | None:
        """What is missing and what to do, in one sentence; None where nothing is."""
        return summary.missing(self.queue.failures)

    def leftover(self) -> str | None:
        """What `max_run_hours` left for the next run; None where nothing."""
        next_up = [(export.purpose, export.window) for export in self.queue.left]
        return summary.leftover(next_up, len(self.plans), self.queue.refusing)
