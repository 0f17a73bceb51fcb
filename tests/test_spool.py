"""The spool: whole files on disk, or no trace of them."""

from __future__ import annotations

import errno
import json
import os
import resource
import tempfile
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.cleaning import BadFileError, clean
from tap_clover_export.spool import Spool, SpoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    """An empty spool."""
    assert folder.is_dir()
    spool = Spool()
    yield spool
    spool.close()


def _writes(*pieces: bytes) -> Callable[[Spool], None]:
    def fetch(spool: Spool) -> None:
        for piece in pieces:
            assert spool.write(piece) == len(piece)

    return fetch


def _file(*ids: str) -> bytes:
    return b'{"elements":[' + b",".join(b'{"id":"%s"}' % i.encode() for i in ids) + b"]}"


def test_files_come_back_whole_and_in_order(spool: Spool) -> None:
    """Several files, written in pieces, come back byte for byte, as often as asked."""
    files = [_file("A", "B"), _file(), b" " + _file("C" * 100_000) + b" "]
    for number, content in enumerate(files):
        spool.add(f"f{number}", _writes(content[:5], content[5:9], content[9:]))

    assert list(spool) == files
    assert list(spool) == files
    assert spool.names == ["f0", "f1", "f2"]
    assert spool.records == 3


def test_an_empty_spool_has_no_file(spool: Spool) -> None:
    """An export without files is an empty one."""
    assert list(spool) == []
    assert (spool.names, spool.records) == ([], 0)


BAD = [
    (b"", "not JSON"),
    (b" ", "not JSON"),
    (b"<html>503</html>", "not JSON"),
    (b'{"elements":[{"id":"A"}', "not JSON"),
    (b'{"elements":[]} x', "not JSON"),
    (b'{"elements":[{"id":"A",}]}', "not JSON"),
    (b'{"elements":[{"id":"A\n"}]}', "not JSON"),
    (b'{"elements":[NaN]}', "not JSON"),
    (b'{"elements":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "not JSON"),
    (b"\x1f\x8b\x08\x00", "not JSON"),
    (b"null", "list of elements"),
    (b"[]", "list of elements"),
    (b'"elements"', "list of elements"),
    (b"{}", "list of elements"),
    (b'{"message":"Not Found"}', "list of elements"),
    (b'{"elements":null}', "list of elements"),
    (b'{"elements":{}}', "list of elements"),
    (b'{"elements":"x"}', "list of elements"),
]


@pytest.mark.parametrize(("content", "why"), BAD, ids=[repr(c[:24]) for c, _ in BAD])
def test_other_files_are_bad_and_leave_no_trace(spool: Spool, content: bytes, why: str) -> None:
    """What is not Clover's file is a BadFileError; the files before and after are unharmed."""
    spool.add("one", _writes(_file("A")))
    with pytest.raises(BadFileError, match=why):
        spool.add("bad", _writes(content))
    assert (spool.names, spool.records, list(spool)) == (["one"], 1, [_file("A")])

    spool.add("two", _writes(_file("B", "C")))
    assert list(spool) == [_file("A"), _file("B", "C")]
    assert (spool.names, spool.records) == (["one", "two"], 3)


@pytest.mark.parametrize(
    "content",
    [
        b'{"elements":[{"id":"A","title":"\\ud800"}]}',
        b'{"elements":[{"id":"A","title":"\\udc00x"}]}',
        b'{"elements":[{"id":"A","employee":{"\\ud83d":1}}]}',
    ],
)
def test_files_with_lone_surrogates_are_good(spool: Spool, content: bytes) -> None:
    """A lone surrogate is replaced; its file is taken in, and so is the next one."""
    spool.add("one", _writes(content))
    spool.add("two", _writes(_file("B")))

    assert list(spool) == [clean(content)[0], _file("B")]
    assert "\ufffd" in json.dumps(json.loads(next(iter(spool))), ensure_ascii=False)
    assert (spool.records, spool.replaced) == (2, 1)


@pytest.mark.parametrize(
    "content",
    [
        b'{"elements":[{"id":"A","title":"\\u0000"}]}',
        b'{"elements":[{"id":"A","title":"\xff"}]}',
        b'{"href":"x","elements":[{"id":"A"}],"more":{"a":[1]}}',
        b'{"elements":[null]}',
        b'\r\n{"elements" : [ {"id":"A"} ] }\r\n',
    ],
)
def test_odd_records_are_no_bad_file(spool: Spool, content: bytes) -> None:
    """What the reader of records deals with is not refused before it."""
    spool.add("one", _writes(content))

    assert list(spool) == [clean(content)[0]]
    assert spool.records == 1


@pytest.mark.parametrize("error", [ConnectionError("reset"), KeyboardInterrupt(), ValueError("x")])
def test_a_download_that_breaks_off_leaves_no_trace(spool: Spool, error: BaseException) -> None:
    """Whatever ends a download early passes through; the half file is gone."""

    def breaks(spool: Spool) -> None:
        spool.write(_file("X" * 500)[:300])
        raise error

    spool.add("one", _writes(_file("A")))
    with pytest.raises(type(error)):
        spool.add("half", breaks)
    spool.add("one again", _writes(_file("B")))

    assert list(spool) == [_file("A"), _file("B")]
    assert spool.names == ["one", "one again"]


class _Full:
    """A file on a full disk."""

    def __init__(self, file: object, failing: str) -> None:
        self._file = file
        self._failing = failing

    def __getattr__(self, name: str) -> object:
        if name == self._failing:
            return self._fail
        return getattr(self._file, name)

    def _fail(self, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("failing", ["write"])
def test_a_full_disk_is_a_spool_error(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Where the disk takes no more, at the write or at the flush, the sentence says so."""
    spool.add("one", _writes(_file("A")))
    monkeypatch.setattr(spool, "_file", _Full(spool._file, failing))
    with pytest.raises(SpoolError, match="No space left on device"):
        spool.add("two", _writes(_file("B")))
    monkeypatch.undo()

    assert list(spool) == [_file("A")]
    spool.add("two", _writes(_file("C")))
    assert list(spool) == [_file("A"), _file("C")]


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_really_full_disk_leaves_no_trace(spool: Spool, size: int) -> None:
    """Bytes that the disk did not take stay in the buffer and fail again, as OSError."""
    spool.add("one", _writes(_file("A" * 4000)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(SpoolError, match="File too large"):
            spool.add("two", _writes(*[_file("B" * size)[n::2] for n in range(2)], b" " * 4096))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    spool.add("three", _writes(_file("C")))

    assert list(spool) == [_file("A" * 4000), _file("C")]
    assert spool.names == ["one", "three"]


def test_no_directory_is_a_spool_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary directory that can't be used is a SpoolError with the system's reason."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nope"))
    with pytest.raises(SpoolError, match="No such file or directory"):
        Spool()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_files_have_no_name_and_one_descriptor(folder: Path) -> None:
    """Nothing is seen in the directory, an export takes one descriptor, `close` gives it back."""
    before = _descriptors()
    spool = Spool()
    for number in range(20):
        spool.add(f"f{number}", _writes(_file("A" * 10_000)))
        assert list(folder.iterdir()) == []

    assert _descriptors() == before + 1
    spool.close()
    spool.close()
    assert _descriptors() == before
    assert list(folder.iterdir()) == []
