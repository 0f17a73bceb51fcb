"""What a run has to do: the spans and windows still missing, and their order; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from tap_clover_export.planning import windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pendulum import DateTime

    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant

CATCH_UP = 0
BACKFILL = 1

KEPT = dt.timedelta(hours=24)
"""How long Clover keeps an export and its files."""

EXPORT_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._~-]{0,127}")
"""Ids that can stand in an address; Clover's own are letters and digits."""

ExportType = Literal["ORDERS", "PAYMENTS"]

Priority: TypeAlias = tuple[int, ...]
"""Where a piece of work stands among all: its turn, its place in it, its partition."""


@dataclasses.dataclass(frozen=True)
class Partition:
    """One merchant's stream."""

    merchant: Merchant
    stream: str

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
        bookmark: Everything before it is exported and emitted.
        pending: What was requested and is not emitted.
        exported: When, by Clover's clock, what lies before the bookmark was exported, if that was
            long enough after the bookmark for it to need no look-back.
    """

    bookmark: DateTime | None = None
    pending: tuple[PendingExport, ...] = ()
    exported: DateTime | None = None


@dataclasses.dataclass(frozen=True)
class PlannedExport:
    """A window to export, its place in the order of work, and the export of a former run of it."""

    window: Window
    priority: Priority
    pending: PendingExport | None = None


@dataclasses.dataclass(frozen=True)
class PartitionPlan:
    """What one partition lacks.

    Attributes:
        partition: The merchant's stream.
        number: Its place among the partitions.
        bookmark: The time up to which it is exported already, if it is.
        span: What is missing, look-back included; None where nothing is.
        width: The widest window.
        pending: Exports of former runs that can be resumed.
    """

    partition: Partition
    number: int
    bookmark: DateTime | None
    span: Window | None
    width: dt.timedelta
    pending: tuple[PendingExport, ...] = ()

    @property
    def turn(self) -> int:
        """`CATCH_UP` where only the last days are missing, else `BACKFILL`, which comes later."""
        if self.span is None:
            return CATCH_UP
        begin = max(self.bookmark, self.span.start) if self.bookmark else self.span.start
        return CATCH_UP if self.span.end - begin <= windows.WIDEST else BACKFILL

    def windows(self) -> Iterator[Window]:
        """The windows in order of time; those of pending exports keep their bounds."""
        if self.span:
            yield from windows.split(self.span, self.width, (p.window for p in self.pending))

    @property
    def count(self) -> int:
        """How many windows there are."""
        if self.span is None:
            return 0
        return windows.count(self.span, self.width, (p.window for p in self.pending))

    def exports(self) -> Iterator[PlannedExport]:
        """The exports in the order in which they are emitted."""
        # Rule 13: new days come before any history; then histories take turns, a window each.
        known = {pending.window: pending for pending in self.pending}
        for place, window in enumerate(self.windows()):
            yield PlannedExport(window, (self.turn, place, self.number), known.get(window))


def plan_partition(
    partition: Partition,
    number: int,
    state: PartitionState,
    *,
    end: DateTime,
    now: DateTime,
    lookback: dt.timedelta,
    width: dt.timedelta,
) -> PartitionPlan:
    """Work out what a partition lacks.

    Args:
        partition: The merchant's stream.
        number: Its place among the partitions.
        state: Where it stands.
        end: The time to stop at; never later than now.
        now: The time of the run.
        lookback: How much before the bookmark is exported again.
        width: The widest window.
    """
    span = windows.missing(
        start=partition.merchant.start,
        bookmark=state.bookmark,
        end=min(end, now),
        lookback=lookback,
        exported=state.exported,
    )
    pending = tuple(_usable(state.pending, span, now))
    return PartitionPlan(partition, number, state.bookmark, span, width, pending)


def _usable(
    pending: tuple[PendingExport, ...], span: Window | None, now: DateTime
) -> Iterator[PendingExport]:
    """Those that Clover still keeps, inside the span, of which none overlaps another."""
    if span is None:
        return
    begin = span.start
    for export in sorted(pending, key=lambda export: export.window):
        window = export.window
        fits = begin <= window.start and window.end <= span.end
        if fits and window.width <= windows.WIDEST and now - export.created < KEPT:
            yield export
            begin = window.end
