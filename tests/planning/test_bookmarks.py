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
from tap_clover_export.planning.plan import Partition, PartitionState, PendingExport
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


def test_a_written_entry_is_the_contracts() -> None:
    """The entry holds exactly what the contract names, its times with milliseconds and Z."""
    entry: dict[str, Any] = {"context": {"merchant_id": "M1"}}

    bookmarks.write(entry, bookmark=times.parse(T1), pending=[_pending()])

    assert entry == {
        "context": {"merchant_id": "M1"},
        "replication_key": "modifiedTime",
        "replication_key_value": T1,
        "pending_exports": [{"id": "E1", "start": T1, "end": T2, "created": CREATED}],
    }


def test_when_the_time_before_a_bookmark_was_exported() -> None:
    """It is kept with the bookmark that it belongs to; one that can't be read means a look-back."""
    entry: dict[str, Any] = {}
    time, later = times.parse(T1), times.parse(T2)
    bookmarks.write(entry, bookmark=time, pending=[], exported=later)
    assert bookmarks.read(entry, WHERE) == PartitionState(time, (), later)
    bookmarks.write(entry, bookmark=None, pending=[])
    assert bookmarks.read(entry, WHERE).exported == later
    for odd in (7, None, "soon"):
        assert bookmarks.read(entry | {"exported_at": odd}, WHERE) == PartitionState(time)
    bookmarks.write(entry, bookmark=later, pending=[])
    assert bookmarks.read(entry, WHERE) == PartitionState(later)


def test_an_empty_entry_is_a_fresh_partition() -> None:
    """A partition that was never exported has neither bookmark nor pending exports."""
    assert bookmarks.read({}, WHERE) == PartitionState()
    assert bookmarks.read({"context": {"merchant_id": "M1"}}, WHERE) == PartitionState()
    assert bookmarks.read({"pending_exports": None}, WHERE) == PartitionState()
    assert bookmarks.read({"pending_exports": []}, WHERE) == PartitionState()


def test_pending_without_a_bookmark() -> None:
    """A first run that was killed leaves pending exports and no bookmark."""
    entry: dict[str, Any] = {}
    bookmarks.write(entry, bookmark=None, pending=[_pending()])

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


@given(st.none() | _MS, _EXPORTS)
def test_what_is_written_reads_back(bookmark: int | None, pending: list[PendingExport]) -> None:
    """An entry goes through JSON and comes back as it was, in its order."""
    entry: dict[str, Any] = {}
    time = None if bookmark is None else times.from_ms(bookmark)
    bookmarks.write(entry, bookmark=time, pending=pending)

    assert bookmarks.read(json.loads(json.dumps(entry)), WHERE) == PartitionState(
        time, tuple(pending)
    )


@given(st.lists(st.none() | _MS, min_size=1, max_size=6))
def test_a_bookmark_never_moves_backwards(moves: list[int | None]) -> None:
    """Whatever is written in whichever order, the bookmark is the latest of it."""
    entry: dict[str, Any] = {}
    seen: list[int] = []
    for move in moves:
        bookmarks.write(entry, bookmark=None if move is None else times.from_ms(move), pending=[])
        seen += [] if move is None else [move]
        expected = times.ms_to_text(max(seen)) if seen else None
        assert entry.get("replication_key_value") == expected


def test_pending_exports_go_when_none_is_left() -> None:
    """With nothing pending the key is gone, not an empty list; the bookmark stays."""
    entry: dict[str, Any] = {}
    bookmarks.write(entry, bookmark=times.parse(T1), pending=[_pending()])
    bookmarks.write(entry, bookmark=None, pending=[])

    assert entry == {"replication_key": "modifiedTime", "replication_key_value": T1}


@pytest.mark.parametrize(
    "value", ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"]
)
def test_bookmarks_by_hand_may_be_written_shorter(value: str) -> None:
    """A hand-edited bookmark may be any ISO 8601 date or date-time."""
    entry = {"replication_key": "modifiedTime", "replication_key_value": value}

    assert bookmarks.read(entry, WHERE).bookmark == times.parse("2026-01-01")


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


def _run(state: dict[str, Any] | None = None) -> bookmarks.Bookmarks:
    return bookmarks.Bookmarks({} if state is None else state, dt.timedelta(days=7))


def test_a_bookmark_never_passes_clovers_clock() -> None:
    """An export older than its window's end moves it to its own time; no later window moves it."""
    found, partition = _run(), _partition()
    middle, late = times.parse("2026-02-20T00:00:00.000Z"), times.parse(CREATED)
    found.emitted(partition, Window(times.parse(T1), times.parse(T2)), late, [])
    assert found.read(partition).bookmark == times.parse(T2)
    found.emitted(partition, Window(times.parse(T2), times.parse(T3)), middle, [])
    found.emitted(partition, Window(times.parse(T3), late), late, [])
    assert found.read(partition).bookmark == middle


def test_an_export_older_than_its_window_moves_nothing() -> None:
    """It shows nothing of the window; what was asked for is noted all the same."""
    found, partition = _run(), _partition()
    window = Window(times.parse(T2), times.parse(T3))
    found.emitted(partition, window, times.parse(T1), [_pending()])
    assert found.state == {
        "bookmarks": {
            "orders": {
                "partitions": [{"context": {"merchant_id": "M1"}, "pending_exports": [_row()]}]
            }
        }
    }
    found.requested(partition, [])
    assert found.read(partition) == PartitionState()


def test_what_was_exported_first_counts_for_the_whole() -> None:
    """All before a bookmark is settled where its oldest export was made a look-back later."""
    partition = _partition()
    first, second = (Window(*map(times.parse, bounds)) for bounds in ((T1, T2), (T2, T3)))
    early, late = times.parse("2026-03-05T00:00:00.000Z"), times.parse("2026-04-01T00:00:00.000Z")
    found = _run()
    found.emitted(partition, first, early, [])
    assert found.read(partition).exported == early
    found.emitted(partition, second, late, [])
    assert found.read(partition).exported is None
    found = _run()
    found.emitted(partition, first, late, [])
    found.emitted(partition, second, late, [])
    assert found.read(partition).exported == late


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
