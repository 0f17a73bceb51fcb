"""Files on disk between their download and their emission; unnamed, so none outlives the run."""

from __future__ import annotations

import os
import tempfile
import threading
from typing import TYPE_CHECKING

from tap_clover_export.cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_cleaning = threading.Lock()
"""Threads check their files in turn, so that memory holds one."""


class SpoolError(Exception):
    """The temporary directory takes no more."""


class Spool:
    """The files of one export, one after the other in one unnamed temporary file."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="tap-clover-export-", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise SpoolError(error.strerror) from error
        self._spans: list[tuple[int, int]] = []
        self._end = 0
        self.names: list[str] = []
        self.records = 0
        self.replaced = 0

    def __iter__(self) -> Iterator[bytes]:
        """The content of each file."""
        for start, length in self._spans:
            yield os.pread(self._file.fileno(), length, start)

    def add(self, name: str, fetch: Callable[[Spool], object]) -> None:
        """Take in a whole file, or leave no trace of it.

        Args:
            name: What to call it.
            fetch: Writes the file's bytes by calling `write`.

        Raises:
            BadFileError: What arrived is not a JSON object with a list of elements.
            SpoolError: The disk is full.
        """
        start = self._end
        try:
            fetch(self)
            with _cleaning:
                content = os.pread(self._file.fileno(), self._end - start, start)
                cleaned, replaced, records = clean(content)
                if cleaned is not content:
                    self._rewrite(start, cleaned)
                del content, cleaned
        except BaseException:
            self._end = start
            self._file.seek(start)
            raise
        self.replaced += replaced
        self.records += records
        self._spans.append((start, self._end - start))
        self.names.append(name)

    def write(self, data: bytes) -> int:
        """Append bytes to the file that is being taken in."""
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest) or 0
                self._end += written
                rest = rest[written:]
        except OSError as error:
            raise SpoolError(error.strerror) from error
        return len(data)

    def _rewrite(self, start: int, content: bytes) -> None:
        self._end = start
        self._file.seek(start)
        self.write(content)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()
