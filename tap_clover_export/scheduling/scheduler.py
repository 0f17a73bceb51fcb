"""The order of work: what to ask for, poll, fetch and emit next; no threads, no waiting."""

from __future__ import annotations

import dataclasses
import heapq
import logging
from collections import deque
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.clover.unavailable import Refusal
from tap_clover_export.errors import ExportFailedError
from tap_clover_export.exports.export import OUTAGE_SECONDS, Stage, unreachable
from tap_clover_export.planning.bookmarks import Pending
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.scheduling.admission import Door, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_clover_export.exports.export import Export, Partition, Place
    from tap_clover_export.planning.plan import Work
    from tap_clover_export.planning.windows import Window

logger = logging.getLogger("tap-clover-export.queue")

SPOOLED = 4
"""So many exports at most lie on disk for each export that may be in progress."""

OLDEST_SECONDS = 12 * 3600.0
"""Nothing new is asked for while a finished export has waited this long: files live 24 hours."""

IDLE_SECONDS = 3600.0
"""The longest pause."""


@dataclasses.dataclass(eq=False)
class Track:
    """A partition's exports, in order of time.

    Attributes:
        partition: The merchant's stream.
        line: Exports that Clover was asked for, or is about to be, and that are not emitted.
        rest: Those after them.
        left: How many exports of former runs are among them.
        waiting: The last in line, while Clover was not asked for it.
        failure: Why it can't go on past the line, if it can't.
        failed: The window that is missing then.
        dropped: Exports after the failure.
    """

    partition: Partition
    line: deque[Export]
    rest: Iterator[Export]
    left: int = 0
    waiting: Export | None = None
    failure: str | None = None
    failed: Window | None = None
    dropped: list[Export] = dataclasses.field(default_factory=list)

    @property
    def head(self) -> Export | None:
        """The export that is emitted next."""
        return self.line[0] if self.line else None

    def pending(self) -> list[Pending]:
        """What Clover was asked for and what is not emitted, in order of time."""
        return [
            Pending(export.id, export.window, export.created)
            for export in sorted([*self.line, *self.dropped])
            if export.id and export.created
        ]


class Schedule:
    """Which step to take next, over all partitions, regions and stages.

    Attributes:
        tracks: The partitions' exports.
        wanted: The track that is emitted next; None where any may be.
    """

    def __init__(
        self,
        now: Callable[[], float],
        wake: Callable[[], None],
        *,
        places: int,
        max_wait: float,
        max_run: float | None,
        stats: RunStats | None = None,
    ) -> None:
        """Make an empty schedule.

        Args:
            now: The time, in seconds since the epoch.
            wake: Called where something happened that the emitter has to know.
            places: How many exports may be in progress at Clover at a time.
            max_wait: How long a region may refuse, in seconds, before its work is given up.
            max_run: After so many seconds no new export is asked for.
            stats: Counts what happens.
        """
        self._now = now
        self._stats = stats or RunStats(now)
        self._wake = wake
        self._places = Places(places)
        self._spooled_most = max(2, SPOOLED * places)
        self._max_wait = max_wait
        self._stop_asking = None if max_run is None else now() + max_run
        self._said_enough = False
        self._said_reasons: set[str] = set()
        self._doors: dict[str, Door] = {}
        self._asks: dict[str, list[tuple[Place, Window, Export]]] = {}
        self._timers: list[tuple[float, int, Export]] = []
        self._downloads: list[Export] = []
        self._files: list[Export] = []
        self._ready: list[Export] = []
        self._serial = 0
        self._asking = 0
        self._spooled: set[Export] = set()
        self._touched: set[Partition] = set()
        self._open: set[Track] = set()
        self.wanted: Track | None = None
        self.tracks: dict[Partition, Track] = {}

    def add(self, work: Work) -> None:
        """Take a partition's work in."""
        track = Track(work.partition, deque(), work.exports(), left=len(work.pending))
        self.tracks[work.partition] = track
        region = work.partition.merchant.region
        self._doors.setdefault(region, Door(region))
        self._asks.setdefault(region, [])
        self._advance_line(track)
        if track.line:
            self._open.add(track)

    def emitted(self, export: Export) -> None:
        """An export was emitted whole."""
        track = self.tracks[export.partition]
        track.line.popleft()
        self._stats.emitted(export.partition)
        self._let_go(export)
        if track.head and track.head.ready:
            heapq.heappush(self._ready, track.head)
        if not track.line:
            self._open.discard(track)
            self._stats.finished(export.partition)

    def changes(self) -> list[tuple[Partition, list[Pending]]]:
        """The partitions whose pending exports changed since the last call."""
        touched, self._touched = self._touched, set()
        return [(partition, self.tracks[partition].pending()) for partition in touched]

    @property
    def changed(self) -> bool:
        """Whether pending exports changed since the last call of `changes`."""
        return bool(self._touched)

    @property
    def running(self) -> int:
        """Exports that are in progress at Clover or being asked for."""
        return self._places.taken

    @property
    def idle(self) -> bool:
        """Whether nothing is left to emit."""
        return not self._open

    @property
    def shut(self) -> list[tuple[str, str]]:
        """The regions that refused and accepted no export so far, and why."""
        doors = self._doors.values()
        return [(d.region, d.why()) for d in doors if d.since is not None and not d.ever]

    def clear(self) -> None:
        """Give back the disk."""
        for export in list(self._spooled):
            self._let_go(export)

    def pick(self, track: Track | None) -> Export | None:
        """What can be emitted, of a track or of all: what is whole first, then what has begun."""
        if track is not None:
            head = track.head
            return head if head and _emittable(head) else None
        if self.whole():
            return heapq.heappop(self._ready)
        begun = (e for e in self._spooled if self.tracks[e.partition].head is e and _emittable(e))
        return min(begun, default=None)

    def whole(self) -> bool:
        """Whether an export is ready to be emitted to its end."""
        while self._ready:
            export = self._ready[0]
            if export.ready and self.tracks[export.partition].head is export:
                return True
            heapq.heappop(self._ready)
        return False

    def reject(self, export: Export, why: str) -> None:
        """Have the file fetched anew that was taken last."""
        if export.spool:
            export.spool.reject()
            export.bad = why
            if export.ready:
                self._plan(export)

    def over(self, track: Track | None) -> bool:
        """Whether nothing more will get ready."""
        tracks = self._open if track is None else {track} & self._open
        if not tracks:
            return True
        if not self._asked_enough() or self._asking:
            return False
        return not any(track.head and track.head.id for track in tracks)

    def settle(
        self,
        export: Export,
        outcome: Refusal | tuple[Export, ...] | ExportFailedError | None,
        before: tuple[str | None, bool],
        *,
        asking: bool,
    ) -> None:
        """Take in what a step came to.

        Args:
            export: What was advanced.
            outcome: What that came to.
            before: Its id, and whether it was in progress at Clover, before the step.
            asking: Whether Clover was asked for it.
        """
        self._asking -= asking
        track = self.tracks[export.partition]
        door = self._doors[export.partition.merchant.region]
        now = self._now()
        held = asking or before[1]
        if isinstance(outcome, Refusal):
            self._places.taken -= asking or (export.dropped and export.in_progress)
            self._refused(door, outcome, now, asking=asking)
        elif held and (export.dropped or outcome is not None or not export.in_progress):
            self._places.taken -= 1
        if asking:
            self._asked(door, export, outcome, now)
        if not isinstance(outcome, Refusal) and not self._asks[door.region]:
            self._stats.wait_ended(door.region)
        if export.id != before[0] or isinstance(outcome, tuple):
            self._touched.add(track.partition)
        if not export.spool:
            self._spooled.discard(export)
        if export.dropped:
            self._let_go(export)
        elif isinstance(outcome, ExportFailedError):
            self.fail(track, str(outcome), export)
        elif isinstance(outcome, tuple):
            self._replace(track, export, outcome)
        else:
            self._plan(export)

    def _asked(self, door: Door, export: Export, outcome: object, now: float) -> None:
        """Clover was asked for an export: it has it, or nobody answered, or it said why not."""
        if export.id:
            door.accepted()
            self._stats.requested(export.partition)
            self._stats.wait_ended(door.region)
        elif outcome is None:
            door.stumbled(now, export.trouble.words)

    def _refused(self, door: Door, refusal: Refusal, now: float, *, asking: bool) -> None:
        if asking and not refusal.closed:
            self._places.refused(now)
            if self._places.taken:
                return
        if asking or refusal.closed:
            door.refused(refusal, now)
            self._stats.waiting(door.region, door.until, door.why())

    def _replace(self, track: Track, export: Export, halves: tuple[Export, ...]) -> None:
        place = track.line.index(export)
        export.dropped = True
        del track.line[place]
        self._stats.split(track.partition)
        for half in reversed(halves):
            track.line.insert(place, half)
            self._plan(half)

    def fail(self, track: Track, reason: str, export: Export | None) -> None:
        """End a partition before an export; what stands in line before it goes on."""
        if export is None or export.dropped:
            return
        if track.failure is None:
            level = logging.DEBUG if reason in self._said_reasons else logging.ERROR
            logger.log(level, "%s: %s.", track.partition, reason)
            self._said_reasons.add(reason)
            self._stats.failed(track.partition)
        track.failure, track.failed = reason, export.window
        track.rest, track.waiting = iter(()), None
        while track.line:
            last = track.line.pop()
            last.dropped = True
            track.dropped.append(last)
            if last is export:
                break
        if not track.line:
            self._open.discard(track)
        for last in track.dropped:
            self._let_go(last)
        self._wake()

    def _let_go(self, export: Export) -> None:
        """Give back the disk of an export that nobody will take."""
        self._spooled.discard(export)
        export.discard()

    def _plan(self, export: Export) -> None:
        """Put an export where its next step will be found."""
        if export.stage is Stage.READY and export.bad:
            export.stage, export.due = Stage.DOWNLOAD, self._now()
        export.ready = export.stage is Stage.READY
        if export.ready:
            if self.tracks[export.partition].head is export:
                heapq.heappush(self._ready, export)
        elif export.due > self._now() or export.stage is Stage.POLL:
            self._serial += 1
            heapq.heappush(self._timers, (export.due, self._serial, export))
        elif export.stage is Stage.CREATE:
            asks = self._asks[export.partition.merchant.region]
            heapq.heappush(asks, (export.ask_place, export.window, export))
        else:
            heapq.heappush(self._files if export.spool else self._downloads, export)

    def _advance_line(self, track: Track) -> None:
        """Let the next window stand in line, and all before those that were asked for already."""
        track.waiting = None
        for export in track.rest:
            track.line.append(export)
            if export.taken_up:
                export.asked = self._now()
                self._places.taken += 1
                track.left -= 1
                self._stats.resumed(track.partition)
            else:
                track.waiting = export
            self._plan(export)
            if track.waiting and not track.left:
                return

    def choose(self) -> Export | None:
        """The step to take now: what is due, what is emitted next, what is asked for next."""
        now = self._now()
        while self._timers and self._timers[0][0] <= now:
            export = heapq.heappop(self._timers)[2]
            if export.dropped:
                self._places.taken -= export.in_progress
            elif export.stage is Stage.POLL:
                return export
            else:
                self._plan(export)
        if following := self._download_next():
            self._spooled.add(following)
            return following
        return self._ask_next(now)

    def _download_next(self) -> Export | None:
        """The file to fetch next, within the bounds of the disk."""
        for heap in (self._files, self._downloads):
            while heap and heap[0].dropped:
                heapq.heappop(heap)
        if not self._downloads:
            return heapq.heappop(self._files) if self._files else None
        if len(self._spooled) < self._spooled_most:
            first = not self._files or self._downloads[0] < self._files[0]
            return heapq.heappop(self._downloads if first else self._files)
        if self._files:
            return heapq.heappop(self._files)
        if any(self._is_next(export) for export in self._spooled):
            return None
        following = min(filter(self._is_next, self._downloads), default=None)
        if following:
            self._downloads.remove(following)
            heapq.heapify(self._downloads)
        return following

    def _is_next(self, export: Export) -> bool:
        track = self.tracks[export.partition]
        return track.head is export and self.wanted in (None, track)

    def _ask_next(self, now: float) -> Export | None:
        """The window to ask for next, where a region and a place are open."""
        if self._asked_enough() or self._waited_long(now):
            return None
        regions = [
            region
            for region, asks in self._asks.items()
            if self._look_through(region, now) and asks and self._doors[region].until <= now
        ]
        if not regions or not self._places.free(now):
            return None
        region = min(regions, key=lambda region: self._asks[region][0])
        *_, export = heapq.heappop(self._asks[region])
        self._places.taken += 1
        self._asking += 1
        track = self.tracks[export.partition]
        if track.waiting is export:
            self._advance_line(track)
        return export

    def _look_through(self, region: str, now: float) -> bool:
        """Drop what failed; give a region up that has refused for too long."""
        asks, door = self._asks[region], self._doors[region]
        while asks and asks[0][2].dropped:
            heapq.heappop(asks)
        if not asks:
            return False
        door.remind(now)
        if door.since is not None and now - door.since >= self._max_wait:
            reason = (
                f"region {region} did not accept an export within max_wait_hours "
                f"({door.why()}); run again when it does, or raise max_wait_hours"
            )
        elif words := door.lost_since(now - OUTAGE_SECONDS):
            reason = unreachable(words)
        else:
            return True
        for *_, export in sorted(asks):
            self.fail(self.tracks[export.partition], reason, export)
        asks.clear()
        self._stats.wait_ended(region)
        return False

    def _asked_enough(self) -> bool:
        if self._stop_asking is None or self._now() < self._stop_asking:
            return False
        if not self._said_enough:
            self._said_enough = True
            self._wake()
        return True

    def _waited_long(self, now: float) -> bool:
        """Whether a finished export has waited so long that Clover may drop it soon."""
        created = (export.created for export in self._downloads if export.created)
        oldest = min((times.to_ms(time) / 1000 for time in created), default=now)
        return now - oldest > OLDEST_SECONDS

    def pause(self) -> float:
        """How long there is nothing to do."""
        now = self._now()
        until = now + IDLE_SECONDS
        if self._timers:
            until = min(until, self._timers[0][0])
        for region, asks in self._asks.items():
            door = self._doors[region]
            if asks and self._places.taken < self._places.limit:
                until = min(until, max(door.until, now + 0.05))
            elif asks and self._places.taken < self._places.most:
                until = min(until, max(door.until, self._places.probe_at))
            if asks and door.since is not None:
                until = min(until, door.since + self._max_wait, door.remind_at)
        if self._stop_asking is not None and self._stop_asking > now:
            until = min(until, self._stop_asking)
        return max(until - now, 0.001)


def _emittable(export: Export) -> bool:
    return export.ready or (export.spool is not None and export.spool.waits)
