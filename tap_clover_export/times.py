"""Times as Clover (milliseconds), Singer (RFC 3339) and settings write them."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import TYPE_CHECKING

import pendulum
from pendulum import DateTime

if TYPE_CHECKING:
    from collections.abc import Iterable

YEAR_1 = -62_135_596_800_000
YEAR_9999 = 253_402_300_799_999
"""The last millisecond that RFC 3339 can write."""

_DATED = re.compile(r"\d{4}-\d\d-\d\d")
_OWN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_EPOCH = dt.date(1970, 1, 1)


def from_ms(ms: int) -> DateTime:
    """The UTC time of milliseconds since the epoch."""
    return pendulum.from_timestamp(0).add(seconds=ms // 1000, microseconds=ms % 1000 * 1000)


def from_seconds(seconds: float) -> DateTime:
    """The UTC time of seconds since the epoch, cut to the millisecond."""
    return from_ms(int(seconds * 1000))


def to_ms(time: dt.datetime) -> int:
    """Milliseconds since the epoch."""
    return calendar.timegm(time.utctimetuple()) * 1000 + time.microsecond // 1000


def to_text(time: dt.datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    return ms_to_text(to_ms(time))


def parse(text: str) -> DateTime:
    """Read an ISO 8601 date or date-time; without an offset it is UTC.

    Raises:
        ValueError: If the text is no such time.
    """
    text = text.strip()
    try:
        if _OWN.fullmatch(text):  # as `to_text` writes it; states of thousands are full of them
            return from_ms(to_ms(dt.datetime.fromisoformat(text)))
        time = pendulum.parse(text, tz="UTC") if _DATED.match(text) else None
        if isinstance(time, DateTime):
            return from_ms(to_ms(time))
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is not a time such as 2026-01-31T00:00:00Z")


def ms_to_text(ms: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of milliseconds since the epoch, years 1 to 9999."""
    return str(all_to_text((ms,))[0])


def all_to_text(values: Iterable[object]) -> list[object]:
    """The texts of many such times at once; what is no time stays what it is."""
    return [
        f"{_dates[(seconds := ms // 1000) // 86_400]}{_MINUTES[(second := seconds % 86_400) // 60]}"
        f"{_SECONDS[second % 60]}{_MILLIS[ms % 1000]}"
        if isinstance(ms, int)
        else ms
        for ms in values
    ]


def duration(seconds: float) -> str:
    """A length of time in the two units that matter."""
    if 0 < seconds < 9.95:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _Dates(dict[int, str]):
    """The text of days since the epoch, each written once."""

    def __missing__(self, day: int) -> str:
        if len(self) > 20_000:  # noqa: PLR2004
            self.clear()
        text = self[day] = (_EPOCH + dt.timedelta(day)).isoformat()
        return text


_dates = _Dates()
_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}." for second in range(60)]
_MILLIS = [f"{millis:03}Z" for millis in range(1000)]
