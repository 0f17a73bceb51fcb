"""When a region's DAG starts, and how long its chunks may ask for exports."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING

import pendulum

from tap_clover_export.planning.hours import DAYS, MIDNIGHT, Hours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

ANYTIME_HOURS = 4.0
"""How long a run may ask for exports where no hours are known."""

START_MINUTES = 10
"""A DAG starts this number of minutes after its region opens."""

DAY_SECONDS = 24 * 3600

_DAY = "|".join(DAYS)
_CLOCK = r"([01]\d|2[0-4]):([0-5]\d)"
_SPAN = re.compile(rf"({_DAY})(?:-({_DAY}))? {_CLOCK}-{_CLOCK}")


def now() -> DateTime:
    """The time, in UTC."""
    return pendulum.now("UTC")


def read(text: str) -> Hours:
    """Read hours as Clover writes them.

    Raises:
        ValueError: It is written in another way.
    """
    spans = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if not match:
            raise ValueError(f"{text!r} is not written like MON-FRI 11:00-16:00, SAT 12:00-16:00.")
        first, last, *clock = match.groups()
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days = [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
        hour, minute, until_hour, until_minute = map(int, clock)
        spans.append((days, hour * 60 + minute, until_hour * 60 + until_minute))
    return Hours.of(spans)


def hours_left(hours: Hours | None, time: DateTime) -> float:
    """How many hours a region stays open; 0 while it is closed."""
    if not hours:
        return ANYTIME_HOURS
    end = time
    for begin, closing in hours.spans(time):
        if begin > end or (end - time).total_seconds() >= DAY_SECONDS:
            break
        end = closing
    return (end - time).total_seconds() / 3600


def longest(hours: Hours | None) -> dt.timedelta:
    """The longest time that a region stays open."""
    minutes = [end - begin for day in hours.week for begin, end in day] if hours else []
    return dt.timedelta(minutes=max(minutes)) if minutes else dt.timedelta(hours=ANYTIME_HOURS)


def crons(hours: Hours | None) -> list[str]:
    """When a region's DAG starts, in UTC; never by itself where no hours are known."""
    starts: dict[int, list[str]] = {}
    week = hours.week if hours else ()
    for day, spans in enumerate(week):
        for begin, _ in spans:
            if begin or not any(end == MIDNIGHT for _, end in week[day - 1]):
                starts.setdefault(begin + START_MINUTES, []).append(DAYS[day])
    return [f"{at % 60} {at // 60} * * {','.join(days)}" for at, days in starts.items()]


def turns(chunks: Sequence[int], day: int) -> list[int]:
    """The chunks in the order of a day, so that no chunk is the last one every night."""
    by = day % (len(chunks) or 1)
    return [*chunks[by:], *chunks[:by]]


def rounds_left(place: int, chunks: int, at_once: int) -> int:
    """How many rounds begin from a chunk's own on, where some chunks work at once.

    Args:
        place: The chunk's place in the order, from 0.
        chunks: How many chunks there are.
        at_once: How many of them work at a time.
    """
    return max(math.ceil(chunks / at_once) - place // at_once, 1)
