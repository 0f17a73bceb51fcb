"""Which windows of time are still missing; pure, over UTC times."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from tap_clover_export.times import from_ms, to_ms

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

    def holds(self, other: Window) -> bool:
        """Whether another lies within it; its edges are inside."""
        return self.start <= other.start and other.end <= self.end

    def halves(self) -> tuple[Window, Window] | None:
        """The two halves, cut at a whole second; None where they would be narrower than an hour."""
        if self.width < 2 * NARROWEST:
            return None
        middle = from_ms((to_ms(self.start) + to_ms(self.end)) // 2000 * 1000)
        return Window(self.start, middle), Window(middle, self.end)


def whole(time: DateTime) -> DateTime:
    """The whole second that a time is in."""
    return time.replace(microsecond=0)


def before(end: DateTime, span: dt.timedelta, earliest: DateTime) -> DateTime:
    """The time a span before another, no earlier than a third; even at the calendar's beginning."""
    return end - span if end - earliest > span else earliest


def split(
    span: Window, width: dt.timedelta, pending: Iterable[Window] = (), *, newest_first: bool = False
) -> Iterator[Window]:
    """Cut a span into windows that touch without overlap.

    Args:
        span: The time to cover.
        width: The widest window.
        pending: Windows that Clover was asked for already. Those that lie in the span and
            do not overlap an earlier one keep their bounds; the time between is cut again.
        newest_first: Begin at the span's end.
    """
    # Rule 1: neighbours share their edge in the requests, so that nothing falls between two windows
    # whichever way Clover treats bounds; a record on the edge may come twice.
    if newest_first:
        end = span.end
        for known in reversed(_inside(span, pending)):
            yield from _cut_down(known.end, end, width)
            yield known
            end = known.start
        yield from _cut_down(span.start, end, width)
        return
    begin = span.start
    for known in _inside(span, pending):
        yield from _cut(begin, known.start, width)
        yield known
        begin = known.end
    yield from _cut(begin, span.end, width)


def count(span: Window, width: dt.timedelta, pending: Iterable[Window] = ()) -> int:
    """How many windows `split` cuts a span into, without cutting it."""
    begin, found = span.start, 0
    for known in _inside(span, pending):
        found += _pieces(begin, known.start, width) + 1
        begin = known.end
    return found + _pieces(begin, span.end, width)


def _inside(span: Window, pending: Iterable[Window]) -> list[Window]:
    """The windows that keep their bounds, in order of time."""
    found: list[Window] = []
    begin = span.start
    for known in sorted(pending):
        if begin <= known.start < known.end <= span.end and known.width <= WIDEST:
            found.append(known)
            begin = known.end
    return found


def _pieces(begin: DateTime, end: DateTime, width: dt.timedelta) -> int:
    return max(0, -(-(end - begin).as_timedelta() // width))


def _cut(begin: DateTime, end: DateTime, width: dt.timedelta) -> Iterator[Window]:
    while begin < end:
        stop = min(begin + width, end)
        yield Window(begin, stop)
        begin = stop


def _cut_down(begin: DateTime, end: DateTime, width: dt.timedelta) -> Iterator[Window]:
    while begin < end:
        start = before(end, width, begin)
        yield Window(start, end)
        end = start
