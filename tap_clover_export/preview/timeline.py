"""A partition's time line: what a run does with each segment, how wide it is looked at; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
from typing import TYPE_CHECKING

import pendulum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.planning.windows import Window

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

    EXPORTED = "exported"
    """Nothing: it is exported already."""

    LOOKBACK = "lookback"
    """Exports it again."""

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
    """The segments of a partition's time in order, without gap from its start to the span's end.

    Args:
        item: What the partition lacks.
        deferred: How many of its exports, the last ones, are for a later run.
        now: The time; nothing is drawn after it.
    """
    found: list[Segment] = []
    for segment in _unmerged(item, deferred, now):
        last = found[-1] if found else None
        if last and last.kind is segment.kind and segment.kind is not Kind.PENDING:
            found[-1] = dataclasses.replace(last, end=segment.end)
        else:
            found.append(segment)
    return found


def _unmerged(item: PartitionPlan, deferred: int, now: DateTime) -> Iterator[Segment]:
    start, bookmark = item.partition.merchant.start, item.bookmark
    if bookmark:
        known = min(bookmark, item.span.start if item.span else now)
        if start < known:
            yield Segment(Kind.EXPORTED, start, known)
    pending = {export.window for export in item.pending}
    windows = list(item.windows())
    unrequested = [window for window in windows if window not in pending]
    later = set(unrequested[len(unrequested) - deferred :])
    for window in windows:
        if window in pending:
            yield Segment(Kind.PENDING, window.start, window.end)
        else:
            yield from _split(window, bookmark, deferred=window in later)


def _split(window: Window, bookmark: DateTime | None, *, deferred: bool) -> Iterator[Segment]:
    """What lies before the bookmark, and what after it."""
    middle = min(max(bookmark, window.start), window.end) if bookmark else window.start
    if window.start < middle:
        yield Segment(Kind.EXPORTED if deferred else Kind.LOOKBACK, window.start, middle)
    if middle < window.end:
        kind = Kind.DEFERRED if deferred else Kind.PLANNED
        yield Segment(kind, middle, window.end, middle - window.start)


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
        gap = zoom.minutes // 500
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
