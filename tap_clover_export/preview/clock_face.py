"""A region's opening hours on the face of a clock of 24 hours; pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING

from tap_clover_export.planning.hours import TABLE

if TYPE_CHECKING:
    from pendulum import DateTime

ZONES = {
    "us": (("New York", "America/New_York"), ("Los Angeles", "America/Los_Angeles")),
    "eu": (("London", "Europe/London"), ("Berlin", "Europe/Berlin")),
    "la": (("Buenos Aires", "America/Argentina/Buenos_Aires"),),
    "sandbox": (),
}
"""Where a region's merchants are likely to be."""

ALWAYS_OPEN = frozenset({"sandbox"})
"""Regions that Clover documents as open at any time."""

_DAY = dt.timedelta(days=1)
_RADIUS = 62


@dataclasses.dataclass(frozen=True)
class ClockFace:
    """What a region's clock shows.

    Attributes:
        region: Its name.
        hand: Where the hand ends.
        hours: The opening hours in UTC, as the vendor writes them; empty where unknown.
        open: Whether it is open now.
        opens: When it opens, or opened.
        closes: When it closes after that.
        wait: How long it stays as it is, in words.
        clocks: `(city, when it is open)`, in UTC and in cities of the region.
        arcs: The paths of the next 24 hours in which it is open.
    """

    region: str
    hand: tuple[float, float]
    hours: str = ""
    open: bool = False
    opens: DateTime | None = None
    closes: DateTime | None = None
    wait: str = ""
    clocks: tuple[tuple[str, str], ...] = ()
    arcs: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a person who does not see the clock is told."""
        if not self.clocks:
            return f"Clock of region {self.region}; its opening hours are unknown."
        city, when = self.clocks[0]
        return f"Clock of 24 hours: region {self.region} is open {when} {city}."


def clock_face(region: str, now: DateTime) -> ClockFace:
    """The clock of a region.

    Args:
        region: Its name.
        now: The time, in UTC.
    """
    hours = TABLE.get(region)
    hand = _point(_turn(now), _RADIUS - 16)
    spans = hours.spans(now) if hours else iter(())
    first = next(spans, None)
    if hours is None or first is None:
        return ClockFace(region, hand=hand)
    opens, closes = first
    arcs = []
    for begin, end in hours.spans(now):
        if begin >= now + _DAY:
            break
        arcs.append(_arc(max(begin, now), min(end, now + _DAY)))
    return ClockFace(
        region,
        hand,
        str(hours),
        open=opens <= now,
        opens=opens,
        closes=closes,
        wait=_words((closes if opens <= now else opens) - now),
        clocks=tuple(
            (name, _when(opens.in_timezone(zone), closes.in_timezone(zone)))
            for name, zone in (("UTC", "UTC"), *ZONES.get(region, ()))
        ),
        arcs=tuple(arcs),
    )


def _when(opens: DateTime, closes: DateTime) -> str:
    same = opens.date() == closes.date() or closes == closes.start_of("day")
    return f"{opens.format('ddd HH:mm')} \u2013 {closes.format('HH:mm' if same else 'ddd HH:mm')}"


def _words(span: dt.timedelta) -> str:
    minutes = math.ceil(span.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} h" if hours else f"{rest} min"


def _turn(time: DateTime) -> float:
    """How far round the clock a time of day is, from 0 at midnight to 1."""
    return (time - time.start_of("day")).total_seconds() / 86_400


def _point(turn: float, radius: float) -> tuple[float, float]:
    """A point on the clock, whose midnight is at the top."""
    angle = 2 * math.pi * turn
    return round(radius * math.sin(angle), 2), round(-radius * math.cos(angle), 2)


def _arc(begin: DateTime, end: DateTime) -> str:
    x, y = _point(_turn(begin), _RADIUS)
    to_x, to_y = _point(_turn(end), _RADIUS)
    large = int(end - begin > _DAY / 2)
    return f"M{x} {y}A{_RADIUS} {_RADIUS} 0 {large} 1 {to_x} {to_y}"
