"""What a run has to do: the spans and windows still missing, and their order; pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import KEPT, Export, Partition, Stage
from tap_clover_export.planning import windows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from pendulum import DateTime

    from tap_clover_export.planning.bookmarks import Pending, Standing
    from tap_clover_export.planning.windows import Window

NEWS = 0
HISTORY = 1


@dataclasses.dataclass(frozen=True)
class Work:
    """What one partition lacks.

    Attributes:
        partition: The merchant's stream.
        number: Its place among the partitions.
        bookmark: The time up to which it is exported already, if it is.
        span: What is missing, look-back included; None where nothing is.
        width: The widest window.
        pending: Exports of former runs that can be taken up.
    """

    partition: Partition
    number: int
    bookmark: DateTime | None
    span: Window | None
    width: dt.timedelta
    pending: tuple[Pending, ...] = ()

    @property
    def turn(self) -> int:
        """News where only the last days are missing, else history, which comes after it."""
        if self.span is None:
            return NEWS
        begin = max(self.bookmark, self.span.start) if self.bookmark else self.span.start
        return NEWS if self.span.end - begin <= windows.WIDEST else HISTORY

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

    def exports(self) -> Iterator[Export]:
        """The windows as exports, each with its place: news first, then a window in turn."""
        known = {pending.window: pending for pending in self.pending}
        for place, window in enumerate(self.windows()):
            export = Export(self.partition, window, (self.turn, place, self.number))
            if pending := known.get(window):
                export.id, export.created = pending.id, pending.created
                export.stage, export.taken_up = Stage.POLL, True
            yield export


def work(
    partition: Partition,
    number: int,
    standing: Standing,
    *,
    end: DateTime,
    now: DateTime,
    lookback: dt.timedelta,
    width: dt.timedelta,
) -> Work:
    """Work out what a partition lacks.

    Args:
        partition: The merchant's stream.
        number: Its place among the partitions.
        standing: Where it stands.
        end: The time to stop at; never later than now.
        now: The time of the run.
        lookback: How much before the bookmark is exported again.
        width: The widest window.
    """
    span = windows.missing(
        start=partition.merchant.start,
        bookmark=standing.bookmark,
        end=min(end, now),
        lookback=lookback,
        exported=standing.exported,
    )
    pending = tuple(_usable(standing.pending, span, now))
    return Work(partition, number, standing.bookmark, span, width, pending)


def _usable(pending: tuple[Pending, ...], span: Window | None, now: DateTime) -> Iterator[Pending]:
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
