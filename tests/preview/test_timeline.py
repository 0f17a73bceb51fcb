"""Time lines: what a run does with each segment of a partition's time, and how it is looked at."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.planning.windows import Window
from tap_clover_export.preview import timeline
from tap_clover_export.preview.timeline import Kind
from tests.support.plans import DAY, NOW, work

if TYPE_CHECKING:
    from tap_clover_export.planning.plan import PartitionPlan


def _segments(item: PartitionPlan, deferred: int = 0) -> list[tuple[str, float, float, float]]:
    """Kind, start and end in days before now, phase in days."""
    return [
        (one.kind, _days(NOW - one.start), _days(NOW - one.end), _days(one.phase))
        for one in timeline.segments(item, deferred, NOW)
    ]


def _days(span: dt.timedelta) -> float:
    return round(span.total_seconds() / 86_400, 6)


@pytest.mark.parametrize(
    ("item", "deferred", "segments"),
    [
        (work(days=50), 0, [("planned", 50, 0, 10)]),
        (work(days=50, behind=0), 0, [("covered", 50, 0, 0)]),
        (
            work(days=50, behind=2),
            0,
            [("covered", 50, 9, 0), ("lookback", 9, 2, 0), ("planned", 2, 0, 7)],
        ),
        (work(days=50, behind=2, lookback=0), 0, [("covered", 50, 2, 0), ("planned", 2, 0, 0)]),
        (work(days=5, behind=2), 0, [("lookback", 5, 2, 0), ("planned", 2, 0, 3)]),
        # a later start adds nothing before it, and leaves no gap after the bookmark
        (work(days=5, behind=9), 0, [("planned", 9, 0, 0)]),
        (work(days=5, behind=-1), 0, [("covered", 5, 0, 0)]),
        (work(days=-5), 0, []),
        (
            work(days=80, behind=35),
            0,
            [("covered", 80, 42, 0), ("lookback", 42, 35, 0), ("planned", 35, 0, 7)],
        ),
        (
            work(days=80, behind=35, lookback=40),
            0,
            [("covered", 80, 75, 0), ("lookback", 75, 35, 0), ("planned", 35, 0, 10)],
        ),
        (
            work(days=80, behind=8, pending=(15, 5)),
            0,
            [("covered", 80, 15, 0), ("pending", 15, 5, 0), ("planned", 5, 0, 0)],
        ),
        # history is cut from its end, the newest window first
        (work(days=80), 1, [("deferred", 80, 60, 10), ("planned", 60, 0, 0)]),
        (work(days=80), 3, [("deferred", 80, 0, 10)]),
        (
            work(days=80, behind=2, since=20),
            1,
            [
                ("deferred", 80, 50, 0),
                ("planned", 50, 20, 0),
                ("covered", 20, 9, 0),
                ("lookback", 9, 2, 0),
                ("planned", 2, 0, 7),
            ],
        ),
        (
            work(days=95, behind=0, since=20, pending=(60, 50)),
            1,
            [
                ("deferred", 95, 90, 25),
                ("planned", 90, 60, 0),
                ("pending", 60, 50, 0),
                ("planned", 50, 20, 0),
                ("covered", 20, 0, 0),
            ],
        ),
        (
            work(days=80, pending=(50, 40)),
            1,
            [
                ("deferred", 80, 50, 0),
                ("pending", 50, 40, 0),
                ("planned", 40, 0, 20),
            ],
        ),
        # late changes are looked for before the look-back
        (
            work(days=80, behind=2, late=60),
            0,
            [
                ("covered", 80, 60, 0),
                ("late changes", 60, 9, 0),
                ("lookback", 9, 2, 0),
                ("planned", 2, 0, 7),
            ],
        ),
        (
            work(days=80, behind=2, late=60),
            1,
            [
                ("covered", 80, 39, 0),
                ("late changes", 39, 9, 0),
                ("lookback", 9, 2, 0),
                ("planned", 2, 0, 7),
            ],
        ),
        (
            work(days=80, behind=2, late=60),
            2,
            [("covered", 80, 9, 0), ("lookback", 9, 2, 0), ("planned", 2, 0, 7)],
        ),
        # what is deferred of a look-back is exported already
        (work(days=80, behind=2), 1, [("covered", 80, 2, 0), ("deferred", 2, 0, 7)]),
    ],
)
def test_segments(
    item: PartitionPlan, deferred: int, segments: list[tuple[str, float, float, float]]
) -> None:
    """Each kind of segment, where it stands, and where its windows begin."""
    assert _segments(item, deferred) == segments


@given(
    days=st.floats(0.1, 400),
    behind=st.none() | st.floats(0, 400),
    earlier=st.none() | st.floats(0.1, 100),
    late=st.none() | st.floats(1, 90),
    lookback=st.floats(0, 50),
    first=st.floats(0.2, 60),
    width=st.floats(0.1, 30),
    deferred=st.integers(0, 20),
)
def test_segments_touch(
    *,
    days: float,
    behind: float | None,
    earlier: float | None,
    late: float | None,
    lookback: float,
    first: float,
    width: float,
    deferred: int,
) -> None:
    """Segments follow one another without gap, up to now; those planned are not covered."""
    since = None if behind is None or earlier is None else behind + earlier
    item = work(
        days=days,
        behind=behind,
        since=since,
        late=late,
        lookback=lookback,
        pending=(first, max(0, first - width)),
    )
    deferred = min(deferred, item.count() - len(item.pending))
    segments = timeline.segments(item, deferred, NOW)

    assert segments[0].start <= item.partition.merchant.start
    assert segments[-1].end == NOW
    assert all(a.end == b.start for a, b in itertools.pairwise(segments))
    covered = item.state.covered
    for segment in segments:
        assert segment.start < segment.end
        assert dt.timedelta(0) <= segment.phase < 30 * DAY
        known = Window(segment.start, segment.end)
        if segment.kind in (Kind.LOOKBACK, Kind.LATE_CHANGES, Kind.COVERED):
            assert covered
            assert covered.with_window(known) == covered
        elif covered and segment.kind is not Kind.PENDING:
            assert segment.start >= covered.end or segment.end <= (covered.start or segment.start)
    assert sum(segment.kind is Kind.PENDING for segment in segments) == len(item.pending)


@given(
    behind=st.none() | st.integers(0, 90),
    since=st.none() | st.integers(91, 200),
    late=st.none() | st.integers(1, 90),
    deferred=st.integers(0, 14),
)
def test_what_is_left_is_drawn_as_the_exports_come(
    behind: int | None, since: int | None, late: int | None, deferred: int
) -> None:
    """The last exports of the plan's own order are those for a later run, or not made again."""
    item = work(days=250, behind=behind, since=since, late=late)
    exports = [export.window for export in item.exports()]
    deferred = min(deferred, len(exports))
    segments = timeline.segments(item, deferred, NOW)

    for place, window in enumerate(exports):
        kinds = {one.kind for one in segments if one.start < window.end and window.start < one.end}
        if place < len(exports) - deferred:
            assert kinds <= {Kind.PLANNED, Kind.LOOKBACK, Kind.LATE_CHANGES}
        else:
            assert kinds <= {Kind.DEFERRED, Kind.COVERED}


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
def test_zooms(days: float, planned: list[float], names: list[str], chosen: str) -> None:
    """Stretches narrower than everything, the one chosen that suits what is seen first."""
    zooms = timeline.zooms(
        NOW, begin=NOW - days * DAY, planned=[NOW - back * DAY for back in planned]
    )

    assert [zoom.name for zoom in zooms] == names
    assert [zoom.name for zoom in zooms if zoom.chosen] == [chosen]
    assert zooms[-1].minutes == max(days, 1) * 1440


def test_ticks() -> None:
    """Ticks stand on round days, months or years."""
    begin = pendulum.datetime(2023, 6, 7)
    weeks, months, year, everything = timeline.zooms(NOW, begin=begin, planned=[])

    assert [label for _, label in weeks.ticks] == ["19 Feb", "22 Feb", "25 Feb", "28 Feb", "3 Mar"]
    assert [label for _, label in months.ticks] == ["Jan 26", "Feb 26", "Mar 26"]
    assert [label for _, label in year.ticks] == ["Apr 25", "Jul 25", "Oct 25", "Jan 26"]
    assert everything.ticks == ((20.79, "2024"), (57.37, "2025"), (93.85, "2026"))


@given(st.floats(0.5, 30_000))
def test_ticks_are_few(days: float) -> None:
    """Any stretch of time has at most a handful of ticks, in order, inside it."""
    zoom = timeline.zooms(NOW, begin=NOW - dt.timedelta(days=days), planned=[])[-1]
    places = [percent for percent, _ in zoom.ticks]

    assert len(places) <= 5
    assert places == sorted(places)
    assert all(0 <= percent < 100 for percent in places)


def test_windows_too_narrow_to_see_are_not_cut() -> None:
    """A style cuts time lines into windows only where a window is wide enough."""
    zooms = timeline.zooms(NOW, begin=NOW - 1000 * DAY, planned=[])
    wide, narrow = (timeline.style(zooms, window).splitlines() for window in (30 * DAY, DAY / 24))

    assert not any("--cut:none" in line for line in wide)
    assert all("--cut:none" in line for line in narrow)
    assert [line.count("linear-gradient") for line in wide] == [len(zoom.ticks) for zoom in zooms]
