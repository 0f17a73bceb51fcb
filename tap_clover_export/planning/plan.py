"""What a run has to do: the spans and windows still missing, and their order; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
import math
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from tap_clover_export.planning import windows
from tap_clover_export.planning.late_changes import LateChanges
from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.covered import Covered
    from tap_clover_export.planning.late_changes import Schedule, Search
    from tap_clover_export.settings.merchants import Merchant

KEPT = dt.timedelta(hours=24)
"""How long Clover keeps an export and its files."""

EXPORT_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._~-]{0,127}")
"""Ids that can stand in an address; Clover's own are letters and digits."""

ExportType = Literal["ORDERS", "PAYMENTS"]

Priority: TypeAlias = tuple[int, ...]
"""Where a piece of work stands among all: its purpose, its place in it, its partition."""


class Purpose(enum.IntEnum):
    """What an export is for, in the order of work."""

    NEW = 0
    """The time after what is covered, and the look-back before it."""

    HISTORY = 1
    """The time before what is covered, down to the start."""

    LATE_CHANGES = 2
    """What is covered, once more."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclasses.dataclass(frozen=True)
class Partition:
    """One merchant's stream."""

    merchant: Merchant
    stream: str

    def __hash__(self) -> int:
        return hash((self.merchant.id, self.stream))

    @property
    def type(self) -> ExportType:
        """The stream by Clover's name."""
        return "ORDERS" if self.stream == "orders" else "PAYMENTS"

    def __str__(self) -> str:
        return f"{self.stream} of merchant {self.merchant.id}"


@dataclasses.dataclass(frozen=True)
class PendingExport:
    """An export that was requested and not yet emitted; `created` is by Clover's clock."""

    id: str
    window: Window
    created: DateTime


@dataclasses.dataclass(frozen=True)
class PartitionState:
    """Where a partition stands.

    Attributes:
        covered: What is exported and emitted, if anything is.
        pending: What was requested and is not emitted.
        late_changes: How far the search for late changes is.
        holes: The windows that the last run failed on.
    """

    covered: Covered | None = None
    pending: tuple[PendingExport, ...] = ()
    late_changes: LateChanges = dataclasses.field(default_factory=LateChanges)
    holes: tuple[Window, ...] = ()


@dataclasses.dataclass(frozen=True)
class PlannedExport:
    """A window to export, its place in the order of work, and the export of a former run of it."""

    window: Window
    priority: Priority
    pending: PendingExport | None = None

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return Purpose(self.priority[0])


@dataclasses.dataclass(frozen=True)
class PartitionPlan:
    """What one partition lacks.

    Attributes:
        partition: The merchant's stream.
        number: Its turn among the partitions.
        state: Where it stands.
        width: The widest window.
        new: The time after what is covered, look-back included; None where there is none.
        history: The time before it, down to the start.
        late_changes: What is exported once more.
        search: The search for late changes that this is part of.
        pending: Exports of former runs that can be resumed.
    """

    partition: Partition
    number: int
    state: PartitionState
    width: dt.timedelta
    new: Window | None = None
    history: Window | None = None
    late_changes: Window | None = None
    search: Search | None = None
    pending: tuple[PendingExport, ...] = ()

    @property
    def bookmark(self) -> DateTime | None:
        """The time up to which it is exported already, if it is."""
        return self.state.covered.end if self.state.covered else None

    def span(self, purpose: Purpose) -> Window | None:
        """The time that is exported for a purpose."""
        return (self.new, self.history, self.late_changes)[purpose]

    def count(self, purpose: Purpose | None = None) -> int:
        """How many windows there are, of one purpose or of all."""
        if purpose is None:
            return sum(map(self.count, Purpose))
        span = self.span(purpose)
        return windows.count(span, self.width, self._asked()) if span else 0

    def windows(self, purpose: Purpose) -> Iterator[Window]:
        """The windows of a purpose in the order of work; those of pending exports keep bounds."""
        span = self.span(purpose)
        if span is None:
            return iter(())
        if purpose is not Purpose.NEW:
            return windows.split(span, self.width, self._asked(), newest_first=True)
        # A look-back that fills windows of its own comes after what is new: nights that are too
        # short for both grow all the same.
        whole, again = itertools.tee(windows.split(span, self.width, self._asked()))
        bookmark = self.bookmark or span.start
        return itertools.chain(
            itertools.dropwhile(lambda window: window.end <= bookmark, whole),
            itertools.takewhile(lambda window: window.end <= bookmark, again),
        )

    def exports(self) -> Iterator[PlannedExport]:
        """The exports in the order in which they are emitted."""
        # Rule 13: new days come before any history; then histories take turns, a window each, from
        # the newest to the oldest; late changes are their last turn.
        known = {pending.window: pending for pending in self.pending}
        for purpose in Purpose:
            for place, window in enumerate(self.windows(purpose)):
                yield PlannedExport(window, (purpose, place, self.number), known.get(window))

    def _asked(self) -> Iterator[Window]:
        return (pending.window for pending in self.pending)


def plan_partition(
    partition: Partition,
    number: int,
    state: PartitionState,
    *,
    end: DateTime,
    now: DateTime,
    lookback: dt.timedelta,
    width: dt.timedelta,
    late_changes: Schedule | None = None,
) -> PartitionPlan:
    """Work out what a partition lacks.

    Args:
        partition: The merchant's stream.
        number: Its turn among the partitions.
        state: Where it stands.
        end: The time to stop at; never later than now.
        now: The time of the run.
        lookback: How much before the bookmark is exported again.
        width: The widest window.
        late_changes: When late changes are looked for, if they are.
    """
    # To the second: a Clover that drops milliseconds would cover less than was asked.
    start, end = partition.merchant.start, min(end, windows.whole(now))
    covered, search = state.covered, None
    late: Window | None = None
    if covered is None:
        begin = _first_begin(state.pending, start, end, width, now)
        new, history = _window(begin, end), _window(start, begin)
    else:
        earliest = max(start, covered.start or start)
        # What changed since a pending export was made comes again, lest the older version be last.
        known = (one.created for one in state.pending if now - one.created < KEPT)
        since = (max(created, earliest) for created in known)
        begin = min(covered.end, windows.before(covered.end, lookback, earliest), *since)
        begin = max(windows.whole(begin), min(begin, earliest))
        new = _window(begin, end) if covered.end < end else None
        # One span has no gap: history joins what is covered even where that is later than the end.
        history = _window(start, covered.start) if covered.start else None
        if late_changes:
            last = state.late_changes
            search = late_changes.search(
                partition.merchant.id,
                last if last.at else dataclasses.replace(last, at=covered.end),
                now,
                earliest=earliest,
                failed=any(hole.end == last.reached for hole in state.holes),
            )
        if search:
            # What the look-back brings is not exported twice, and no older export comes after it.
            top = min(search.reached or covered.end, begin if new else covered.end, end)
            late = _window(search.since, top)
    plan = PartitionPlan(partition, number, state, width, new, history, late, search)
    usable = _usable(state.pending, [span for span in (late, history, new) if span], now)
    return dataclasses.replace(plan, pending=tuple(usable))


def turns(states: Sequence[PartitionState]) -> list[int]:
    """Each partition's turn: who got least so far comes first, who failed last night last.

    Nights that are too short for all would otherwise serve the same ones each time.
    """

    def key(place: int) -> tuple[bool, float, float]:
        state = states[place]
        if state.covered is None:
            return bool(state.holes), -math.inf, 0.0
        start = state.covered.start
        return (
            bool(state.holes),
            state.covered.end.timestamp(),
            -start.timestamp() if start else math.inf,
        )

    found = [0] * len(states)
    for turn, place in enumerate(sorted(range(len(states)), key=key)):
        found[place] = turn
    return found


def _window(begin: DateTime, end: DateTime) -> Window | None:
    return Window(begin, end) if begin < end else None


def _first_begin(
    pending: tuple[PendingExport, ...],
    start: DateTime,
    end: DateTime,
    width: dt.timedelta,
    now: DateTime,
) -> DateTime:
    """Where a partition of which nothing is covered begins: its newest window.

    A run that emitted nothing may have requested it already.
    """
    newest = windows.before(end, width, start)
    if start < end:
        known = [one.window for one in _usable(pending, [Window(start, end)], now)]
        return next((one.start for one in known[-1:] if newest < one.end), newest)
    return newest


def _usable(
    pending: tuple[PendingExport, ...], spans: list[Window], now: DateTime
) -> Iterator[PendingExport]:
    """Those that Clover still keeps, each inside one of the spans, of which none overlaps."""
    begin: DateTime | None = None
    for export in sorted(pending, key=lambda export: export.window):
        window = export.window
        fits = any(span.holds(window) for span in spans)
        free = begin is None or begin <= window.start
        if fits and free and window.width <= windows.WIDEST and now - export.created < KEPT:
            yield export
            begin = window.end
