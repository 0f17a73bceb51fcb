"""Rendered records, kept in one unnamed file."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref


class BlobFile:
    """Bytes that are written once and read often; memory stays free."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._size = 0
        self._lock = threading.Lock()

    def put(self, data: bytes) -> int:
        """Keep bytes and tell where they begin."""
        with self._lock:
            offset = self._size
            view = memoryview(data)
            while view:
                written = os.pwrite(self._file, view, self._size)
                self._size += written
                view = view[written:]
            return offset

    def get(self, offset: int, size: int) -> bytes:
        """Read bytes back."""
        return os.pread(self._file, size, offset)
