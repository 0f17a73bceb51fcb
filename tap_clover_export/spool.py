"""Files on disk between their download and their emission; unnamed, so none outlives the run."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class BadFile(Exception):  # noqa: N818
    """A downloaded file that is not Clover's `{"elements": [...]}`."""


class SpoolError(Exception):
    """The temporary directory takes no more."""


class _File(msgspec.Struct):
    elements: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(_File)


class Spool:
    """The files of one export, one after the other in one unnamed temporary file."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="tap-clover-export-")  # noqa: SIM115
        except OSError as error:
            raise SpoolError(error.strerror) from error
        self._spans: list[tuple[int, int]] = []
        self._end = 0
        self.names: list[str] = []
        self.records = 0

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
            BadFile: What arrived is not a JSON object with a list of elements.
            SpoolError: The disk is full.
        """
        start = self._end
        try:
            fetch(self)
            try:
                self._file.flush()
            except OSError as error:
                raise SpoolError(error.strerror) from error
            content = os.pread(self._file.fileno(), self._end - start, start)
            self.records += _count(content)
        except BaseException:
            self._end = start
            self._file.seek(start)
            raise
        self._spans.append((start, self._end - start))
        self.names.append(name)

    def write(self, data: bytes) -> int:
        """Append bytes to the file that is being taken in."""
        try:
            self._file.write(data)
        except OSError as error:
            raise SpoolError(error.strerror) from error
        self._end += len(data)
        return len(data)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()


def _count(content: bytes) -> int:
    try:
        return len(_decoder.decode(content).elements)
    except msgspec.ValidationError as error:
        raise BadFile("a file without a list of elements") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFile("a file that is not JSON") from error
