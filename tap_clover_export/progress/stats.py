"""What a run has done so far: counts a stream, merchants, and what it waits for."""

from __future__ import annotations

import dataclasses
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.planning.plan import Partition

MIN_EMITTED = 3
"""How many exports have to be emitted before the rest is estimated."""


@dataclasses.dataclass
class StreamStats:
    """One stream, over all merchants.

    Attributes:
        planned: Exports to emit.
        resumed: Those of them that a former run requested.
        requested: How often Clover accepted an export.
        emitted: Exports emitted whole.
        records: Records written.
        retries: Attempts that failed for now, and exports requested again.
        failed: Merchants whose stream can't go on.
        waited: How long refusals of Clover held it up, in seconds.
    """

    planned: int = 0
    resumed: int = 0
    requested: int = 0
    emitted: int = 0
    records: int = 0
    retries: int = 0
    failed: int = 0
    waited: float = 0.0

    @property
    def missing(self) -> int:
        """Exports that are planned and not emitted."""
        return self.planned - self.emitted


@dataclasses.dataclass(frozen=True)
class RegionWait:
    """A region that refuses.

    Attributes:
        region: Its name.
        since: The first refusal, on the clock of the counts.
        until: When it is asked again.
        why: What keeps it from accepting exports.
    """

    region: str
    since: float
    until: float
    why: str


class RunStats:
    """Counts what happens; called a few times an export, from any thread.

    Attributes:
        streams: The streams' counts, by name.
        merchants: How many merchants there are.
        merchants_done: Those of which nothing is left to emit.
        merchants_failed: Those of which a stream can't go on.
        waits: The regions that refuse, by name.
        began: When the run began, on the clock it is handed.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._left: dict[Partition, int] = {}
        self._open: dict[str, int] = {}
        self._failed: set[Partition] = set()
        self._regions: dict[str, set[str]] = {}
        self._spans = defaultdict[str, list[tuple[float, float]]](list)
        self.streams: dict[str, StreamStats] = {}
        self.waits: dict[str, RegionWait] = {}
        self.began = now()

    # What happens

    def planned(self, partition: Partition, exports: int) -> None:
        """A number of exports is missing of a partition."""
        self.stream(partition.stream).planned += exports
        self._left[partition] = exports
        self._open[partition.merchant.id] = self._open.get(partition.merchant.id, 0) + bool(exports)
        if exports:
            self._regions.setdefault(partition.stream, set()).add(partition.merchant.region)

    def resumed(self, partition: Partition) -> None:
        """An export that a former run requested goes on."""
        self.stream(partition.stream).resumed += 1

    def requested(self, partition: Partition) -> None:
        """Clover accepted an export."""
        self.stream(partition.stream).requested += 1

    def split(self, partition: Partition) -> None:
        """Two halves take an export's place."""
        self.stream(partition.stream).planned += 1
        self._left[partition] = self._left.get(partition, 0) + 1

    def retried(self, partition: Partition) -> None:
        """Something has to be tried again."""
        with self._lock:
            self.stream(partition.stream).retries += 1

    def failed(self, partition: Partition) -> None:
        """A partition can't go on."""
        self.stream(partition.stream).failed += partition not in self._failed
        self._failed.add(partition)

    def emitted(self, partition: Partition) -> None:
        """An export was emitted whole."""
        self.stream(partition.stream).emitted += 1
        self._left[partition] = self._left.get(partition, 0) - 1

    def finished(self, partition: Partition) -> None:
        """Nothing is left to emit of a partition."""
        self._open[partition.merchant.id] = self._open.get(partition.merchant.id, 0) - 1

    def waiting(self, region: str, until: float, why: str) -> None:
        """A region refuses."""
        with self._lock:
            known = self.waits.get(region)
            self.waits[region] = RegionWait(
                region, known.since if known else self._now(), until, why
            )

    def wait_ended(self, region: str) -> None:
        """A region accepts again, or nothing is left to ask it for."""
        with self._lock:
            if known := self.waits.pop(region, None):
                now = self._now()
                for name, regions in self._regions.items():
                    if region in regions:
                        self.stream(name).waited += _added(self._spans[name], known.since, now)

    def close(self) -> None:
        """The run is over, and with it every wait."""
        for region in list(self.waits):
            self.wait_ended(region)

    # What came of it

    @property
    def total(self) -> StreamStats:
        """The sum over the streams; `waited` is the longest."""
        total = StreamStats()
        for stream in list(self.streams.values()):
            total.planned += stream.planned
            total.resumed += stream.resumed
            total.requested += stream.requested
            total.emitted += stream.emitted
            total.records += stream.records
            total.retries += stream.retries
            total.failed += stream.failed
            total.waited = max(total.waited, stream.waited)
        return total

    @property
    def merchants(self) -> int:
        """How many merchants there are."""
        return len(self._open)

    @property
    def merchants_done(self) -> int:
        """Those of which everything is emitted."""
        failed = {partition.merchant.id for partition in list(self._failed)}
        return sum(left <= 0 and name not in failed for name, left in list(self._open.items()))

    @property
    def merchants_failed(self) -> int:
        """Those of which a stream can't go on."""
        return len({partition.merchant.id for partition in list(self._failed)})

    @property
    def seconds(self) -> float:
        """How long the run has lasted."""
        return self._now() - self.began

    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace so far, waits apart; None where nobody can tell."""
        total = self.total
        if self.waits or total.emitted < MIN_EMITTED:
            return None
        lost = sum(map(self.lost, list(self.streams)))
        return (self.seconds - total.waited) / total.emitted * (total.missing - lost)

    def lost(self, stream: str) -> int:
        """Exports of a stream that this run can't emit, since their partition can't go on."""
        failed = [partition for partition in list(self._failed) if partition.stream == stream]
        return sum(self._left.get(partition, 0) for partition in failed)

    def stream(self, name: str) -> StreamStats:
        """A stream's counts."""
        return self.streams.setdefault(name, StreamStats())


def _added(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """How much a span that ends last adds to what others cover; takes it in among them.

    Args:
        spans: The others, in order of time, of which no two overlap.
        start: Where it begins.
        end: Where it ends.
    """
    covered = 0.0
    while spans and spans[-1][1] >= start:
        first, last = spans.pop()
        covered += last - first
        start = min(start, first)
    spans.append((start, end))
    return end - start - covered
