"""Which windows of time are still missing; pure, over UTC times."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from tap_clover_export.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pendulum import DateTime

WIDEST = dt.timedelta(days=30)
"""Clover exports at most 30 days at a time."""

NARROWEST = dt.timedelta(hours=1)
"""A window is not halved below this."""


@dataclasses.dataclass(frozen=True, order=True)
class Window:
    """A half-open span of time `[start, end)`, in UTC, to the millisecond."""

    start: DateTime
    end: DateTime

    @property
    def width(self) -> dt.timedelta:
        """The time between start and end."""
        return self.end - self.start

    def halves(self) -> tuple[Window, Window] | None:
        """The two halves, or None where they would be narrower than an hour."""
        if self.width < 2 * NARROWEST:
            return None
        middle = self.start + dt.timedelta(milliseconds=(to_ms(self.end) - to_ms(self.start)) // 2)
        return Window(self.start, middle), Window(middle, self.end)


def settled(bookmark: DateTime, exported: DateTime, lookback: dt.timedelta) -> bool:
    """Whether what lies before a bookmark was exported so late that it shows its late changes."""
    return exported - bookmark >= lookback


def missing(
    *,
    start: DateTime,
    bookmark: DateTime | None,
    end: DateTime,
    lookback: dt.timedelta,
    exported: DateTime | None = None,
) -> Window | None:
    """What is still to be exported, or None where nothing is.

    There is no look-back where it is settled: a history that takes many nights goes on where it
    stopped.

    Args:
        start: The earliest time to export.
        bookmark: The time up to which everything is exported already, if any is.
        end: The time to stop at.
        lookback: How much before the bookmark is exported again.
        exported: When the time before the bookmark was exported, if that is known.
    """
    begin = start
    if bookmark is not None and exported is not None and settled(bookmark, exported, lookback):
        begin = max(start, bookmark)
    elif bookmark is not None and bookmark - start > lookback:
        begin = bookmark - lookback
    if begin >= end or (bookmark is not None and bookmark >= end):
        return None
    return Window(begin, end)


def split(span: Window, width: dt.timedelta, pending: Iterable[Window] = ()) -> Iterator[Window]:
    """Cut a span into windows that touch without overlap.

    Args:
        span: The time to cover.
        width: The widest window.
        pending: Windows that Clover was asked for already. Those that lie in the span and
            do not overlap an earlier one keep their bounds; the time between is cut again.
    """
    # Rule 1: neighbours share their edge in the requests, so that nothing falls between two windows
    # whichever way Clover treats bounds; a record on the edge may come twice.
    begin = span.start
    for known in sorted(pending):
        if begin <= known.start < known.end <= span.end and known.width <= WIDEST:
            yield from _cut(begin, known.start, width)
            yield known
            begin = known.end
    yield from _cut(begin, span.end, width)


def count(span: Window, width: dt.timedelta, pending: Iterable[Window] = ()) -> int:
    """How many windows `split` cuts a span into, without cutting it."""
    begin, found = span.start, 0
    for known in sorted(pending):
        if begin <= known.start < known.end <= span.end and known.width <= WIDEST:
            found += _pieces(begin, known.start, width) + 1
            begin = known.end
    return found + _pieces(begin, span.end, width)


def _pieces(begin: DateTime, end: DateTime, width: dt.timedelta) -> int:
    return max(0, -(-(end - begin).as_timedelta() // width))


def _cut(begin: DateTime, end: DateTime, width: dt.timedelta) -> Iterator[Window]:
    while begin < end:
        stop = min(begin + width, end)
        yield Window(begin, stop)
        begin = stop
