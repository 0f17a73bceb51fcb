"""Bookmarks: a partition's entry in the state, read and written."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.errors import StateError
from tap_clover_export.planning import bookmarks
from tap_clover_export.planning.covered import Covered
from tap_clover_export.planning.late_changes import LateChanges, Schedule
from tap_clover_export.planning.plan import (
    Partition,
    PartitionPlan,
    PartitionState,
    PendingExport,
    Purpose,
    plan_partition,
)
from tap_clover_export.planning.windows import Window
from tap_clover_export.settings.merchants import Merchant

WHERE = "orders of merchant M1"
T1, T2, T3 = (f"2026-0{month}-01T00:00:00.001Z" for month in (1, 2, 3))
CREATED = "2026-03-01T10:00:00.500Z"


def _pending(identity: str = "E1", start: str = T1, end: str = T2) -> PendingExport:
    return PendingExport(
        identity, Window(times.parse(start), times.parse(end)), times.parse(CREATED)
    )


def _row(**changes: Any) -> dict[str, Any]:
    return {"id": "E1", "start": T1, "end": T2, "created": CREATED, **changes}


def _covered(start: str | None, end: str) -> Covered:
    return Covered(None if start is None else times.parse(start), times.parse(end))


def test_a_written_entry_is_the_contracts() -> None:
    """The entry holds exactly what the contract names, its times with milliseconds and Z."""
    entry: dict[str, Any] = {"context": {"merchant_id": "M1"}, "exported_at": T3}
    late = LateChanges(*map(times.parse, (T1, T2, T3)))
    state = PartitionState(_covered(T1, T2), (_pending(),), late, (_pending().window,))

    bookmarks.write(entry, state)

    assert entry == {
        "context": {"merchant_id": "M1"},
        "replication_key": "modifiedTime",
        "replication_key_value": T2,
        "exported_from": T1,
        "late_changes_at": T1,
        "late_changes_begun_at": T2,
        "late_changes_from": T3,
        "pending_exports": [{"id": "E1", "start": T1, "end": T2, "created": CREATED}],
        "holes": [{"start": T1, "end": T2}],
    }
    assert bookmarks.read(entry, WHERE) == state
    bookmarks.write(entry, PartitionState(_covered(None, T2)))
    assert entry == {
        "context": {"merchant_id": "M1"},
        "replication_key": "modifiedTime",
        "replication_key_value": T2,
    }


def test_a_state_of_an_earlier_version() -> None:
    """Without a start everything before the bookmark is covered; exported_at says nothing more."""
    entry = {"replication_key": "modifiedTime", "replication_key_value": T1, "exported_at": "odd"}
    assert bookmarks.read(entry, WHERE) == PartitionState(_covered(None, T1))


def test_an_empty_entry_is_a_fresh_partition() -> None:
    """A partition that was never exported has neither bookmark nor pending exports."""
    assert bookmarks.read({}, WHERE) == PartitionState()
    assert bookmarks.read({"context": {"merchant_id": "M1"}}, WHERE) == PartitionState()
    assert bookmarks.read({"pending_exports": None}, WHERE) == PartitionState()
    assert bookmarks.read({"pending_exports": []}, WHERE) == PartitionState()


def test_pending_without_a_bookmark() -> None:
    """A first run that was killed leaves pending exports and no bookmark."""
    entry: dict[str, Any] = {}
    bookmarks.write(entry, PartitionState(pending=(_pending(),)))

    assert entry == {"pending_exports": [_row()]}
    assert bookmarks.read(entry, WHERE) == PartitionState(None, (_pending(),))


_MS = st.integers(times.to_ms(times.parse("2010-01-01")), times.to_ms(times.parse("2100-01-01")))
_EXPORTS = st.lists(
    st.tuples(
        st.from_regex(r"[A-Z0-9]{1,13}", fullmatch=True), _MS, st.integers(1, 10**10), _MS
    ).map(
        lambda made: PendingExport(
            made[0],
            Window(times.from_ms(made[1]), times.from_ms(made[1] + made[2])),
            times.from_ms(made[3]),
        )
    ),
    max_size=4,
)


@given(st.none() | st.tuples(_MS, _MS), _EXPORTS)
def test_what_is_written_reads_back(
    covered: tuple[int, int] | None, pending: list[PendingExport]
) -> None:
    """An entry goes through JSON and comes back as it was, in its order."""
    entry: dict[str, Any] = {}
    span = Covered(*map(times.from_ms, sorted(covered))) if covered else None
    state = PartitionState(span, tuple(pending))
    bookmarks.write(entry, state)

    assert bookmarks.read(json.loads(json.dumps(entry)), WHERE) == state


@pytest.mark.parametrize(
    "value", ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"]
)
def test_bookmarks_by_hand_may_be_written_shorter(value: str) -> None:
    """A hand-edited bookmark may be any ISO 8601 date or date-time."""
    entry = {"replication_key": "modifiedTime", "replication_key_value": value}

    assert bookmarks.read(entry, WHERE).covered == _covered(None, "2026-01-01")


@pytest.mark.parametrize("value", ["x", "", 5, 1772442000000, True, [], {}, ["2026-01-01"]])
def test_bookmarks_that_are_no_time_are_refused(value: Any) -> None:
    """A bookmark that is no time is a sentence; one that is not even text is a TypeError."""
    entry = {"replication_key": "modifiedTime", "replication_key_value": value}
    with pytest.raises(StateError) as caught:
        bookmarks.read(entry, WHERE)

    assert str(caught.value) == (
        f"The state of {WHERE} holds a bookmark that is no time; "
        "correct it, or remove this entry to export from start_date."
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"exported_from": T1}, "an exported_from without a bookmark; remove"),
        ({"exported_from": T2}, "an exported_from that is later than its bookmark; correct"),
        ({"exported_from": "x"}, "an exported_from that is no time; correct"),
        ({"late_changes_at": 5}, "a late_changes_at that is no time; correct"),
        ({"late_changes_begun_at": []}, "a late_changes_begun_at that is no time; correct"),
        ({"late_changes_from": "soon"}, "a late_changes_from that is no time; correct"),
    ],
)
def test_times_that_can_not_be_are_refused(entry: dict[str, Any], words: str) -> None:
    """By the name of the one that is wrong."""
    bookmark = {"replication_key": "modifiedTime", "replication_key_value": T1}
    without = entry == {"exported_from": T1}
    with pytest.raises(StateError, match=f"state of {WHERE} holds {words}"):
        bookmarks.read(entry if without else bookmark | entry, WHERE)


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_bookmarks_off_the_calendar_are_refused(value: str) -> None:
    """A bookmark whose offset leaves the calendar is a StateError."""
    entry = {"replication_key": "modifiedTime", "replication_key_value": value}
    with pytest.raises(StateError):
        bookmarks.read(entry, WHERE)


@pytest.mark.parametrize("key", [None, "createdTime", "updated_at", "", 5])
def test_bookmarks_of_another_key_are_refused(key: Any) -> None:
    """A bookmark of another replication key (another tap's state) is refused in a sentence."""
    entry = {"replication_key": key, "replication_key_value": T1}
    with pytest.raises(StateError, match="another replication key than modifiedTime; correct it"):
        bookmarks.read(entry, WHERE)


@pytest.mark.parametrize(
    "pending",
    [
        5,
        True,
        {"id": "E1"},
        "E1",
        ["E1"],
        [None],
        [[]],
        [{}],
        [_row(id=None)],
        [_row(id=5)],
        [_row(id="")],
        [_row(id="../x")],
        [_row(id="E1?x")],
        [_row(id="E 1")],
        [_row(start="x")],
        [_row(end=None)],
        [_row(end=5)],
        [_row(created="soon")],
        [_row(start=T2)],
        [_row(start=T3)],
        [{"id": "E1", "start": T1, "end": T2}],
        [_row(), _row(id="/")],
    ],
    ids=repr,
)
def test_pending_exports_that_cannot_be_read_are_refused(pending: Any) -> None:
    """Hand-edited or foreign pending exports are refused in a sentence, never misread."""
    with pytest.raises(StateError) as caught:
        bookmarks.read({"pending_exports": pending}, WHERE)

    assert str(caught.value) == (
        f"The state of {WHERE} holds pending_exports that can't be read; "
        "remove them to have Clover asked again."
    )


@pytest.mark.parametrize("name", ["start", "end", "created"])
def test_pending_times_off_the_calendar_are_refused(name: str) -> None:
    """A pending time whose offset leaves the calendar is a StateError."""
    with pytest.raises(StateError):
        bookmarks.read({"pending_exports": [_row(**{name: "9999-12-31T23:59:59-12:00"})]}, WHERE)


def test_further_names_of_a_pending_export_are_left_alone() -> None:
    """A newer version of the tap may write more into a pending export."""
    assert bookmarks.read({"pending_exports": [_row(more=1)]}, WHERE).pending == (_pending(),)


def _partition() -> Partition:
    return Partition(Merchant("M1", "us", "", times.parse(T1)), "orders")


def _run(state: dict[str, Any] | None = None, *full: str) -> bookmarks.Bookmarks:
    return bookmarks.Bookmarks({} if state is None else state, full)


def _window(start: str, end: str) -> Window:
    return Window(times.parse(start), times.parse(end))


def _plan(found: bookmarks.Bookmarks, now: str = CREATED) -> PartitionPlan:
    partition, days = _partition(), dt.timedelta(days=1)
    return plan_partition(
        partition,
        0,
        found.read(partition),
        end=times.parse(now),
        now=times.parse(now),
        lookback=7 * days,
        width=30 * days,
        late_changes=Schedule(90 * days, 30 * days),
    )


def _emit(found: bookmarks.Bookmarks, start: str, end: str, created: str = CREATED) -> None:
    window = _window(start, end)
    found.emitted(_plan(found), Purpose.NEW, window, times.parse(created), [])


def test_a_bookmark_never_passes_clovers_clock() -> None:
    """One older than its window's end moves it to its own time; no later window moves it."""
    found, middle = _run(), "2026-02-20T00:00:00.000Z"
    _emit(found, T1, T2)
    assert found.read(_partition()).covered == _covered(T1, T2)
    _emit(found, T2, T3, middle)
    _emit(found, T3, CREATED)
    assert found.read(_partition()).covered == _covered(T1, middle)


def test_an_export_older_than_its_window_moves_nothing() -> None:
    """It shows nothing of the window; what was asked for is noted all the same."""
    found, partition = _run(), _partition()
    window, created = _window(T2, T3), times.parse(T1)
    found.emitted(_plan(found), Purpose.NEW, window, created, [_pending()])
    context = {"context": {"merchant_id": "M1"}}
    entry = context | {"late_changes_at": T1, "pending_exports": [_row()]}
    assert found.state == {"bookmarks": {"orders": {"partitions": [entry]}}}
    found.requested(partition, [])
    assert found.read(partition) == PartitionState(late_changes=LateChanges(created))


def test_a_full_table_grows_by_itself_until_it_meets_what_was_covered() -> None:
    """What the state said stays true meanwhile."""
    found = _run()
    _emit(found, T2, T3)
    full = _run(found.state, "orders")
    assert full.read(_partition()) == PartitionState()
    early, late = "2026-01-20T00:00:00.000Z", "2026-02-10T00:00:00.000Z"
    for start, end, covered in (
        (T1, early, (T2, T3)),
        (early, late, (T1, T3)),
        (late, CREATED, (T1, CREATED)),
    ):
        _emit(full, start, end)
        assert _run(full.state).read(_partition()).covered == _covered(*covered)


def test_late_changes_are_remembered() -> None:
    """From the first export on; a search is where it is, and once ended it is when it began."""
    found, partition, start = _run(), _partition(), "2025-12-01T00:00:00.000Z"
    _emit(found, start, CREATED)
    assert found.read(partition).late_changes == LateChanges(times.parse(CREATED))
    first, second = "2026-04-15T00:00:00.000Z", "2026-04-16T00:00:00.000Z"
    planned = _plan(found, first)
    windows = list(planned.windows(Purpose.LATE_CHANGES))
    assert len(windows) == 2
    found.emitted(planned, Purpose.LATE_CHANGES, windows[0], times.parse(first), [])
    assert found.read(partition).late_changes == LateChanges(
        times.parse(CREATED), times.parse(first), windows[0].start
    )
    planned = _plan(_run(found.state), second)
    assert list(planned.windows(Purpose.LATE_CHANGES)) == windows[1:]
    found.emitted(planned, Purpose.LATE_CHANGES, windows[1], times.parse(second), [])
    assert found.read(partition).late_changes == LateChanges(times.parse(first))
    assert found.read(partition).covered == _covered(start, CREATED)


def test_holes_are_those_of_the_last_run() -> None:
    """They stand in the state until a run goes without; those that can't be read are left out."""
    found, partition = _run(), _partition()
    found.ended(partition, [_window(T1, T2)])
    assert _run(found.state).read(partition).holes == (_window(T1, T2),)
    found.ended(partition, ())
    (entry,) = found.state["bookmarks"]["orders"]["partitions"]
    assert entry == {"context": {"merchant_id": "M1"}}
    assert bookmarks.read({"holes": [{"start": T2, "end": T1}]}, WHERE).holes == ()


def test_the_time_that_windows_go_by_is_remembered() -> None:
    """For each stream, until records contradict it; what else a state says is not used."""
    found = _run()
    assert found.window_field("orders") is None
    found.saw_window_field("orders", "modifiedTime")
    assert found.state == {"bookmarks": {"orders": {"window_field": "modifiedTime"}}}
    assert [found.window_field(name) for name in ("orders", "payments")] == ["modifiedTime", None]
    found.saw_window_field("orders", None)
    assert found.state == {"bookmarks": {"orders": {}}}
    assert _run({"bookmarks": {"orders": {"window_field": "x"}}}).window_field("orders") is None


STATE: dict[str, Any] = {"bookmarks": {"orders": {"partitions": []}}}


@pytest.mark.parametrize(
    "content",
    [STATE, {"singer_state": STATE}, {"type": "STATE", "value": STATE}],
)
def test_a_state_is_found_in_what_holds_it(content: dict[str, Any]) -> None:
    """As it came out of a tap, as `meltano state get` writes it, or as it is."""
    assert bookmarks.unwrap(content) == STATE


@pytest.mark.parametrize(
    "content", [None, [], 1, {"bookmarks": None}, {"bookmarks": {"orders": 5}}, {"other": {}}]
)
def test_what_holds_no_state_is_refused(content: Any) -> None:
    """It does not begin from the start without a word."""
    with pytest.raises(StateError, match="not of this tap's shape"):
        bookmarks.unwrap(content)


def test_an_empty_state_is_one() -> None:
    """A first run may be handed `{}`."""
    assert bookmarks.unwrap({}) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"replication_key_value": T1}, "one bookmark for all merchants"),
        ({"partitions": [{"context": {"merchant_id": "M1"}}] * 2}, "merchant M1 twice"),
        ({"partitions": [{}]}, "not of this tap's shape"),
    ],
)
def test_entries_that_are_not_of_this_tap(content: dict[str, Any], words: str) -> None:
    """They are refused as a run begins."""
    with pytest.raises(StateError, match=words):
        _run({"bookmarks": {"orders": content}})
