"""The plan: what a partition lacks, in which order, and how what is covered grows."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.planning import plan
from tap_clover_export.planning.bookmarks import Bookmarks
from tap_clover_export.planning.covered import Covered, grown
from tap_clover_export.planning.late_changes import LateChanges, Schedule
from tap_clover_export.planning.plan import (
    Partition,
    PartitionPlan,
    PartitionState,
    PendingExport,
    Purpose,
)
from tap_clover_export.planning.windows import Window
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.planning.plan import PlannedExport

NOW = pendulum.datetime(2026, 3, 2, 12)
DAY = dt.timedelta(days=1)
TICK = dt.timedelta(milliseconds=1)
NEW, HISTORY, LATE = Purpose
SCHEDULE = Schedule(90 * DAY, 30 * DAY)


def _ago(days: float) -> DateTime:
    return NOW - dt.timedelta(days=days)


def _days(begin: float, end: float) -> Window:
    """A window over days before now."""
    return Window(_ago(begin), _ago(end))


def _partition(start: DateTime, merchant: str = "M1", stream: str = "orders") -> Partition:
    url = "https://api.clover.com"
    return Partition(Merchant(merchant, "us", url, start, access_token=Secret("t")), stream)


def _pending(
    begin: float, end: float, *, created: float = 0.1, identity: str = "E1"
) -> PendingExport:
    """A pending export over days before now."""
    return PendingExport(identity, _days(begin, end), _ago(created))


def _planned(start: float = 100, number: int = 0, **changes: Any) -> PartitionPlan:
    """The plan of a partition; its start, and the bounds of what is covered, are days ago.

    `covered` holds two bounds; the first may be None. `late` says when late changes were looked
    for, when a search was begun and where it is.
    """
    covered = changes.pop("covered", None)
    if covered:
        first, last = covered
        covered = Covered(None if first is None else _ago(first), _ago(last))
    late = [None if days is None else _ago(days) for days in changes.pop("late", ())]
    pending, holes = (tuple(changes.pop(name, ())) for name in ("pending", "holes"))
    state = PartitionState(covered, pending, LateChanges(*late), holes)
    options = {"end": NOW, "now": NOW, "lookback": 7 * DAY, "width": 30 * DAY, **changes}
    return plan.plan_partition(_partition(_ago(start)), number, state, **options)


def _windows(planned: PartitionPlan) -> list[tuple[str, Window]]:
    return [(str(export.purpose), export.window) for export in planned.exports()]


def test_a_new_partition_begins_with_its_newest_window() -> None:
    """Then comes its history, from the newest to the oldest, down to the start."""
    assert _windows(_planned(95)) == [
        ("new", _days(30, 0)),
        ("history", _days(60, 30)),
        ("history", _days(90, 60)),
        ("history", _days(95, 90)),
    ]
    assert _windows(_planned(95, end=_ago(50))) == [
        ("new", _days(80, 50)),
        ("history", _days(95, 80)),
    ]
    assert _windows(_planned(20)) == [("new", _days(20, 0))]
    assert _windows(_planned(0)) == _windows(_planned(-3)) == []
    assert _windows(_planned(20, end=_ago(-1000))) == [("new", _days(20, 0))]


@pytest.mark.parametrize(
    ("start", "covered", "options", "windows"),
    [
        # new days, with the look-back, which reaches neither before the start nor what is covered
        (100, (100, 1), {}, [("new", _days(8, 0))]),
        (100, (None, 1), {}, [("new", _days(8, 0))]),
        (100, (100, 1), {"lookback": 0 * DAY}, [("new", _days(1, 0))]),
        (5, (100, 1), {}, [("new", _days(5, 0))]),
        (3, (3, 1), {}, [("new", _days(3, 0))]),
        (100, (100, 0), {}, []),
        (100, (100, -3), {}, []),
        # many new days: in order of time, since what is covered has no gap
        (100, (100, 50), {}, [("new", _days(57, 27)), ("new", _days(27, 0))]),
        # a look-back that fills windows of its own comes after what is new
        (
            100,
            (100, 1),
            {"lookback": 12 * DAY, "width": 5 * DAY},
            [("new", _days(3, 0)), ("new", _days(13, 8)), ("new", _days(8, 3))],
        ),
        # history: what lies before, down to a start that may have become earlier
        (
            70,
            (35, 1),
            {},
            [("new", _days(8, 0)), ("history", _days(65, 35)), ("history", _days(70, 65))],
        ),
        (70, (35, 0), {}, [("history", _days(65, 35)), ("history", _days(70, 65))]),
        (70, (None, 0), {}, []),
        # a later start leaves what is covered alone, and no gap after it
        (10, (100, 50), {}, [("new", _days(50, 20)), ("new", _days(20, 0))]),
        (10, (100, 1), {}, [("new", _days(8, 0))]),
        # an end in the past
        (100, (100, 50), {"end": _ago(45)}, [("new", _days(57, 45))]),
        (100, (90, 10), {"end": _ago(45)}, [("history", _days(100, 90))]),
    ],
)
def test_what_is_missing(
    start: float,
    covered: tuple[float | None, float],
    options: dict[str, Any],
    windows: list[tuple[str, Window]],
) -> None:
    """What comes after what is covered, then what comes before it."""
    assert _windows(_planned(start, covered=covered, **options)) == windows


def test_new_days_come_before_all_history_and_histories_take_turns() -> None:
    """Over all partitions: new days, then a window of each history after the other."""
    plans = [
        _planned(95, 0),
        _planned(1000, 1, covered=(1000, 1), width=DAY, lookback=DAY),
        _planned(70, 2),
        _planned(100, 3, covered=(100, 2), late=(40,), late_changes=SCHEDULE),
    ]
    exports = sorted(itertools.chain(*(w.exports() for w in plans)), key=lambda e: e.priority)

    assert [export.priority for export in exports] == [
        *((NEW, 0, number) for number in range(4)),
        (NEW, 1, 1),
        *((HISTORY, place, number) for place in range(2) for number in (0, 2)),
        (HISTORY, 2, 0),
        *((LATE, place, 3) for place in range(3)),
    ]
    for one in plans:
        assert [one.count(purpose) for purpose in Purpose] == [
            sum(export.purpose is purpose for export in one.exports()) for purpose in Purpose
        ]
        assert one.count() == len(list(one.exports()))


@pytest.mark.parametrize(
    ("covered", "pending", "resumed"),
    [
        # of a partition of which nothing is covered the newest one says where it begins
        (None, [(31, 1)], [("new", 31, 1), ("new", 1, 0)]),
        (
            None,
            [(31, 1), (61, 31)],
            [("new", 31, 1), ("new", 1, 0), ("history", 61, 31), ("history", 80, 61)],
        ),
        # unless it is history: of the newest window nothing is asked for
        (None, [(60, 30)], [("new", 30, 0), ("history", 60, 30), ("history", 80, 60)]),
        # each keeps its bounds, wherever it lies
        ((80, 3), [(10, 2)], [("new", 10, 2), ("new", 2, 0)]),
        ((80, 3), [(10, 2), (2, 1)], [("new", 10, 2), ("new", 2, 1), ("new", 1, 0)]),
        ((40, 1), [(45, 40)], [("new", 8, 0), ("history", 45, 40)]),
        ((40, 1), [(70, 60)], [("new", 8, 0), ("history", 60, 40)]),
    ],
)
def test_pending_exports_are_resumed(
    covered: tuple[float, float] | None,
    pending: list[tuple[float, float]],
    resumed: list[tuple[str, float, float]],
) -> None:
    """A pending export keeps its id and window; the rest is asked for around it."""
    asked = [_pending(*days, identity=f"E{number}") for number, days in enumerate(pending)]
    planned = _planned(80, covered=covered, pending=asked)

    expected = [(purpose, _days(*days)) for purpose, *days in resumed]
    assert _windows(planned)[: len(resumed)] == expected
    assert {e.pending for e in planned.exports() if e.pending} == set(asked)


@pytest.mark.parametrize(
    ("pending", "usable"),
    [
        (_pending(20, 10), True),
        (_pending(30, 0), True),
        (_pending(41, 20), False),
        (_pending(20, -1), False),
        (_pending(40, 9.999), False),
        (_pending(20, 10, created=0.999), True),
        (_pending(20, 10, created=1), False),
        (_pending(20, 10, created=-1), True),
    ],
)
def test_pending_exports_are_usable_inside_a_span_for_a_day(
    pending: PendingExport, *, usable: bool
) -> None:
    """Resumed only if inside what is missing, at most 30 days wide and less than 24 hours old."""
    planned = _planned(40, pending=[pending])

    assert (planned.pending == (pending,)) is usable
    assert (
        pending.window in [export.window for export in planned.exports() if export.pending]
    ) is (usable)


def test_a_pending_export_of_two_purposes_is_planned_once() -> None:
    """A look-back that was raised reaches into a search for late changes that was half done."""
    planned = _planned(
        100,
        covered=(100, 1),
        pending=[_pending(25, 15)],
        late=(1, 90, 12),
        late_changes=SCHEDULE,
        lookback=30 * DAY,
        width=10 * DAY,
    )

    (resumed,) = (e for e in planned.exports() if e.window == _days(25, 15))
    assert (resumed.purpose, resumed.pending) == (NEW, _pending(25, 15))


def test_of_pending_exports_that_overlap_one_is_resumed() -> None:
    """Two that overlap, or the same twice (two runs at once): the earlier is."""
    one, two, three, again = (
        _pending(40, 30, identity="E1"),
        _pending(35, 25, identity="E2"),
        _pending(30, 20, identity="E3"),
        _pending(30, 20, identity="E4"),
    )
    planned = _planned(50, pending=[three, two, one, again])

    assert planned.pending == (one, three)
    assert sorted(e.pending.id for e in planned.exports() if e.pending) == ["E1", "E3"]


def test_what_is_not_missing_is_not_resumed() -> None:
    """A pending export of what is covered is forgotten."""
    planned = _planned(100, covered=(100, 0), pending=[_pending(20, 10)])

    assert (planned.pending, list(planned.exports())) == ((), [])


def test_a_tick_is_a_window() -> None:
    """A millisecond that is missing is exported."""
    state = PartitionState()
    planned = plan.plan_partition(
        _partition(NOW - TICK), 0, state, end=NOW, now=NOW, lookback=DAY, width=DAY
    )

    assert [export.window for export in planned.exports()] == [Window(NOW - TICK, NOW)]


@given(st.integers(0, 40 * 86_400_000), st.integers(-9, 86_400), st.integers(0, 999), st.data())
def test_windows_end_at_whole_seconds(behind: int, end: int, ms: int, data: st.DataObject) -> None:
    """Also after a bookmark that Clover's own clock set; none ends too late or early."""
    now = NOW + ms * TICK
    known = PartitionState(Covered(_ago(50), now - behind * TICK), (), LateChanges(_ago(40)))
    planned = plan.plan_partition(
        _partition(_ago(100)),
        0,
        data.draw(st.sampled_from([known, PartitionState()])),
        end=NOW - dt.timedelta(seconds=end),
        now=now,
        lookback=data.draw(st.sampled_from([0, 0.3, 7])) * DAY,
        width=data.draw(st.sampled_from([1, 30])) * DAY,
        late_changes=SCHEDULE,
    )
    found = [(export.purpose, export.window) for export in planned.exports()]
    assert {window.end.microsecond for _, window in found} <= {0}
    assert len(found) == planned.count()
    new = sorted(window for purpose, window in found if purpose is NEW)
    assert all(one.end == two.start for one, two in itertools.pairwise(new))
    if new:
        assert new[-1].end == NOW - max(0, end) * dt.timedelta(seconds=1)
    if new and planned.bookmark:
        assert new[0].start <= planned.bookmark


def test_the_first_year_has_no_year_before_it() -> None:
    """No look-back and no window leads before the calendar."""
    first = times.from_ms(times.YEAR_1)
    state = PartitionState(Covered(None, first + DAY))
    options: dict[str, Any] = {"now": NOW, "lookback": 7 * DAY, "width": 30 * DAY}
    planned = plan.plan_partition(_partition(first), 0, state, end=first + 2 * DAY, **options)
    assert planned.new == Window(first, first + 2 * DAY)
    planned = plan.plan_partition(
        _partition(first), 0, PartitionState(), end=first + DAY, **options
    )
    assert [export.window for export in planned.exports()] == [Window(first, first + DAY)]


# Late changes


@pytest.mark.parametrize(
    ("options", "windows"),
    [
        # what the look-back does not bring, no further than is covered or started
        ({"late": (31,)}, [_days(38, 8), _days(68, 38), _days(90, 68)]),
        ({"late": (31,), "start": 50}, [_days(38, 8), _days(50, 38)]),
        ({"late": (31,), "covered": (50, 0), "start": 50}, [_days(30, 0), _days(50, 30)]),
        ({"late": (31,), "covered": (None, 0), "start": 20}, [_days(20, 0)]),
        ({"late": (31,), "covered": (5, 1), "start": 5}, []),
        # never looked for: from what is covered on
        ({"late": (), "covered": (100, 0)}, []),
        ({"late": (), "covered": (100, 31)}, [_days(68, 38), _days(90, 68)]),
        ({"late": (0,)}, []),
        ({"late": (31,), "late_changes": None}, []),
        # one that goes on, to its end, unless it failed there until the next is due
        ({"late": (60, 1, 40)}, [_days(70, 40), _days(91, 70)]),
        ({"late": (60, 31, 40)}, [_days(70, 40), _days(100, 70)]),
        ({"late": (60, 1, 40), "holes": [_days(70, 40)]}, [_days(70, 40), _days(91, 70)]),
        (
            {"late": (60, 31, 40), "holes": [_days(70, 40)]},
            [_days(38, 8), _days(68, 38), _days(90, 68)],
        ),
        # nor what a look-back, where an earlier end asked for none, brings now
        ({"late": (60, 1, 40), "lookback": 60 * DAY}, [_days(91, 61)]),
        ({"late": (60, 1, 40), "lookback": 91 * DAY}, []),
        # nothing is left of it
        ({"late": (60, 1, 95)}, []),
        ({"late": (90, 61, 100)}, [_days(38, 8), _days(68, 38), _days(90, 68)]),
    ],
)
def test_late_changes(options: dict[str, Any], windows: list[Window]) -> None:
    """Where they are due, what is covered is exported again, from the newest to the oldest."""
    planned = _planned(**{"covered": (100, 1), "late_changes": SCHEDULE, **options})

    assert [e.window for e in planned.exports() if e.purpose is Purpose.LATE_CHANGES] == windows


def test_late_changes_are_spread_over_the_period() -> None:
    """Each merchant is due within the period, and not all of them in one night."""
    due = []
    for number in range(300):

        def search(since: int, night: int, merchant: str = f"M{number}") -> object:
            known, now = LateChanges(NOW.add(days=since)), NOW.add(days=night)
            return SCHEDULE.search(merchant, known, now, earliest=NOW)

        due.append(next(night for night in range(1, 40) if search(0, night)))
        assert search(due[-1], due[-1]) is None
    assert set(due) == set(range(1, 31))
    assert max(due.count(night) for night in set(due)) < 30


# What is covered


moments = st.integers(0, 40).map(_ago)


@given(moments, moments, moments, moments, st.none() | moments, st.booleans())
def test_what_is_covered_grows_only_by_what_touches_it(
    a: DateTime, b: DateTime, c: DateTime, d: DateTime, created: DateTime | None, always: bool
) -> None:
    """It never shrinks, never holds what was not emitted, and ends at Clover's clock at latest."""
    (first, last), (start, end) = sorted((a, b)), sorted((c, d + TICK))
    covered = Covered(None if always else first, last)
    found = grown(covered, Window(start, end), created)

    assert found
    held = {
        _ago(days) for days in range(41) if (always or first <= _ago(days)) and _ago(days) < last
    }
    shown = min(end, created) if created else end
    emitted = {_ago(days) for days in range(41) if start <= _ago(days) < shown}
    now_held = {
        _ago(days)
        for days in range(41)
        if (found.start is None or found.start <= _ago(days)) and _ago(days) < found.end
    }
    assert held <= now_held <= held | emitted
    assert found.end >= covered.end
    assert found.end in (covered.end, shown)


def test_what_is_covered_first() -> None:
    """The first window, as far as its export shows it."""
    window = _days(10, 5)
    assert grown(None, window, None) == Covered(_ago(10), _ago(5))
    assert grown(None, window, _ago(7)) == Covered(_ago(10), _ago(7))
    assert grown(None, window, _ago(10)) is None


@given(st.data())
def test_whatever_happens_the_whole_is_covered_in_the_end(data: st.DataObject) -> None:
    """Nights with failures, kills, other settings and lost state: one span, grown by what came.

    Nothing is exported twice without a reason that the plan names, and once the trouble is over
    everything from the start to the end has been emitted.
    """
    days = st.integers(0, 100)
    widths = st.sampled_from([0.5, 7, 30])
    start = data.draw(days)
    lookback = data.draw(st.sampled_from([0, 3, 7, 60])) * DAY
    state: dict[str, Any] = {}
    emitted: list[Window] = []
    now = NOW
    for _ in range(data.draw(st.integers(1, 6))):
        start = max(start, data.draw(days)) if data.draw(st.booleans()) else start
        end = data.draw(st.sampled_from([None, 20]))
        _night(data, state, emitted, start=start, end=end, width=data.draw(widths) * DAY, now=now,
               lookback=lookback)  # fmt: skip
        now = now.add(hours=data.draw(st.sampled_from([1, 24, 200])))
    _night(None, state, emitted, start=start, end=None, width=30 * DAY, now=now, lookback=lookback)
    covered = Bookmarks(state).read(_partition(_ago(start))).covered
    if start > 0 or now > NOW:
        assert covered == Covered(_ago(start), now)
        _assert_covered(covered, emitted)


def _night(
    data: st.DataObject | None,
    state: dict[str, Any],
    emitted: list[Window],
    *,
    start: float,
    end: float | None,
    width: dt.timedelta,
    now: DateTime,
    lookback: dt.timedelta,
) -> None:
    """Emit some of a plan, fail at some of it, or be killed in it."""
    partition, bookmarks = _partition(_ago(start)), Bookmarks(state)
    known = bookmarks.read(partition)
    planned = plan.plan_partition(
        partition,
        0,
        known,
        end=now if end is None else _ago(end),
        now=now,
        lookback=lookback,
        width=width,
        late_changes=SCHEDULE,
    )
    exports = list(planned.exports())
    _assert_reasons(planned, exports, lookback)
    lost: set[Purpose] = set()
    for place, export in enumerate(exports):
        fate = (
            data.draw(st.sampled_from(["done", "done", "done", "failed", "killed"])) if data else ""
        )
        pending = [_asked(one, now) for one in exports[place + 1 : place + 3]] if data else []
        if fate == "killed":
            return
        if fate == "failed":
            lost |= {export.purpose} if export.purpose else set(Purpose)
        if export.purpose in lost:
            continue
        emitted.append(export.window)
        bookmarks.emitted(planned, export.purpose, export.window, now, pending)
        covered = bookmarks.read(partition).covered
        assert covered
        _assert_covered(covered, emitted)


def _asked(export: PlannedExport, now: DateTime) -> PendingExport:
    return PendingExport("E1", export.window, now)


def _assert_reasons(
    planned: PartitionPlan, exports: list[PlannedExport], lookback: dt.timedelta
) -> None:
    """Nothing of what is covered is exported again but as a look-back or for late changes."""
    for one, two in itertools.pairwise(sorted(export.window for export in exports)):
        assert one.end <= two.start
    covered = planned.state.covered
    for export in exports:
        if covered and export.purpose is not Purpose.LATE_CHANGES:
            again = export.window.start < covered.end and export.window.end > (covered.start or NOW)
            assert not again or export.window.start >= covered.end - lookback
            assert not again or export.purpose is Purpose.NEW


def _assert_covered(covered: Covered, emitted: list[Window]) -> None:
    """Everything that counts as covered was emitted."""
    assert covered.start
    reached = covered.start
    for window in sorted(emitted):
        if window.start <= reached < window.end:
            reached = window.end
    assert reached >= covered.end
