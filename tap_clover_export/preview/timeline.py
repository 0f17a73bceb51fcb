"""A partition's time as parts in a row: exported, again, planned, pending, left; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pendulum import DateTime

    from tap_clover_export.planning.plan import PartitionPlan
    from tap_clover_export.planning.windows import Window


class Kind(enum.StrEnum):
    """What a run does with a part of a partition's time."""

    EXPORTED = "exported"
    """Nothing: it is exported already."""

    AGAIN = "again"
    """Exports it again, as look-back."""

    PLANNED = "planned"
    """Exports it for the first time."""

    PENDING = "pending"
    """Takes up an export that a former run asked for."""

    LEFT = "left"
    """Does not get so far, because of `max_run_hours`."""


@dataclasses.dataclass(frozen=True)
class Part:
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


def parts(item: PartitionPlan, left: int, now: DateTime) -> list[Part]:
    """The parts of a partition's time in order, without gap from its start to the span's end.

    Args:
        item: What the partition lacks.
        left: How many of its exports are left for a later run; the last ones.
        now: The time; nothing is drawn after it.
    """
    found: list[Part] = []
    for part in _parts(item, left, now):
        last = found[-1] if found else None
        if last and last.kind is part.kind and part.kind is not Kind.PENDING:
            found[-1] = dataclasses.replace(last, end=part.end)
        else:
            found.append(part)
    return found


def _parts(item: PartitionPlan, left: int, now: DateTime) -> Iterator[Part]:
    start, bookmark = item.partition.merchant.start, item.bookmark
    if bookmark:
        known = min(bookmark, item.span.start if item.span else now)
        if start < known:
            yield Part(Kind.EXPORTED, start, known)
    pending = {export.window for export in item.pending}
    windows = list(item.windows())
    asked = [window for window in windows if window not in pending]
    late = set(asked[len(asked) - left :])
    for window in windows:
        if window in pending:
            yield Part(Kind.PENDING, window.start, window.end)
        else:
            yield from _halves(window, bookmark, late=window in late)


def _halves(window: Window, bookmark: DateTime | None, *, late: bool) -> Iterator[Part]:
    """What lies before the bookmark, and what after it."""
    middle = min(max(bookmark, window.start), window.end) if bookmark else window.start
    if window.start < middle:
        yield Part(Kind.EXPORTED if late else Kind.AGAIN, window.start, middle)
    if middle < window.end:
        kind = Kind.LEFT if late else Kind.PLANNED
        yield Part(kind, middle, window.end, middle - window.start)
