"""A partition's time line: what a run does with each segment, how wide it is looked at; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
from typing import TYPE_CHECKING

import pendulum

from tap_clover_export.planning.plan import Purpose
from tap_clover_export.planning.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan

WIDTH = 1000
"""The width of a timeline's view box; 0 is now, `-WIDTH` the start of what is shown."""

_FIRST_SCREEN = 10
"""How many streams, of those that are most behind, are seen first."""

_MOST_TICKS = 5
_LINE = "linear-gradient(var(--rule),var(--rule))"
_STEPS = (
    ("days", 1),
    ("days", 3),
    ("days", 7),
    ("days", 14),
    ("months", 1),
    ("months", 2),
    ("months", 3),
    ("months", 6),
    ("years", 1),
    ("years", 2),
    ("years", 5),
    ("years", 10),
    ("years", 20),
)
_NAMED = (("2 weeks", 14), ("3 months", 92), ("1 year", 366))


class Kind(enum.StrEnum):
    """What a run does with a segment of a partition's time."""

    COVERED = "covered"
    """Nothing: it is exported already."""

    LOOKBACK = "lookback"
    """Exports it again."""

    LATE_CHANGES = "late changes"
    """Exports it again, to find late changes."""

    PLANNED = "planned"
    """Exports it for the first time."""

    PENDING = "pending"
    """Resumes an export that a former run requested."""

    DEFERRED = "deferred"
    """Does not get so far, because of `max_run_hours`."""


@dataclasses.dataclass(frozen=True)
class Segment:
    """A half-open span of time `[start, end)` of one kind.

    Attributes:
        kind: What a run does with it.
        start: Its first moment.
        end: The first moment after it.
        phase: How far into a window it starts.
    """

    kind: Kind
    start: DateTime
    end: DateTime
    phase: dt.timedelta = dt.timedelta(0)


def segments(item: PartitionPlan, deferred: int, now: DateTime) -> list[Segment]:
    """The segments of a partition's time in order, without gap or overlap.

    Args:
        item: What the partition lacks.
        deferred: How many of its exports, the last ones, are for a later run.
        now: The time; nothing is drawn after it.
    """
    found: list[Segment] = []
    wanted = sorted(_wanted(item, deferred), key=lambda segment: segment.start)
    begin = item.partition.merchant.start
    if wanted:
        begin = min(begin, wanted[0].start)
    for segment in wanted:
        if begin < segment.start:
            _add(found, Segment(Kind.COVERED, begin, segment.start))
        if begin < segment.end:
            _add(found, dataclasses.replace(segment, start=max(begin, segment.start)))
            begin = segment.end
    if item.bookmark and begin < (end := min(item.bookmark, now)):
        _add(found, Segment(Kind.COVERED, begin, end))
    return found


def _add(found: list[Segment], segment: Segment) -> None:
    """Add a segment, to the last one where both look alike."""
    if found and found[-1].kind is segment.kind and segment.kind is not Kind.PENDING:
        segment = dataclasses.replace(found.pop(), end=segment.end)
    found.append(segment)


def _wanted(item: PartitionPlan, deferred: int) -> Iterator[Segment]:
    """What is to be exported, now or later; what is done last is left first."""
    for purpose in reversed(Purpose):
        span = item.span(purpose)
        if span is None:
            continue
        pending = {one.window for one in item.pending if span.holds(one.window)}
        requests = item.count(purpose) - len(pending)
        later = min(deferred, requests)
        deferred -= later
        for window, kind in _pieces(item, purpose, pending, requests - later):
            yield from _segments(item, purpose, window, kind)


def _pieces(
    item: PartitionPlan, purpose: Purpose, pending: set[Window], requests: int
) -> Iterator[tuple[Window, Kind]]:
    """The windows of a purpose, in as few pieces as tell them apart.

    Args:
        item: What the partition lacks.
        purpose: What they are exported for.
        pending: Those that were requested before.
        requests: How many others this run requests.
    """
    span = item.span(purpose)
    if span and not pending and span.start + requests * item.width >= span.end:
        yield span, Kind.PLANNED
    elif span and not pending and purpose is not Purpose.NEW:
        edge = span.end - requests * item.width
        yield Window(span.start, edge), Kind.DEFERRED
        if requests:
            yield Window(edge, span.end), Kind.PLANNED
    else:
        for window in item.windows(purpose):
            if window in pending:
                yield window, Kind.PENDING
            else:
                yield window, Kind.PLANNED if requests > 0 else Kind.DEFERRED
                requests -= 1


def _segments(
    item: PartitionPlan, purpose: Purpose, window: Window, kind: Kind
) -> Iterator[Segment]:
    """A piece, told apart by what of it is covered; windows of history count from its end."""
    if kind is Kind.PENDING:
        yield Segment(kind, window.start, window.end)
    elif purpose is Purpose.HISTORY:
        phase = _between(window.end, window.start) % item.width
        yield Segment(kind, window.start, window.end, phase)
    elif purpose is Purpose.LATE_CHANGES:
        again = Kind.COVERED if kind is Kind.DEFERRED else Kind.LATE_CHANGES
        yield Segment(again, window.start, window.end)
    else:
        covered = min(max(item.bookmark or window.start, window.start), window.end)
        if window.start < covered:
            again = Kind.COVERED if kind is Kind.DEFERRED else Kind.LOOKBACK
            yield Segment(again, window.start, covered)
        if covered < window.end:
            phase = _between(window.start, covered) % item.width
            yield Segment(kind, covered, window.end, phase)


def _between(since: DateTime, until: DateTime) -> dt.timedelta:
    return (until - since).as_timedelta()


@dataclasses.dataclass(frozen=True)
class Zoom:
    """A stretch of time, up to now, that can be looked at.

    Attributes:
        name: What people call it.
        minutes: Its length.
        ticks: `(percent from the left, label)`.
        chosen: Whether it is shown at first.
    """

    name: str
    minutes: int
    ticks: tuple[tuple[float, str], ...]
    chosen: bool


def zooms(now: DateTime, *, begin: DateTime, planned: Sequence[DateTime]) -> list[Zoom]:
    """The stretches there are, the narrowest first; one that suits what is seen first is chosen.

    Args:
        now: The time.
        begin: The earliest time to export.
        planned: From when on each partition is exported.
    """
    whole = max(dt.timedelta(seconds=(now - begin).total_seconds()), dt.timedelta(days=1))
    spans = [(name, dt.timedelta(days=days)) for name, days in _NAMED]
    spans = [*((name, span) for name, span in spans if span < whole), ("All", whole)]
    most = sorted(planned)[min(len(planned) // 4, _FIRST_SCREEN)] if planned else now
    fits = (index for index, (_, span) in enumerate(spans) if most >= now - span)
    chosen = next(fits, len(spans) - 1)
    return [
        Zoom(name, int(span.total_seconds() // 60), tuple(_ticks(now - span, now)), index == chosen)
        for index, (name, span) in enumerate(spans)
    ]


def style(zooms: Sequence[Zoom], window: dt.timedelta) -> str:
    """The style that scales timelines to the chosen zoom, and cuts what is planned into windows."""
    width = max(1, round(window.total_seconds() / 60))
    rules = []
    for index, zoom in enumerate(zooms):
        gap = zoom.minutes // 300
        cut = f"{width - gap} {gap}" if width > 4 * gap else "none"
        lines = [f"{_LINE} {percent}% 0/1px 100% no-repeat" for percent, _ in zoom.ticks]
        rules.append(
            f".views:has(#v{index}:checked)~.streams{{--scale:{WIDTH / zoom.minutes:.8f};"
            f"--cut:{cut};--lines:{','.join(lines) or 'none'}}}"
            f".views:has(#v{index}:checked)~.streams .v{index}{{display:block}}"
        )
    return "\n".join(rules) + "\n"


def _ticks(start: DateTime, now: DateTime) -> Iterator[tuple[float, str]]:
    for unit, step in _STEPS:
        found = list(itertools.islice(_steps(unit, step, start, now), _MOST_TICKS + 1))
        if len(found) <= _MOST_TICKS:
            break
    for time in found:
        percent = 100 * (time - start).total_seconds() / (now - start).total_seconds()
        yield round(percent, 2), _label(unit, time)


def _steps(unit: str, step: int, start: DateTime, now: DateTime) -> Iterator[DateTime]:
    """Round times between two times; weeks begin on Monday."""
    if unit == "days":
        time = pendulum.datetime(2001, 1, 1)
        time = time.add(days=(start - time).days // step * step)
    elif unit == "months":
        time = pendulum.datetime(start.year, 1, 1)
    else:
        time = pendulum.datetime(start.year // step * step, 1, 1)
    while time < now:
        if time >= start:
            yield time
        time = time.add(**{unit: step})


def _label(unit: str, time: DateTime) -> str:
    if unit == "days":
        return time.format("D MMM")
    if unit == "months":
        return time.format("MMM YY")
    return str(time.year)
