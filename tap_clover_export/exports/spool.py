"""Files on disk between their download and their emission; unnamed, so none outlives the run."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import tempfile
import threading
from typing import TYPE_CHECKING, cast

from tap_clover_export.errors import SpoolError, SpoolFullError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable


EXPORT_BYTES = 8 << 30
"""How much of the disk one export may take."""


def _unnamed() -> io.FileIO:
    """An unnamed temporary file.

    Rule 8: no file outlives the run, not even one that a SIGKILL ends.

    Left to itself `tempfile` first tries the directory with a named one, which a SIGKILL may leave.
    """
    make = functools.partial(tempfile.TemporaryFile, "w+b", 0, prefix="tap-clover-export-")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        return cast("io.FileIO", make(dir=os.environ.get("TMPDIR") or "/tmp"))  # noqa: S108
    return cast("io.FileIO", make())


class Spool:
    """The files of one export, one after the other in one unnamed temporary file.

    One thread adds files, another takes them.

    Attributes:
        names: What the files are called, those that were taken too.
        taken: How many files were taken and not rejected.
        records: How many records of the files that were taken are written.
        written: In how many bytes of RECORD messages.
    """

    def __init__(self, most: int = EXPORT_BYTES) -> None:
        """Make an empty spool that takes this many bytes at most."""
        self._most = most
        try:
            self._file = _unnamed()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise SpoolError(f"{error.strerror}: raise the limit, ulimit -n") from error
            raise SpoolError(error.strerror) from error
        self._lock = threading.Lock()
        self._spans: list[tuple[int, int]] = []
        self.taken = 0
        self._end = 0
        self.names: list[str] = []
        self.records = 0
        self.written = 0

    def add(self, name: str, fetch: Callable[[Spool], object]) -> None:
        """Take in a whole file, or leave no trace of it.

        Args:
            name: What to call it.
            fetch: Writes the file's bytes by calling `write`.

        Raises:
            SpoolError: The disk is full.
            SpoolFullError: The export takes more than it may.
        """
        start = self._end
        try:
            fetch(self)
        except BaseException:
            self._end = start
            self._file.seek(start)
            raise
        with self._lock:
            self._spans.append((start, self._end - start))
            self.names.append(name)

    def write(self, data: bytes) -> int:
        """Append bytes to the file that is being taken in."""
        if self._end + len(data) > self._most:
            raise SpoolFullError
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest) or 0
                self._end += written
                rest = rest[written:]
        except OSError as error:
            raise SpoolError(error.strerror) from error
        return len(data)

    @property
    def waits(self) -> bool:
        """Whether a file is here that was not taken."""
        return self.taken < len(self._spans)

    def take(self) -> bytes | None:
        """The next file's content; None where none is here, or where the disk was given back."""
        with self._lock:
            if self._file.closed or not self.waits:
                return None
            start, length = self._spans[self.taken]
            self.taken += 1
            return self._read(start, length)

    def _read(self, start: int, length: int) -> bytes:
        """The bytes of a span; one call of the system gives no more than 2 GiB."""
        parts: list[bytes] = []
        while length and (part := os.pread(self._file.fileno(), length, start)):
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def reject(self) -> bool:
        """Forget the file that was taken last, so that it is missing again.

        Answers False where none was taken: it came out of another spool, which is gone.
        """
        with self._lock:
            if not self.taken:
                return False
            self.taken -= 1
            del self._spans[self.taken], self.names[self.taken]
            return True

    def close(self) -> None:
        """Give the disk back."""
        with self._lock:
            self._file.close()
