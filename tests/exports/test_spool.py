"""The spool: whole files on disk, or no trace of them."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.errors import SpoolError
from tap_clover_export.exports.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
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


def _taken(spool: Spool) -> list[bytes]:
    return list(iter(spool.take, None))


def _file(*ids: str) -> bytes:
    return b'{"elements":[' + b",".join(b'{"id":"%s"}' % i.encode() for i in ids) + b"]}"


def test_files_come_back_whole_and_in_order(spool: Spool) -> None:
    """Several files, written in pieces, come back byte for byte."""
    files = [_file("A", "B"), _file(), b" " + _file("C" * 100_000) + b" "]
    for number, content in enumerate(files):
        spool.add(f"f{number}", _writes(content[:5], content[5:9], content[9:]))

    assert spool.waits
    assert _taken(spool) == files
    assert not spool.waits
    assert spool.names == ["f0", "f1", "f2"]
    assert spool.taken == 3


def test_an_empty_spool_has_no_file(spool: Spool) -> None:
    """An export without files is an empty one."""
    assert _taken(spool) == []
    assert spool.names == []


def test_an_empty_file_is_a_file(spool: Spool) -> None:
    """A file of no bytes comes back as one, to be judged by who reads it."""
    spool.add("f", _writes())
    assert spool.take() == b""
    assert spool.take() is None


def test_files_are_taken_while_others_arrive(spool: Spool) -> None:
    """What is here can be taken before the rest is."""
    spool.add("one", _writes(_file("A")))
    assert spool.take() == _file("A")

    def fetch(into: Spool) -> None:
        into.write(_file("B")[:7])
        assert spool.take() is None
        into.write(_file("B")[7:])

    spool.add("two", fetch)
    assert spool.take() == _file("B")


def test_a_rejected_file_is_missing_again(spool: Spool) -> None:
    """The file taken last is forgotten; those before and after it are not."""
    for name in "abc":
        spool.add(name, _writes(_file(name)))
    assert spool.take() == _file("a")
    assert spool.take() == _file("b")
    spool.reject()
    assert (spool.names, spool.taken) == (["a", "c"], 1)
    spool.add("b", _writes(_file("b again")))
    assert _taken(spool) == [_file("c"), _file("b again")]


def test_nothing_is_taken_of_a_closed_spool(spool: Spool) -> None:
    """Once the disk is given back there is nothing to take, and no other file is read instead."""
    spool.add("one", _writes(_file("A")))
    spool.close()
    assert spool.take() is None


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

    assert _taken(spool) == [_file("A"), _file("B")]
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

    assert _taken(spool) == [_file("A")]
    spool.add("two", _writes(_file("C")))
    assert _taken(spool) == [_file("C")]


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

    assert _taken(spool) == [_file("A" * 4000), _file("C")]
    assert spool.names == ["one", "three"]


def test_no_directory_is_a_spool_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary directory that can't be used is a SpoolError with the system's reason."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nope"))
    monkeypatch.setenv("TMPDIR", str(folder / "nope"))
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


def test_no_named_file_is_ever_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also not to try the directory, as `tempfile` does: a SIGKILL would leave it there."""

    def look_for_one() -> str:
        raise AssertionError

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", look_for_one)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    spool = Spool()
    spool.add("1.json", lambda into: into.write(b"{}"))
    assert spool.take() == b"{}"
    spool.close()


def test_a_tmpdir_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another temporary directory is taken, as Python programs do."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    spool = Spool()
    spool.add("1.json", lambda into: into.write(b"{}"))
    assert spool.take() == b"{}"
    spool.close()
