"""What a 503 means, by Clover's words, by what this run saw, and by the table of hours."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING

from tap_clover_export.planning.hours import DAYS, MIDNIGHT, TABLE, Hours

if TYPE_CHECKING:
    from pendulum import DateTime

LOOK_AGAIN = dt.timedelta(minutes=30)
"""How often a region is asked while only the table of hours says that it is closed."""

ASK_AGAIN = dt.timedelta(minutes=5)
"""When to ask again where the words say open and the region still refuses."""

SAME = dt.timedelta(minutes=1)
APART = dt.timedelta(days=1)
"""Clocks less than a minute apart are the same; more than a day apart, ours is believed."""


@dataclasses.dataclass(frozen=True)
class Unavailability:
    """What a 503 means.

    Attributes:
        closed: Closed by the hours; otherwise busy.
        until: When the region should be asked again; None leaves it to a growing pause.
        hours: The opening hours it goes by, if it knows any.
    """

    closed: bool
    until: DateTime | None = None
    hours: Hours | None = None


class KnownHours:
    """What is known of the regions' hours in this run.

    Each `now` is by this machine's own clock. Where Clover's shows another time, either may be
    wrong, also from one answer to the next: Clover is asked again soon then. The table counts
    only where a region is closed by both, and no time-out runs while it is by one.
    """

    def __init__(self) -> None:
        """Begin with the table."""
        self._hours: dict[str, Hours | None] = dict(TABLE)
        self._ahead = dt.timedelta()

    def heard(self, clovers: dt.datetime | None, now: DateTime) -> None:
        """Note what Clover's clock shows now, if an answer told."""
        if clovers:
            ahead = dt.timedelta(seconds=(clovers - now).total_seconds())
            self._ahead = ahead if SAME < abs(ahead) <= APART else dt.timedelta()

    def interpret(self, words: str, region: str, now: DateTime) -> Unavailability:
        """What a 503 means; hours that Clover names are remembered."""
        hours = self._hours.get(region)
        table = None if hours and hours.is_open(now) else hours
        meaning = interpret_503(words, region, now + self._ahead, table)
        if meaning.hours:
            self._hours[region] = meaning.hours
        if not self._ahead or meaning.until is None:
            return meaning
        until = min(meaning.until - self._ahead, now + LOOK_AGAIN)
        return dataclasses.replace(meaning, until=until)

    def accepted(self, region: str, now: DateTime, created: DateTime | None = None) -> None:
        """An export was accepted: hours that say closed are disproved for the run.

        Args:
            region: The region.
            now: The time.
            created: When that was, by Clover's clock.
        """
        hours = self._hours.get(region)
        if hours and not any(map(hours.is_open, (now, now + self._ahead, created or now))):
            self._hours[region] = None

    def open_seconds(self, region: str, seconds: float, now: DateTime) -> float:
        """For how much of the last seconds Clover was open, as far as its hours are known."""
        hours = self._hours.get(region)
        if hours is None:
            return seconds
        span = dt.timedelta(seconds=seconds)
        ends = (now, now + self._ahead)
        return min(hours.open_seconds(end - span, end) for end in ends)


def interpret_503(words: str, region: str, now: DateTime, table: Hours | None) -> Unavailability:
    """Tell closed from busy.

    Args:
        words: The body of the 503.
        region: The region that was asked.
        now: The time of the refusal.
        table: The hours that count where the words name none.
    """
    # Clover's words win over the table, the table over a guess.
    hours = read(words, region)
    if hours and not hours.is_open(now):
        return Unavailability(closed=True, until=hours.next_opening(now), hours=hours)
    if _BUSY.search(words):
        return Unavailability(closed=False)
    if hours:
        return Unavailability(closed=True, until=now + ASK_AGAIN, hours=hours)
    if table and not table.is_open(now):
        until = min(table.next_opening(now), now + LOOK_AGAIN)
        return Unavailability(closed=True, until=until, hours=table)
    if _CLOSED.search(words):
        return Unavailability(closed=True, until=now + ASK_AGAIN)
    return Unavailability(closed=False)


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
    return total if minute < 60 and total <= MIDNIGHT else None  # noqa: PLR2004
