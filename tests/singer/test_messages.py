"""Messages: whole lines on any stdout, and STATE as often as its size allows."""

from __future__ import annotations

import fcntl
import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib import RecordMessage, SchemaMessage

from tap_clover_export.errors import OutputClosedError
from tap_clover_export.singer import messages
from tap_clover_export.singer.messages import (
    SMALL_STATE,
    STATE_BYTES_PER_SECOND,
    STATE_SHARE,
    StateWriter,
    Writer,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class _Raw(io.RawIOBase):
    """A raw stdout, as under PYTHONUNBUFFERED: each write takes what it likes."""

    def __init__(self, takes: Callable[[int], int | None]) -> None:
        self.content = bytearray()
        self.sizes: list[int] = []
        self.flushes = 0
        self._takes = takes

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        taken = self._takes(len(data))
        self.sizes.append(len(data))
        self.content += bytes(data[: taken or 0])
        return taken

    def flush(self) -> None:
        self.flushes += 1


class _Stdout:
    def __init__(self, buffer: BinaryIO | io.RawIOBase) -> None:
        self.buffer = buffer


def _stdout(monkeypatch: pytest.MonkeyPatch, takes: Callable[[int], int | None]) -> _Raw:
    raw = _Raw(takes)
    monkeypatch.setattr(messages, "sys", SimpleNamespace(stdout=_Stdout(raw)))
    return raw


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> _Raw:
    """A stdout that takes everything."""
    return _stdout(monkeypatch, lambda size: size)


@pytest.mark.parametrize("most", [1, 2, 7, 1000])
def test_no_line_is_torn_by_partial_writes(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A stdout that takes a part of each write gets the rest in the next."""
    raw = _stdout(monkeypatch, lambda size: min(size, most))
    lines = b"".join(b'{"n":%d}\n' % n for n in range(300))
    writer = Writer()
    writer.write(lines)

    assert bytes(raw.content) == lines
    assert writer.written == len(lines)
    assert raw.flushes >= 1


def test_a_stdout_that_takes_nothing_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes nothing (0, or None where it would block) is tried again."""
    answers = iter([None, 0, 3, None, 2, 0])
    raw = _stdout(monkeypatch, lambda size: min(size, next(answers, size) or 0))
    Writer().write(b"a line\n")

    assert bytes(raw.content) == b"a line\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=5), st.lists(st.integers(0, 20), min_size=1))
def test_all_bytes_arrive_in_order(
    monkeypatch: pytest.MonkeyPatch, blocks: list[bytes], sizes: list[int]
) -> None:
    """However a stdout takes its bytes, all of them arrive, once and in order."""
    answers = iter(sizes)
    raw = _stdout(monkeypatch, lambda size: min(size, next(answers, size)))
    writer = Writer()
    for block in blocks:
        writer.write(block)

    assert bytes(raw.content) == b"".join(blocks)
    assert writer.written == len(raw.content)


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="only Linux enlarges a pipe")
def test_a_pipe_is_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe to the loader takes a mebibyte; any other output stays as it is."""
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "w") as pipe:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", pipe)
        Writer().enlarge_pipe()
        assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) == 1 << 20
    for other in (io.TextIOWrapper(io.BytesIO()), None, pipe):
        monkeypatch.setattr(sys, "stdout", other)
        Writer().enlarge_pipe()


def _broken(_: int) -> int:
    raise BrokenPipeError


def test_a_reader_that_is_gone_closes_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe is OutputClosed, and not counted as written."""
    _stdout(monkeypatch, _broken)
    writer = Writer()
    with pytest.raises(OutputClosedError):
        writer.write(b"line\n")
    with pytest.raises(OutputClosedError):
        writer.write_message(RecordMessage("orders", {"id": "A"}))

    assert writer.written == 0


def test_a_reader_that_goes_before_the_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe may show only when the buffer is flushed."""
    raw = _stdout(monkeypatch, lambda size: size)
    monkeypatch.setattr(raw, "flush", lambda: _broken(0))
    with pytest.raises(OutputClosedError):
        Writer().write(b"line\n")
    monkeypatch.undo()


def test_a_full_disk_closes_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing follows a line that may be torn; the disk is blamed, not the reader."""
    answers = iter([3])

    def _fills(size: int) -> int:
        if taken := next(answers, 0):
            return min(size, taken)
        raise OSError(28, "No space left on device")

    raw = _stdout(monkeypatch, _fills)
    with pytest.raises(OutputClosedError, match=r"can't be written \(No space left on device\)"):
        Writer().write(b"line\n")
    assert bytes(raw.content) == b"lin"


def test_no_stdout_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """`>&-` is named as such."""
    monkeypatch.setattr(messages, "sys", SimpleNamespace(stdout=None))
    with pytest.raises(OutputClosedError, match="no output"):
        Writer().write(b"line\n")


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_that_does_not_block(monkeypatch: pytest.MonkeyPatch, buffering: int) -> None:
    """Where another program made the pipe non-blocking, its reader is waited for; no line tears."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    lines = b"".join(b'{"n":%d}\n' % n for n in range(200_000))
    with (
        open(reading, "rb") as source,  # noqa: PTH123
        ThreadPoolExecutor(1) as reader,
    ):
        with open(writing, "wb", buffering) as raw:  # noqa: PTH123
            monkeypatch.setattr(messages, "sys", SimpleNamespace(stdout=_Stdout(raw)))
            rest = reader.submit(source.read)
            for first in range(0, len(lines), 300_000):
                Writer().write(lines[first : first + 300_000])
        assert rest.result() == lines


def test_messages_are_one_line_each(out: _Raw) -> None:
    """SCHEMA and RECORD messages of the SDK go out as single lines of JSON."""
    writer = Writer()
    writer.write_message(SchemaMessage("orders", {"properties": {}}, ["id"]))
    writer.write_message(RecordMessage("orders", {"id": "A\n", "n": 9007199254740993}))
    lines = bytes(out.content).splitlines()

    assert [json.loads(line)["type"] for line in lines] == ["SCHEMA", "RECORD"]
    assert json.loads(lines[1])["record"] == {"id": "A\n", "n": 9007199254740993}
    assert writer.written == len(out.content)


class _Clock:
    def __init__(self) -> None:
        self.now = 1_772_442_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    """A clock that stands."""
    return _Clock()


def _state(number: int, size: int = 10) -> dict[str, Any]:
    return {"bookmarks": {"orders": number, "filler": "x" * size}}


def _states(out: _Raw) -> list[dict[str, Any]]:
    messages = [json.loads(line) for line in bytes(out.content).splitlines()]
    found = [message for message in messages if message["type"] == "STATE"]
    assert all(set(message) == {"type", "value"} for message in found)
    return [message["value"] for message in found]


LARGE = 10 * SMALL_STATE


def test_a_small_state_is_written_at_every_change(out: _Raw, clock: _Clock) -> None:
    """While it is small each change is written, and nothing else."""
    states = StateWriter(Writer(), clock)
    for number in (1, 1, 2, 2, 2, 3, 1):
        states.write_if_due(_state(number))

    assert _states(out) == [_state(n) for n in (1, 2, 3, 1)]


@pytest.mark.parametrize("size", [10, LARGE])
def test_an_unchanged_state_is_not_written_twice(out: _Raw, clock: _Clock, size: int) -> None:
    """The same state is one message, asked for in whichever way."""
    states = StateWriter(Writer(), clock)
    for _ in range(3):
        states.write_state(_state(1, size))
        states.write_if_due(_state(1, size))
        clock.now += 1e6

    assert _states(out) == [_state(1, size)]


@pytest.mark.parametrize("size", [10, LARGE])
def test_an_unchanged_state_comes_last_where_records_followed_it(
    out: _Raw, clock: _Clock, size: int
) -> None:
    """Offered after records it says nothing new; at the end it is the last message all the same."""
    writer = Writer()
    states = StateWriter(writer, clock)
    states.write_if_due(_state(1, size))
    writer.write(b'{"type":"RECORD"}\n')
    clock.now += 1e6
    states.write_if_due(_state(1, size))
    assert len(_states(out)) == 1
    for _ in range(2):
        states.write_state(_state(1, size), last=True)

    assert len(_states(out)) == 2
    assert json.loads(bytes(out.content).splitlines()[-1])["type"] == "STATE"


def test_a_state_changed_in_place_is_written(out: _Raw, clock: _Clock) -> None:
    """The caller may change and offer the same object again."""
    states, state = StateWriter(Writer(), clock), _state(1)
    states.write_if_due(state)
    state["bookmarks"]["orders"] = 2
    states.write_if_due(state)

    assert _states(out) == [_state(1), _state(2)]


def test_a_large_state_is_written_by_write_state_at_any_time(out: _Raw, clock: _Clock) -> None:
    """At the end it is written, however large and however soon."""
    states = StateWriter(Writer(), clock)
    for number in range(3):
        states.write_state(_state(number, LARGE))

    assert _states(out) == [_state(n, LARGE) for n in range(3)]


def test_the_first_state_is_written_at_once(out: _Raw, clock: _Clock) -> None:
    """The first one is written, even a large one."""
    StateWriter(Writer(), clock).write_if_due(_state(1, LARGE))

    assert _states(out) == [_state(1, LARGE)]


def test_a_large_state_waits_for_output(out: _Raw, clock: _Clock) -> None:
    """A large one is written again only after fifty times its size in other output."""
    writer = Writer()
    states = StateWriter(writer, clock)
    states.write_if_due(_state(0, LARGE))
    size = len(out.content)
    needed = -(-size * round(1 / STATE_SHARE) // 1)
    line = b'{"type":"RECORD"}'
    writer.write(line + b" " * (needed - len(line) - 2) + b"\n")
    states.write_if_due(_state(1, LARGE))
    assert len(_states(out)) == 1
    writer.write(b'{"type":"RECORD"}\n')
    states.write_if_due(_state(2, LARGE))
    assert _states(out)[1:] == [_state(2, LARGE)]
    states.write_if_due(_state(3, LARGE))
    assert len(_states(out)) == 2


def test_a_large_state_waits_no_longer_than_its_size_allows(out: _Raw, clock: _Clock) -> None:
    """Where little is emitted time makes up for it: 4 KiB of STATE a second at most."""
    states = StateWriter(Writer(), clock)
    states.write_if_due(_state(0, LARGE))
    size = len(out.content)
    clock.now += size / STATE_BYTES_PER_SECOND - 0.01
    states.write_if_due(_state(1, LARGE))
    assert len(_states(out)) == 1
    clock.now += 0.02
    states.write_if_due(_state(2, LARGE))
    assert _states(out)[1:] == [_state(2, LARGE)]
    clock.now += 1
    states.write_if_due(_state(3, LARGE))
    assert len(_states(out)) == 2


@pytest.mark.parametrize("size", [100, LARGE, 400_000])
def test_state_is_a_small_share_of_a_large_output(out: _Raw, clock: _Clock, size: int) -> None:
    """Over a long output a large state takes 2 %, plus the first; a small one is never held."""
    writer = Writer()
    states = StateWriter(writer, clock)
    block = b'{"type":"RECORD","x":"%s"}\n' % (b"x" * 100_000)
    count = 300
    for number in range(count):
        writer.write(block)
        states.write_if_due(_state(number, size))
    states.write_state(_state(count, size))
    written = _states(out)
    share = (len(out.content) - count * len(block)) / (count * len(block))

    assert written[-1] == _state(count, size)
    if size < SMALL_STATE:
        assert len(written) == count + 1
    else:
        assert share <= STATE_SHARE + 2 * (size + 100) / (count * len(block))
        assert len(written) > 2
    assert STATE_SHARE == 0.02


def test_a_state_that_grew_large_is_held(out: _Raw, clock: _Clock) -> None:
    """The size that counts is that of the last one written."""
    states = StateWriter(Writer(), clock)
    states.write_if_due(_state(1))
    states.write_if_due(_state(2, LARGE))
    states.write_if_due(_state(3, LARGE))
    states.write_state(_state(4))
    states.write_if_due(_state(5))

    assert [state["bookmarks"]["orders"] for state in _states(out)] == [1, 2, 4, 5]
