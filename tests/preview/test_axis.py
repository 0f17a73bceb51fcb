"""The axis of time: its views and ticks."""

from __future__ import annotations

import datetime as dt

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.preview import axis
from tests.support.plans import DAY, NOW


@pytest.mark.parametrize(
    ("days", "planned", "names", "chosen"),
    [
        (1000, [8], ["2 weeks", "3 months", "1 year", "All"], "2 weeks"),
        (1000, [47], ["2 weeks", "3 months", "1 year", "All"], "3 months"),
        (1000, [1000], ["2 weeks", "3 months", "1 year", "All"], "All"),
        (1000, [], ["2 weeks", "3 months", "1 year", "All"], "2 weeks"),
        # a few that are far behind do not make the others too small to see
        (1000, [8, 8, 8, 1000], ["2 weeks", "3 months", "1 year", "All"], "2 weeks"),
        (1000, [*[8] * 900, *[1000] * 10], ["2 weeks", "3 months", "1 year", "All"], "2 weeks"),
        (1000, [*[8] * 900, *[1000] * 11], ["2 weeks", "3 months", "1 year", "All"], "All"),
        (1000, [8, 8, 1000, 1000], ["2 weeks", "3 months", "1 year", "All"], "All"),
        (60, [60], ["2 weeks", "All"], "All"),
        (3, [3], ["All"], "All"),
        (-5, [], ["All"], "All"),
    ],
)
def test_views(days: float, planned: list[float], names: list[str], chosen: str) -> None:
    """Views narrower than everything, the one chosen that suits what is seen first."""
    views = axis.views(NOW, begin=NOW - days * DAY, planned=[NOW - back * DAY for back in planned])

    assert [view.name for view in views] == names
    assert [view.name for view in views if view.chosen] == [chosen]
    assert views[-1].minutes == max(days, 1) * 1440


def test_ticks() -> None:
    """Ticks stand on round days, months or years."""
    begin = pendulum.datetime(2023, 6, 7)
    weeks, months, year, everything = axis.views(NOW, begin=begin, planned=[])

    assert [label for _, label in weeks.ticks] == ["19 Feb", "22 Feb", "25 Feb", "28 Feb", "3 Mar"]
    assert [label for _, label in months.ticks] == ["Jan 26", "Feb 26", "Mar 26"]
    assert [label for _, label in year.ticks] == ["Apr 25", "Jul 25", "Oct 25", "Jan 26"]
    assert everything.ticks == ((20.79, "2024"), (57.37, "2025"), (93.85, "2026"))


@given(st.floats(0.5, 30_000))
def test_ticks_are_few(days: float) -> None:
    """Any stretch of time has at most a handful of ticks, in order, inside it."""
    view = axis.views(NOW, begin=NOW - dt.timedelta(days=days), planned=[])[-1]
    places = [percent for percent, _ in view.ticks]

    assert len(places) <= 5
    assert places == sorted(places)
    assert all(0 <= percent < 100 for percent in places)


def test_windows_too_narrow_to_see_are_not_cut() -> None:
    """A style cuts strips into windows only where a window is wide enough."""
    views = axis.views(NOW, begin=NOW - 1000 * DAY, planned=[])
    wide, narrow = (axis.style(views, window).splitlines() for window in (30 * DAY, DAY / 24))

    assert not any("--cut:none" in line for line in wide)
    assert all("--cut:none" in line for line in narrow)
    assert [line.count("linear-gradient") for line in wide] == [len(view.ticks) for view in views]
