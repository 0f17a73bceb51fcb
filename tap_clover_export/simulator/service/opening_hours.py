"""The export service's opening hours, and the words for them."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import TYPE_CHECKING

from tap_clover_export.simulator.service.responses import Answer, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator.options import Options, Timetable

TIMETABLES: Mapping[str, Timetable] = {
    "us": ((600, 900),) * 7,
    "eu": ((60, 300),) * 5 + ((120, 300), (120, 360)),
}
SHORT = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
LONG = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)


def timetable(options: Options) -> Timetable | None:
    """Find the hours that are kept, or none where the service never closes."""
    if not options.hours:
        return None
    return options.timetable or TIMETABLES.get(options.region)


def opens(table: Timetable, epoch: float) -> bool:
    """Tell whether the service is open at a time."""
    moment = dt.datetime.fromtimestamp(epoch, dt.UTC)
    start, end = table[moment.weekday()]
    return start <= moment.hour * 60 + moment.minute < end


def closed_response(options: Options) -> Answer:
    """Answer as a closed service does."""
    table = options.timetable or TIMETABLES.get(options.region, TIMETABLES["us"])
    if options.hours_words is None:
        return say(503, "503 Service Unavailable")
    if options.hours_words == "json":
        hours = [
            {"days": days(SHORT, first, last), "start": start, "end": end}
            for first, last, start, end in spans(table)
        ]
        return Answer.of(
            503,
            {
                "message": "The export service is closed",
                "availability": {"timezone": "UTC", "hours": hours},
            },
        )
    if options.hours_words == "plain":
        words = ", ".join(
            f"{days(LONG, first, last, ' to ')} from {start} to {end}"
            for first, last, start, end in spans(table)
        )
        text = f"Exports are closed now. They are available {words} UTC.\n"
        return Answer(503, text.encode(), {"Content-Type": "text/plain"})
    words = ", ".join(
        f"{days(SHORT, first, last)} {start}-{end}"
        for first, last, start, end in spans(table, weekend=True)
    )
    return say(503, f"Availability of the service: UTC: {words}")


def spans(table: Timetable, *, weekend: bool = False) -> Iterator[tuple[int, int, str, str]]:
    """Join neighbouring days of the same hours, as first, last, start and end."""

    def key(day: int) -> tuple[tuple[int, int], int]:
        return table[day], max(day - 4, 0) if weekend else 0

    for ((start, end), _), group in groupby(range(7), key):
        run = list(group)
        yield run[0], run[-1], hhmm(start), hhmm(end)


def days(names: tuple[str, ...], first: int, last: int, joint: str = "-") -> str:
    """Name a run of days."""
    return names[first] if first == last else joint.join((names[first], names[last]))


def hhmm(minute: int) -> str:
    """Write a minute of the day as a time."""
    return f"{minute // 60:02}:{minute % 60:02}"
