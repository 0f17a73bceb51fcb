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
_BEGIN = r"([01]\d|2[0-3]):([0-5]\d)"
_END = r"([01]\d|2[0-3]|24(?=:00)):([0-5]\d)"
_SPAN = re.compile(rf"({_DAY})(?:-({_DAY}))? {_BEGIN}-{_END}")


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


def hours_left(hours: Hours | None, time: DateTime, began: dt.datetime | None = None) -> float:
    """How many hours a region stays open, a day at most; 0 while it is closed.

    Args:
        hours: Its hours; where none are known, a run has a span from its beginning on.
        time: From when on.
        began: When the run began; now if None.
    """
    if not hours:
        gone = time.timestamp() - began.timestamp() if began else 0.0
        return max(ANYTIME_HOURS - gone / 3600, 0.0)
    end = time
    for begin, closing in hours.spans(time):
        if begin > end or (end - time).total_seconds() >= DAY_SECONDS:
            break
        end = closing
    return min((end - time).total_seconds(), DAY_SECONDS) / 3600


def longest(hours: Hours | None) -> dt.timedelta:
    """The longest time that a region stays open, past midnight too."""
    monday = pendulum.datetime(2026, 1, 5)
    week = hours.week if hours else ()
    openings = [
        monday + dt.timedelta(days=day, minutes=begin)
        for day, spans in enumerate(week)
        for begin, _ in spans
    ]
    return dt.timedelta(
        hours=max((hours_left(hours, opening) for opening in openings), default=ANYTIME_HOURS)
    )


def crons(hours: Hours | None) -> list[str]:
    """When a region's DAG starts, in UTC; never by itself where no hours are known.

    What runs past midnight starts once; where it is always open, each day does.
    """
    starts: dict[int, list[str]] = {}
    week = hours.week if hours else ()
    for day, spans in enumerate(week):
        for begin, _ in spans:
            if begin or not any(since and end == MIDNIGHT for since, end in week[day - 1]):
                later, at = divmod(begin + START_MINUTES, MIDNIGHT)
                starts.setdefault(at, []).append(DAYS[(day + later) % 7])
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
