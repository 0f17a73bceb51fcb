"""Strips: what a run does with each part of a partition's time."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.preview import timeline
from tap_clover_export.preview.timeline import Kind
from tests.support.plans import DAY, NOW, work

if TYPE_CHECKING:
    from tap_clover_export.planning.plan import PartitionPlan


def _parts(item: PartitionPlan, left: int = 0) -> list[tuple[str, float, float, float]]:
    """Kind, start and end in days before now, phase in days."""
    return [
        (part.kind, _days(NOW - part.start), _days(NOW - part.end), _days(part.phase))
        for part in timeline.parts(item, left, NOW)
    ]


def _days(span: dt.timedelta) -> float:
    return round(span.total_seconds() / 86_400, 6)


@pytest.mark.parametrize(
    ("item", "left", "parts"),
    [
        (work(days=50), 0, [("planned", 50, 0, 0)]),
        (work(days=50, behind=0), 0, [("exported", 50, 0, 0)]),
        (
            work(days=50, behind=2),
            0,
            [("exported", 50, 9, 0), ("again", 9, 2, 0), ("planned", 2, 0, 7)],
        ),
        (work(days=50, behind=2, lookback=0), 0, [("exported", 50, 2, 0), ("planned", 2, 0, 0)]),
        (work(days=5, behind=2), 0, [("again", 5, 2, 0), ("planned", 2, 0, 3)]),
        (work(days=5, behind=9), 0, [("planned", 5, 0, 0)]),
        (work(days=5, behind=-1), 0, [("exported", 5, 0, 0)]),
        (work(days=-5), 0, []),
        (
            work(days=80, behind=35),
            0,
            [("exported", 80, 42, 0), ("again", 42, 35, 0), ("planned", 35, 0, 7)],
        ),
        (
            work(days=80, behind=35, lookback=40),
            0,
            [("exported", 80, 75, 0), ("again", 75, 35, 0), ("planned", 35, 0, 10)],
        ),
        (
            work(days=80, behind=8, pending=(15, 5)),
            0,
            [("exported", 80, 15, 0), ("pending", 15, 5, 0), ("planned", 5, 0, 0)],
        ),
        (work(days=80), 1, [("planned", 80, 20, 0), ("left", 20, 0, 0)]),
        (work(days=80), 3, [("left", 80, 0, 0)]),
        (
            work(days=80, pending=(50, 40)),
            2,
            [("planned", 80, 50, 0), ("pending", 50, 40, 0), ("left", 40, 0, 0)],
        ),
        # what is left of a look-back is exported already
        (work(days=80, behind=2), 1, [("exported", 80, 2, 0), ("left", 2, 0, 7)]),
    ],
)
def test_parts(item: PartitionPlan, left: int, parts: list[tuple[str, float, float, float]]) -> None:
    """Each kind of part, where it stands, and where its windows begin."""
    assert _parts(item, left) == parts


@given(
    days=st.floats(0.1, 400),
    behind=st.none() | st.floats(0, 400),
    lookback=st.floats(0, 50),
    first=st.floats(0.2, 60),
    width=st.floats(0.1, 30),
    left=st.integers(0, 20),
)
def test_parts_touch(
    days: float, behind: float | None, lookback: float, first: float, width: float, left: int
) -> None:
    """Parts follow one another without gap or overlap, up to now; planned ones are unexported."""
    pending = (first, max(0, first - width))
    item = work(days=days, behind=behind, lookback=lookback, pending=pending)
    left = min(left, sum(1 for _ in item.windows()) - len(item.pending))
    parts = timeline.parts(item, left, NOW)

    assert parts[0].start == item.partition.merchant.start
    assert parts[-1].end == NOW
    assert all(a.end == b.start for a, b in itertools.pairwise(parts))
    for part in parts:
        assert part.start < part.end
        assert dt.timedelta(0) <= part.phase < 30 * DAY
        if item.bookmark and part.kind in (Kind.PLANNED, Kind.LEFT):
            assert part.start >= item.bookmark
        if part.kind in (Kind.AGAIN, Kind.EXPORTED):
            assert item.bookmark
            assert part.end <= item.bookmark
    assert sum(part.kind is Kind.PENDING for part in parts) == len(item.pending)
