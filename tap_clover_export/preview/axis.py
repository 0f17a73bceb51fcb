"""The common axis of time: which stretches of it can be looked at, and their ticks; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pendulum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pendulum import DateTime

WIDTH = 1000
"""The width of a strip's view box; 0 is now, `-WIDTH` the view's start."""

_FIRST_SCREEN = 10
"""So many streams, of those that are most behind, are seen first."""

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


@dataclasses.dataclass(frozen=True)
class View:
    """A stretch of time that ends now.

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


def views(now: DateTime, *, begin: DateTime, planned: Sequence[DateTime]) -> list[View]:
    """The views there are, the narrowest first; one that suits what is seen first is chosen.

    Args:
        now: The time.
        begin: The earliest time to export.
        planned: From when on each partition is exported.
    """
    whole = max(dt.timedelta(seconds=(now - begin).total_seconds()), dt.timedelta(days=1))
    spans = [(name, dt.timedelta(days=days)) for name, days in _NAMED]
    spans = [*((name, span) for name, span in spans if span < whole), ("All", whole)]
    most = sorted(planned)[min(len(planned) // 4, _FIRST_SCREEN)] if planned else now
    fits = (place for place, (_, span) in enumerate(spans) if most >= now - span)
    chosen = next(fits, len(spans) - 1)
    return [
        View(name, int(span.total_seconds() // 60), tuple(_ticks(now - span, now)), place == chosen)
        for place, (name, span) in enumerate(spans)
    ]


def style(views: Sequence[View], window: dt.timedelta) -> str:
    """The style that scales strips to the chosen view, and cuts what is planned into windows."""
    width = max(1, round(window.total_seconds() / 60))
    rules = []
    for place, view in enumerate(views):
        gap = view.minutes // 500
        cut = f"{width - gap} {gap}" if width > 4 * gap else "none"
        lines = [f"{_LINE} {percent}% 0/1px 100% no-repeat" for percent, _ in view.ticks]
        rules.append(
            f".views:has(#v{place}:checked)~.streams{{--scale:{WIDTH / view.minutes:.8f};"
            f"--cut:{cut};--lines:{','.join(lines) or 'none'}}}"
            f".views:has(#v{place}:checked)~.streams .v{place}{{display:block}}"
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
