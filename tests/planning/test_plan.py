"""The plan: what a partition lacks, and in which order it is exported."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import pendulum
import pytest

from tap_clover_export.planning import plan
from tap_clover_export.planning.plan import (
    BACKFILL,
    CATCH_UP,
    Partition,
    PartitionPlan,
    PartitionState,
    PendingExport,
)
from tap_clover_export.planning.windows import Window
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from pendulum import DateTime

NOW = pendulum.datetime(2026, 3, 2, 12)
DAY = dt.timedelta(days=1)
TICK = dt.timedelta(milliseconds=1)


def _ago(days: float) -> DateTime:
    return NOW - dt.timedelta(days=days)


def _partition(start: DateTime, merchant: str = "M1", stream: str = "orders") -> Partition:
    url = "https://api.clover.com"
    return Partition(Merchant(merchant, "us", url, start, access_token=Secret("t")), stream)


def _pending(
    begin: float, end: float, *, created: float = 0.1, identity: str = "E1"
) -> PendingExport:
    """A pending export over days before now."""
    return PendingExport(identity, Window(_ago(begin), _ago(end)), _ago(created))


def _planned(start: float = 100, number: int = 0, **changes: Any) -> PartitionPlan:
    """The plan of a partition whose start, and bookmark, lie this number of days ago."""
    bookmark = changes.pop("bookmark", None)
    state = PartitionState(
        None if bookmark is None else _ago(bookmark), tuple(changes.pop("pending", ()))
    )
    options = {"end": NOW, "now": NOW, "lookback": 7 * DAY, "width": 30 * DAY, **changes}
    return plan.plan_partition(_partition(_ago(start)), number, state, **options)


@pytest.mark.parametrize(
    ("start", "bookmark", "lookback", "span"),
    [
        (100, None, 7, (100, 0)),
        (100, 1, 7, (8, 0)),
        (100, 1, 0, (1, 0)),
        (5, 1, 7, (5, 0)),
        (100, 50, 400, (100, 0)),
        (100, 0, 7, None),
        (100, -3, 7, None),
        (-3, None, 7, None),
        (0, None, 7, None),
    ],
)
def test_the_span_is_what_is_missing(
    start: float, bookmark: float | None, lookback: float, span: tuple[float, float] | None
) -> None:
    """From the bookmark less the look-back, or the start, up to now; nothing in the future."""
    planned = _planned(start, bookmark=bookmark, lookback=lookback * DAY)

    assert planned.span == (None if span is None else Window(_ago(span[0]), _ago(span[1])))
    assert (not list(planned.windows())) is (span is None)


@pytest.mark.parametrize("end", [0, -1, -1000])
def test_no_window_ends_later_than_now(end: float) -> None:
    """An end in the future is cut to now."""
    planned = _planned(40, end=_ago(end))

    assert [window.end for window in planned.windows()][-1] == NOW


def test_an_earlier_end_is_kept() -> None:
    """`end_date` stops the span before now."""
    assert _planned(40, end=_ago(10)).span == Window(_ago(40), _ago(10))
    assert _planned(40, end=_ago(10), bookmark=9).span is None


@pytest.mark.parametrize(
    ("start", "bookmark", "lookback", "turn"),
    [
        (30, None, 7, CATCH_UP),
        (30.001, None, 7, BACKFILL),
        (1000, 30, 7, CATCH_UP),
        (1000, 30.001, 7, BACKFILL),
        (1000, 1, 7, CATCH_UP),
        (1000, 1, 365, CATCH_UP),
        (1000, 300, 7, BACKFILL),
        (10, 300, 7, CATCH_UP),
        (-5, None, 7, CATCH_UP),
    ],
)
def test_news_is_what_lacks_its_last_days(
    start: float, bookmark: float | None, lookback: float, turn: int
) -> None:
    """Up to 30 days since the bookmark is new, however long the look-back; else history."""
    assert _planned(start, bookmark=bookmark, lookback=lookback * DAY).turn == turn


def test_new_days_come_before_history_and_backfills_take_turns() -> None:
    """Sorted by priority: each shop's new days in order of time, then a window of each history."""
    plans = [
        _planned(95, 0),
        _planned(1000, 1, bookmark=1, width=DAY, lookback=DAY),
        _planned(70, 2),
        _planned(1000, 3, bookmark=2),
    ]
    exports = sorted(itertools.chain(*(w.exports() for w in plans)), key=lambda e: e.priority)

    assert [export.priority for export in exports] == [
        (CATCH_UP, 0, 1),
        (CATCH_UP, 0, 3),
        (CATCH_UP, 1, 1),
        (BACKFILL, 0, 0),
        (BACKFILL, 0, 2),
        (BACKFILL, 1, 0),
        (BACKFILL, 1, 2),
        (BACKFILL, 2, 0),
        (BACKFILL, 2, 2),
        (BACKFILL, 3, 0),
    ]


def test_exports_go_in_order_of_time() -> None:
    """A partition's priorities grow with time, so that its bookmark can follow."""
    exports = list(_planned(400).exports())

    assert [e.priority for e in exports] == sorted(e.priority for e in exports)
    assert all(one.window.end == two.window.start for one, two in itertools.pairwise(exports))
    assert {e.pending for e in exports} == {None}


def test_pending_exports_are_resumed() -> None:
    """A pending export keeps its id and window; the rest is asked for around it."""
    pending = _pending(60, 45)
    exports = list(_planned(80, pending=[pending]).exports())

    assert [export.window for export in exports] == [
        Window(_ago(80), _ago(60)),
        Window(_ago(60), _ago(45)),
        Window(_ago(45), _ago(15)),
        Window(_ago(15), _ago(0)),
    ]
    assert [export.pending for export in exports] == [None, pending, None, None]


@pytest.mark.parametrize(
    ("pending", "usable"),
    [
        (_pending(20, 10), True),
        (_pending(40, 10), True),
        (_pending(20, 0), True),
        (_pending(30, 0), True),
        (_pending(41, 20), False),
        (_pending(20, -1), False),
        (_pending(60, 50), False),
        (_pending(40, 9.999), False),
        (_pending(20, 10, created=0.999), True),
        (_pending(20, 10, created=1), False),
        (_pending(20, 10, created=7), False),
        (_pending(20, 10, created=-1), True),
    ],
)
def test_pending_exports_are_usable_inside_the_span_for_a_day(
    pending: PendingExport, *, usable: bool
) -> None:
    """Taken up only if inside the span, at most 30 days wide and less than 24 hours old."""
    planned = _planned(40, pending=[pending])

    assert (planned.pending == (pending,)) is usable
    assert (pending.window in list(planned.windows())) is (
        usable or pending.window == Window(_ago(40), _ago(10))
    )


def test_pending_in_the_look_back_of_a_moved_bookmark_is_resumed() -> None:
    """A pending export from the bookmark on is used although the span begins earlier."""
    planned = _planned(100, bookmark=20, pending=[_pending(20, 5)])

    assert [export.window for export in planned.exports()] == [
        Window(_ago(27), _ago(20)),
        Window(_ago(20), _ago(5)),
        Window(_ago(5), _ago(0)),
    ]


def test_of_overlapping_pending_exports_one_is_resumed() -> None:
    """Two that overlap (a hand-edited state) can't both be; the earlier is."""
    one, two, three = (
        _pending(40, 30, identity="E1"),
        _pending(35, 25, identity="E2"),
        _pending(30, 20, identity="E3"),
    )
    planned = _planned(50, pending=[three, two, one])

    assert planned.pending == (one, three)
    assert [e.pending.id for e in planned.exports() if e.pending] == ["E1", "E3"]


def test_the_same_window_twice_is_resumed_once() -> None:
    """Of two pending exports of one window (two runs at once) one is used."""
    planned = _planned(50, pending=[_pending(40, 30, identity=i) for i in ("E1", "E2")])

    assert [pending.id for pending in planned.pending] == ["E1"]
    assert len([export for export in planned.exports() if export.pending]) == 1


def test_nothing_missing_leaves_pending_exports_alone() -> None:
    """Where nothing is missing no pending export is resumed."""
    planned = _planned(100, bookmark=0, pending=[_pending(20, 10)])

    assert (planned.span, planned.pending) == (None, ())
    assert list(planned.exports()) == []


def test_all_windows_cover_the_span_with_any_width() -> None:
    """Pending windows or not, the exports touch from the span's start to its end."""
    for width in (0.5, 1, 7, 29.5, 30):
        planned = _planned(95, width=width * DAY, pending=[_pending(50, 44.25), _pending(44, 30)])
        found = list(planned.windows())
        assert (found[0].start, found[-1].end) == (_ago(95), NOW)
        assert all(one.end == two.start for one, two in itertools.pairwise(found))
        assert len(planned.pending) == 2


def test_a_tick_is_a_window() -> None:
    """A millisecond that is missing is exported."""
    planned = plan.plan_partition(
        _partition(NOW - TICK), 0, PartitionState(), end=NOW, now=NOW, lookback=DAY, width=DAY
    )

    assert [export.window for export in planned.exports()] == [Window(NOW - TICK, NOW)]
