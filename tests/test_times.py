"""Times: Clover's milliseconds, Singer's text, the settings' dates."""

from __future__ import annotations

import datetime as dt

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_clover_export import times

every_ms = st.integers(times.YEAR_1, times.YEAR_9999)


@given(every_ms)
@example(0)
@example(-1)
@example(1)
@example(times.YEAR_1)
@example(times.YEAR_9999)
@example(253_402_300_799_000)
def test_text_agrees_with_the_standard_library(ms: int) -> None:
    """Any millisecond of the years 1 to 9999 is written as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    time = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
    expected = f"{time:%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"

    assert times.ms_to_text(ms) == f"{time.year:04}-{expected}"


@given(
    st.integers(
        times.to_ms(pendulum.datetime(1950, 1, 1)), times.to_ms(pendulum.datetime(2200, 1, 1))
    )
)
@example(-1)
@example(-999)
def test_every_notation_reads_back(ms: int) -> None:
    """Milliseconds, times and text turn into each other without loss."""
    _assert_reads_back(ms)


@given(every_ms)
@example(times.YEAR_1)
@example(times.YEAR_9999)
@example(8_825_493_106_203)
def test_far_years_read_back(ms: int) -> None:
    """Before 1700 and after 2249 a millisecond is lost (pendulum's Interval is a float)."""
    _assert_reads_back(ms)


def _assert_reads_back(ms: int) -> None:
    time = times.from_ms(ms)

    assert times.to_ms(time) == ms
    assert time.utcoffset() == dt.timedelta(0)
    assert times.to_text(time) == times.ms_to_text(ms)
    assert times.parse(times.to_text(time)) == time


def test_range_is_what_rfc_3339_can_write() -> None:
    """The bounds are the first and the last millisecond of four-digit years."""
    assert times.ms_to_text(times.YEAR_1) == "0001-01-01T00:00:00.000Z"
    assert times.ms_to_text(times.YEAR_9999) == "9999-12-31T23:59:59.999Z"
    with pytest.raises(OverflowError):
        times.ms_to_text(times.YEAR_9999 + 1)
    with pytest.raises(OverflowError):
        times.ms_to_text(times.YEAR_1 - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        (" 2026-01-31 ", "2026-01-31T00:00:00.000Z"),
        ("2026-01-31T09:00", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31T09:00:00", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31 09:00:00", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31T09:00:00.123456Z", "2026-01-31T09:00:00.123Z"),
        ("2026-01-31T09:00:00.9999Z", "2026-01-31T09:00:00.999Z"),
        ("2026-01-31T09:00:00+02:00", "2026-01-31T07:00:00.000Z"),
        ("2026-01-31T23:30:00-05:30", "2026-02-01T05:00:00.000Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z"),
    ],
)
def test_dates_and_date_times_are_read_as_utc(text: str, expected: str) -> None:
    """Without an offset it is UTC, with one it is moved there; cut to the millisecond."""
    time = times.parse(text)

    assert times.to_text(time) == expected
    assert time.utcoffset() == dt.timedelta(0)
    assert time.microsecond % 1000 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "now",
        "5",
        "12:00",
        "2026",
        "2026-01",
        "20260131",
        "2026-W01",
        "2026-02-30",
        "2026-13-01",
        "2025-02-29",
        "2026-01-31T25:00",
        "2026-01-31 junk",
        "2026-01-01/2026-02-01",
        "P1D",
        "0000-01-01",
        "10000-01-01",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Anything else is a ValueError whose text shows what was given."""
    with pytest.raises(ValueError, match="is not a time such as") as caught:
        times.parse(text)
    assert repr(text.strip()) in str(caught.value)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_times_whose_offset_leaves_the_calendar_are_refused(text: str) -> None:
    """A time that leaves years 1 to 9999 in UTC is a ValueError, not an OverflowError."""
    with pytest.raises(ValueError, match="is not a time such as"):
        times.parse(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, 0), (0.0019, 1), (1_700_000_000.5, 1_700_000_000_500), (1_700_000_000, 1_700_000_000_000)],
)
def test_seconds_are_cut_to_the_millisecond(seconds: float, expected: int) -> None:
    """Unix seconds become a UTC time, cut to the millisecond."""
    assert times.to_ms(times.from_seconds(seconds)) == expected


def test_other_zones_give_the_same_milliseconds() -> None:
    """An aware time of any zone has one number of milliseconds."""
    berlin = pendulum.datetime(2026, 7, 1, 12, tz="Europe/Berlin")

    assert times.to_text(berlin) == "2026-07-01T10:00:00.000Z"


def test_dates_stay_right_when_the_cache_is_emptied() -> None:
    """More different days than the cache holds are all written right."""
    start = dt.date(1950, 1, 1).toordinal() - dt.date(1970, 1, 1).toordinal()
    for day in range(start, start + 20_100):
        text = times.ms_to_text(day * 86_400_000 + 1)
        assert text == f"{dt.date(1970, 1, 1) + dt.timedelta(day)}T00:00:00.001Z"
    assert len(times._dates) <= 20_001


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """The two units that matter."""
    assert times.duration(seconds) == text
