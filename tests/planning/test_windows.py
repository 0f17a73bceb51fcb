"""Windows: exactly what is missing, cut to what Clover takes."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.planning.windows import NARROWEST, WIDEST, Window, count, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pendulum import DateTime

DAY = dt.timedelta(days=1)
_FIRST = times.to_ms(pendulum.datetime(2019, 1, 1))
_LAST = times.to_ms(pendulum.datetime(2021, 1, 1))

moments = st.integers(_FIRST, _LAST).map(times.from_ms)
widths = st.integers(6 * 3600, 30 * 86_400).map(lambda seconds: dt.timedelta(seconds=seconds))


def _day(number: float) -> DateTime:
    return times.from_ms(_FIRST + int(number * 86_400_000))


def _assert_covers(found: Sequence[Window], begin: DateTime, end: DateTime) -> None:
    assert found[0].start == begin
    assert found[-1].end == end
    assert all(one.end == two.start for one, two in itertools.pairwise(found))
    assert all(window.start < window.end for window in found)


@settings(max_examples=40)
@given(moments, moments, widths, st.lists(st.tuples(moments, moments), max_size=6))
def test_windows_cover_with_pending_ones(
    start: DateTime,
    end: DateTime,
    width: dt.timedelta,
    bounds: list[tuple[DateTime, DateTime]],
) -> None:
    """Whatever stands in the state as pending, the span is covered once and none is too wide."""
    if start >= end:
        start, end = end, start + dt.timedelta(milliseconds=1)
    pending = [Window(*pair) for pair in bounds]

    found = list(split(Window(start, end), width, pending))
    back = list(split(Window(start, end), width, pending, newest_first=True))

    for windows in (found, back[::-1]):
        _assert_covers(windows, start, end)
        assert all(window.width <= width or window in pending for window in windows)
        assert all(window.width <= WIDEST for window in windows)
    assert len(found) == len(back)


@given(
    st.lists(st.integers(0, 100_000), min_size=2, max_size=12, unique=True),
    widths,
    st.randoms(use_true_random=False),
)
def test_pending_windows_keep_their_bounds(
    minutes: list[int], width: dt.timedelta, random: object
) -> None:
    """Every pending window that fits and overlaps no other is among the windows, as it is."""
    edges = sorted(_day(minute / 1440) for minute in minutes)
    pending = [
        window
        for window in map(Window, edges[::2], edges[1::2])
        if window.width <= WIDEST  # a wider one Clover refuses
    ]
    shuffled = sorted(pending, key=lambda _: random.random())  # type: ignore[attr-defined]

    found = list(split(Window(_day(0), _day(100)), width, shuffled))

    assert set(pending) <= set(found)
    _assert_covers(found, _day(0), _day(100))


@pytest.mark.parametrize(
    ("pending", "kept"),
    [
        ([Window(_day(0), _day(3))], True),
        ([Window(_day(7), _day(10))], True),
        ([Window(_day(0), _day(10))], True),
        ([Window(_day(-1), _day(3))], False),
        ([Window(_day(8), _day(11))], False),
        ([Window(_day(4), _day(4))], False),
        ([Window(_day(5), _day(4))], False),
        ([Window(_day(-5), _day(-4))], False),
        ([Window(_day(12), _day(13))], False),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else "",
)
def test_pending_windows_outside_the_span_are_left_out(
    pending: list[Window], *, kept: bool
) -> None:
    """Only a pending window inside the span is resumed; the edges themselves are inside."""
    found = list(split(Window(_day(0), _day(10)), 4 * DAY, pending))

    assert (pending[0] in found) is kept
    _assert_covers(found, _day(0), _day(10))


def test_overlapping_pending_windows_give_way_to_the_earlier() -> None:
    """Of two pending windows that overlap the earlier stays; the rest is cut again."""
    one, two = Window(_day(1), _day(3)), Window(_day(2), _day(5))

    found = list(split(Window(_day(0), _day(6)), 30 * DAY, [two, one]))

    assert found == [Window(_day(0), _day(1)), one, Window(_day(3), _day(6))]


def test_pending_wider_than_clover_takes_is_cut() -> None:
    """A hand-edited pending window above 30 days is not used."""
    wide = Window(_day(0), _day(30) + dt.timedelta(milliseconds=1))

    assert wide not in list(split(Window(_day(0), _day(40)), WIDEST, [wide]))


def test_pending_windows_may_be_wider_than_the_setting() -> None:
    """A pending window of a former, wider `window_days` is resumed as it is."""
    wide = Window(_day(0), _day(30))

    assert list(split(Window(_day(0), _day(31)), DAY, [wide])) == [wide, Window(_day(30), _day(31))]


def test_thirty_days_are_one_window() -> None:
    """Exactly the widest window is one, a millisecond more is two."""
    tick = dt.timedelta(milliseconds=1)

    assert len(list(split(Window(_day(0), _day(30)), WIDEST))) == 1
    assert len(list(split(Window(_day(0), _day(30) + tick), WIDEST))) == 2


@given(moments, st.integers(1, 30 * 86_400_000))
def test_halves_touch_and_are_equal(start: DateTime, milliseconds: int) -> None:
    """Halves cover the window, cut at a whole second, and are an hour or hardly less."""
    window = Window(start, start + dt.timedelta(milliseconds=milliseconds))

    halves = window.halves()

    if window.width < 2 * NARROWEST:
        assert halves is None
    else:
        assert halves is not None
        one, two = halves
        assert (one.start, one.end, two.end) == (window.start, two.start, window.end)
        second = dt.timedelta(seconds=1)
        assert abs(one.width - two.width) < 2 * second
        assert min(one.width, two.width) > NARROWEST - second
        assert one.end.microsecond == 0


@pytest.mark.parametrize(
    ("width", "halved"),
    [
        (dt.timedelta(hours=2), True),
        (dt.timedelta(hours=2) - dt.timedelta(milliseconds=1), False),
        (dt.timedelta(hours=1), False),
        (dt.timedelta(days=30), True),
    ],
)
def test_two_hours_are_the_least_to_halve(width: dt.timedelta, *, halved: bool) -> None:
    """A window is halved down to an hour, not below."""
    assert (Window(_day(0), _day(0) + width).halves() is not None) is halved


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("year", [2019, 2020])
def test_daylight_saving_changes_nothing(zone: str, year: int) -> None:
    """Days that clocks in a zone make longer or shorter are days of 24 hours here."""
    start = times.parse(pendulum.datetime(year, 1, 1, tz=zone).isoformat())
    end = times.parse(pendulum.datetime(year + 1, 1, 1, tz=zone).isoformat())

    found = list(split(Window(start, end), DAY))

    assert all(window.width == DAY for window in found)
    assert len(found) == (366 if year == 2020 else 365)
    assert {window.start.utcoffset() for window in found} == {dt.timedelta(0)}


def test_windows_sort_by_time_and_compare_by_value() -> None:
    """Windows of the same bounds are the same window, wherever the bounds came from."""
    again = Window(times.parse("2019-01-02T02:00:00+02:00"), times.parse("2019-01-03"))

    assert again == Window(_day(1), _day(2))
    assert {again} == {Window(_day(1), _day(2))}
    assert min([Window(_day(1), _day(2)), Window(_day(0), _day(9))]).start == _day(0)


@given(moments, moments, widths, st.lists(st.tuples(moments, moments), max_size=5))
def test_windows_are_counted_without_cutting(
    begin: DateTime, end: DateTime, width: dt.timedelta, known: list[tuple[DateTime, DateTime]]
) -> None:
    """The number is that of the windows, whatever is pending among them."""
    span = Window(begin, end)
    pending = [Window(start, min(stop, start + WIDEST)) for start, stop in known]
    assert count(span, width, pending) == len(list(split(span, width, pending)))


def test_the_newest_come_first_where_asked() -> None:
    """Cut from the end, so that the odd one is the oldest; pending ones keep their bounds."""
    span, known = Window(_day(0), _day(10)), Window(_day(5), _day(6))

    assert list(split(span, 3 * DAY, [known], newest_first=True)) == [
        Window(_day(7), _day(10)),
        Window(_day(6), _day(7)),
        known,
        Window(_day(2), _day(5)),
        Window(_day(0), _day(2)),
    ]
    first = Window(times.from_ms(times.YEAR_1), times.from_ms(times.YEAR_1 + 1))
    assert list(split(first, WIDEST, newest_first=True)) == [first]
