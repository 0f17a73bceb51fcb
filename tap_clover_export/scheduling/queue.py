"""Works ahead over streams, merchants and windows, so that nobody waits for nobody.

Threads create, poll and download; the main thread takes what is ready, in the order of work.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from tap_clover_export.clock import Clock, SystemClock, Wakeup
from tap_clover_export.errors import ExportFailedError, Stopped, unexpected
from tap_clover_export.exports.export import Stage
from tap_clover_export.scheduling.scheduler import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_clover_export.clover.unavailable import Refusal
    from tap_clover_export.exports.export import Export, Partition
    from tap_clover_export.planning.bookmarks import Pending
    from tap_clover_export.planning.plan import Work
    from tap_clover_export.progress.stats import RunStats
    from tap_clover_export.scheduling.scheduler import Track

logger = logging.getLogger("tap-clover-export.queue")

CLOSE_SECONDS = 1.0

LISTEN_SECONDS = 10.0
"""How often the caller looks up while nothing happens."""


_T = TypeVar("_T")


class _NotYet(enum.Enum):
    NOT_YET = 0


_NOT_YET = _NotYet.NOT_YET


class Advances(Protocol):
    """Takes an export a step further."""

    def advance(self, export: Export) -> Refusal | tuple[Export, ...] | None:
        """Make one attempt."""
        ...


class Queue:
    """The exports of a run, from the first request to the file on disk.

    Attributes:
        wakeup: Makes the caller look at `interrupted`.
    """

    def __init__(
        self,
        work: Iterable[Work],
        exporter: Advances,
        *,
        places: int,
        max_wait: float,
        max_run: float | None = None,
        clock: Clock | None = None,
        workers: int | None = None,
        on_change: Callable[[], None] | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        stats: RunStats | None = None,
    ) -> None:
        """Make a queue; nothing is asked of Clover before the first call of `take` or `next`.

        Args:
            work: What each partition lacks.
            exporter: Takes an export a step further.
            places: How many exports may be in progress at Clover at a time.
            max_wait: How long a region may refuse, in seconds, before its work is given up.
            max_run: After so many seconds no new export is asked for.
            clock: The time; the system's unless given.
            workers: How many threads; 0 does the work in the caller's thread while it waits.
            on_change: Called in the caller's thread after `pending` of a partition changed.
            interrupted: Whether the caller should stop waiting.
            stats: Counts what happens.
        """
        self._clock = clock or SystemClock()
        self._exporter = exporter
        self._workers = min(places + 1, 16) if workers is None else workers
        self._on_change = on_change
        self._interrupted = interrupted
        self._changed = threading.Condition()
        self.wakeup = Wakeup()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._crash: BaseException | None = None
        self._schedule = Schedule(
            self._clock.now,
            self.wakeup.set,
            places=places,
            max_wait=max_wait,
            max_run=max_run,
            stats=stats,
        )
        for item in work:
            self._schedule.add(item)

    @property
    def tracks(self) -> dict[Partition, Track]:
        """The partitions' exports."""
        return self._schedule.tracks

    @property
    def running(self) -> int:
        """Exports that are in progress at Clover or being asked for."""
        return self._schedule.running

    # Taking, in the caller's thread

    def next(self) -> Export | None:
        """The next export with something to emit, over all partitions; None when all is done."""
        return self._next(None)

    def take(self, partition: Partition) -> Export | None:
        """The next export of a partition with something to emit; None when all of it is done.

        Raises:
            ExportFailedError: The partition can't go on.
        """
        track = self.tracks.get(partition)
        if track is None:
            return None
        export = self._next(track)
        if export is None and track.failure:
            raise ExportFailedError(track.failure)
        return export

    def file(self, export: Export) -> bytes | None:
        """The next file of an export.

        None where all were taken, where it can't be had, or where others are ready and it is not.
        """

        def look() -> bytes | _NotYet | None:
            content = export.spool.take() if export.spool else None
            if content is not None or export.dropped or export.ready:
                return content
            others = self._schedule.wanted is None and self._schedule.whole()
            return None if others else _NOT_YET

        return self._wait(look)

    def reject(self, export: Export, why: str) -> None:
        """The file that was taken last is no good: have it fetched anew."""
        with self._changed:
            self._schedule.reject(export, why)
            self._changed.notify_all()

    def emitted(self, export: Export) -> None:
        """An export was emitted whole."""
        with self._changed:
            self._schedule.emitted(export)
            self._changed.notify_all()

    def fail(self, partition: Partition, reason: str) -> None:
        """Give a partition up; what was asked for stays pending."""
        with self._changed:
            track = self.tracks[partition]
            self._schedule.fail(track, reason, track.head)

    def pending(self, partition: Partition) -> list[Pending]:
        """What Clover was asked for and what is not emitted, in order of time."""
        with self._changed:
            track = self.tracks.get(partition)
            return track.pending() if track else []

    def changes(self) -> list[tuple[Partition, list[Pending]]]:
        """The partitions whose pending exports changed since the last call."""
        with self._changed:
            return self._schedule.changes()

    @property
    def failures(self) -> list[Track]:
        """The partitions that could not go on."""
        return [track for track in self.tracks.values() if track.failure]

    @property
    def shut(self) -> list[tuple[str, str]]:
        """The regions that accepted no export in this run, and why."""
        return self._schedule.shut

    @property
    def left(self) -> list[Track]:
        """The partitions that `max_run` left unfinished."""
        return [track for track in self.tracks.values() if track.line and not track.failure]

    def close(self) -> None:
        """End the threads and give the disk back."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            self._schedule.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self, track: Track | None) -> Export | None:
        def look() -> Export | _NotYet | None:
            if self._schedule.wanted is not track:
                self._schedule.wanted = track
                self._changed.notify_all()
            if export := self._schedule.pick(track):
                return export
            return None if self._schedule.over(track) else _NOT_YET

        return self._wait(look)

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
                touched = self._schedule.changed and self._on_change is not None
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
        if self._workers and not self._threads:
            for number in range(self._workers):
                thread = threading.Thread(target=self._work, name=f"clover-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        try:
            while True:
                with self._changed:
                    while not self._closed and not (export := self._schedule.choose()):
                        self._changed.wait(self._schedule.pause())
                    if self._closed or not export:
                        return
                self._step(export)
        except BaseException as error:  # noqa: BLE001
            self._crash = error
            self.wakeup.set()

    def _work_here(self) -> None:
        with self._changed:
            export = self._schedule.choose()
            pause = 0.0 if export or self._schedule.idle else self._schedule.pause()
        if export:
            self._step(export)
        else:
            self._clock.sleep(pause)

    def _step(self, export: Export) -> None:
        asking = export.stage is Stage.CREATE
        before = (export.id, export.in_progress)
        outcome: Refusal | tuple[Export, ...] | ExportFailedError | None
        try:
            outcome = self._exporter.advance(export)
        except ExportFailedError as error:
            outcome = error
        except Exception as error:
            logger.debug("Unexpected.", exc_info=True)
            outcome = ExportFailedError(unexpected(error))
        with self._changed:
            self._schedule.settle(export, outcome, before, asking=asking)
            if self._closed:
                export.discard()
            self._changed.notify_all()
        self.wakeup.set()
