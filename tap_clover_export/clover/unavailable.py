"""When a region accepts exports, and what a refusal with 503 means; pure, all in UTC."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pendulum import DateTime

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MIDNIGHT = 24 * 60

LOOK_AGAIN = dt.timedelta(minutes=30)
"""How often a region is asked while only the table of hours says that it is closed."""

ASK_AGAIN = dt.timedelta(minutes=5)
"""When to ask again where the words say open and the region still refuses."""


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
                    week[day].add((begin, _MIDNIGHT))
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
        """Every span that ends after a time, in order, for ever; none where never open."""
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


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What a 503 means.

    Attributes:
        closed: Closed by the hours; otherwise busy.
        until: When the region should be asked again; None leaves it to a growing pause.
        hours: The opening hours it goes by, if it knows any.
    """

    closed: bool
    until: DateTime | None = None
    hours: Hours | None = None


def explain(words: str, region: str, now: DateTime) -> Refusal:
    """Tell closed from busy: Clover's words win over the table, the table over a guess.

    Args:
        words: The body of the 503.
        region: The region that was asked.
        now: The time of the refusal.
    """
    hours = read(words, region)
    if hours and not hours.is_open(now):
        return Refusal(closed=True, until=hours.next_opening(now), hours=hours)
    if _BUSY.search(words):
        return Refusal(closed=False)
    if hours:
        return Refusal(closed=True, until=now + ASK_AGAIN, hours=hours)
    table = TABLE.get(region)
    if table and not table.is_open(now):
        until = min(table.next_opening(now), now + LOOK_AGAIN)
        return Refusal(closed=True, until=until, hours=table)
    if _CLOSED.search(words):
        return Refusal(closed=True, until=now + ASK_AGAIN)
    return Refusal(closed=False)


_BUSY = re.compile(
    r"concurren|too many|busy|threshold|in progress|capacity|at a time", re.IGNORECASE
)
_CLOSED = re.compile(r"\bclosed\b|\bhours\b|not available|outside", re.IGNORECASE)
_NO_HOURS = re.compile(
    r"\d{4}-\d\d-\d\d[T ]?[\d:.]*(Z|[+-]\d\d:?\d\d)?"
    r"|(\w{3}, *)?\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"\w* \d{4}( \d\d:\d\d(:\d\d)?)?"
    r"|\d{1,2}/\d{1,2}/\d{2,4},?( \d{1,2}:\d\d(:\d\d)?( *[AP]M)?)?"
    r"|\b(?=\w*[a-z])\w+(-[\w:]+){2,}|\b\w+(:\w+){3,}",
    re.IGNORECASE,
)
"""Dates and ids, whose digits are no hours; a long word costs no more than its length."""
_OTHER_ZONE = re.compile(
    r"\b([ECMP][SD]?T|CES?T|WES?T|EES?T|BST|IST|[AJ]E?[SD]?ST|local|Eastern|Central|Mountain|Pacific)\b"
    r"|\b(UTC|GMT) ?[+-] ?\d|\b(Africa|America|Asia|Atlantic|Australia|Europe|Pacific)/\w",
    re.IGNORECASE,
)
_SHUT = re.compile(r"\bclosed +(daily +)?(from|between|at)\b", re.IGNORECASE)
_REGION = re.compile(
    r"\b(?P<us>US|USA|North America|api\.clover\.com)\b|\b(?P<eu>EU|Europe|api\.eu\.clover\.com)\b"
    r"|\b(?P<la>LA|LATAM|Latin America)\b|\b(?P<sandbox>Sandbox)\b"
)
_WORD = re.compile(
    r"\b(?P<day>mon|tue|wed|thu|fri|sat|sun)(?:s|rs?|nes|ur)?(?:days?)?\b"
    r"|\b(?P<all>daily|every ?day|weekdays|weekends)\b"
    r"|(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d)?\s*(?P<half>[ap]\.?m\b)?"
    r"|(?P<hour12>\d{1,2})\s*(?P<half12>[ap]\.?m\b)",
    re.IGNORECASE,
)
_GROUPS = {"weekdays": range(5), "weekends": range(5, 7)}
_RANGE = re.compile(r"\s*(-|\u2013|to|through|thru|until)\s*", re.IGNORECASE)


def read(words: str, region: str) -> Hours | None:
    """The opening hours that a text names, or None where it names none that can be trusted.

    Understands the vendor's own notation (`MON-FRI 10:00-15:00, SAT 10:00-15:00`), its likes
    in sentences and in JSON, days by name, 12-hour clocks, several regions in one text.
    """
    text = _NO_HOURS.sub(" ", _own_part(words[:10_000], region))
    if _OTHER_ZONE.search(text) or _SHUT.search(text):
        return None
    days: list[int] = []
    times: list[int] = []
    spans: list[tuple[list[int], int, int]] = []
    last: re.Match[str] | None = None
    closed_span = False
    for word in _WORD.finditer(text):
        if word["day"] or word["all"]:
            if closed_span:
                days, closed_span = [], False
            days += _days(word, last, text)
        else:
            minute = _minute(word)
            if minute is None:
                return None
            times.append(minute)
            if len(times) == 2:  # noqa: PLR2004
                spans.append((days or list(range(7)), times[0], times[1]))
                times, closed_span = [], True
        last = word
    if times or not spans or any(begin == end for _, begin, end in spans):
        return None
    return Hours.of(spans)


def _own_part(words: str, region: str) -> str:
    """Where a text speaks of several regions, only what it says of one."""
    marks = list(_REGION.finditer(words))
    if len({mark.lastgroup for mark in marks}) < 2:  # noqa: PLR2004
        return words
    parts = [
        words[mark.start() : following.start() if following else len(words)]
        for mark, following in zip(marks, [*marks[1:], None], strict=True)
        if mark.lastgroup == region
    ]
    return " ".join(parts)


def _days(word: re.Match[str], last: re.Match[str] | None, text: str) -> list[int]:
    if word["all"]:
        return list(_GROUPS.get(word["all"].lower(), range(7)))
    day = DAYS.index(word["day"].upper())
    if last and last["day"] and _RANGE.fullmatch(text[last.end() : word.start()]):
        first = DAYS.index(last["day"].upper())
        return [(first + step) % 7 for step in range(1, (day - first) % 7 + 1)]
    return [day]


def _minute(word: re.Match[str]) -> int | None:
    hour, minute = int(word["hour"] or word["hour12"]), int(word["minute"] or 0)
    half = (word["half"] or word["half12"] or "").lower()
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    total = hour * 60 + minute
    return total if minute < 60 and total <= _MIDNIGHT else None  # noqa: PLR2004
