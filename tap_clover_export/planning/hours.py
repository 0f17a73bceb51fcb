"""The hours in which a region accepts exports; pure, all in UTC."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pendulum import DateTime

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MIDNIGHT = 24 * 60


@dataclasses.dataclass(frozen=True)
class Hours:
    """Opening hours of a week: for each day from Monday, spans of minutes `[from, to)`."""

    week: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, spans: Iterable[tuple[Iterable[int], int, int]]) -> Hours:
        """Hours from `(days, from minute, to minute)`; a span may run past midnight."""
        week: list[set[tuple[int, int]]] = [set() for _ in DAYS]
        for days, begin, end in spans:
            for day in days:
                if begin < end:
                    week[day].add((begin, end))
                else:
                    week[day].add((begin, MIDNIGHT))
                    if end:
                        week[(day + 1) % 7].add((0, end))
        return cls(tuple(tuple(_merge(sorted(day))) for day in week))

    def is_open(self, time: DateTime) -> bool:
        """Whether the region accepts exports at this time."""
        return self.next_opening(time) == time

    def next_opening(self, time: DateTime) -> DateTime:
        """The earliest time from now on at which the region is open; the time itself if it is."""
        for begin, end in self.spans(time):
            if time < end:
                return max(time, begin)
        return time

    def open_seconds(self, since: DateTime, until: DateTime) -> float:
        """How long the region was open between two times."""
        total = 0.0
        for begin, end in self.spans(since):
            if begin >= until:
                break
            total += max(0.0, (min(end, until) - max(begin, since)).total_seconds())
        return total

    def __str__(self) -> str:
        """As the vendor writes them, such as `MON-FRI 01:00-05:00, SAT 02:00-05:00`."""
        rows: list[tuple[int, int]] = []
        for day in range(7):
            if rows and rows[-1][1] == day - 1 and self.week[day - 1] == self.week[day]:
                rows[-1] = (rows[-1][0], day)
            elif self.week[day]:
                rows.append((day, day))
        return ", ".join(
            f"{DAYS[a]}{'' if a == b else '-' + DAYS[b]} "
            + " ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in self.week[a])
            for a, b in rows
        )

    def spans(self, since: DateTime) -> Iterator[tuple[DateTime, DateTime]]:
        """Every span that ends after a time, in order, without end; none where never open."""
        if not any(self.week):
            return
        day = since.start_of("day")
        while True:
            for begin, end in self.week[day.weekday()]:
                if day + dt.timedelta(minutes=end) > since:
                    yield day + dt.timedelta(minutes=begin), day + dt.timedelta(minutes=end)
            day += dt.timedelta(days=1)


def _merge(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one."""
    last: tuple[int, int] | None = None
    for begin, end in spans:
        if last and begin <= last[1]:
            last = last[0], max(last[1], end)
            continue
        if last:
            yield last
        last = begin, end
    if last:
        yield last


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


TABLE = {
    "us": Hours.of([(range(7), 10 * 60, 15 * 60)]),
    "eu": Hours.of([(range(5), 1 * 60, 5 * 60), ([5], 2 * 60, 5 * 60), ([6], 2 * 60, 6 * 60)]),
}
"""The vendor's README of 2019, https://github.com/clover/export-api-examples; `la` is unknown."""
