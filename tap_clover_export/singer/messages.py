"""Singer messages on stdout: whole lines, and STATE as often as its size allows."""

from __future__ import annotations

import contextlib
import fcntl
import io
import select
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.contrib.msgspec import encoder as message_encoder
from singer_sdk.helpers._state import StateWriter as SdkStateWriter

from tap_clover_export.errors import OutputClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.singerlib.encoding.simple import Message

PIPE_BYTES = 1 << 20
"""As much as Linux gives to any process that asks."""

STATE_SHARE = 0.02
"""STATE is at most this share of the output while it is large ..."""

SMALL_STATE = 8 << 10
"""... and written at every change up to this size, in bytes."""

STATE_BYTES_PER_SECOND = 4 << 10
"""A large one that waits is written anyway, as long as it costs no more than this."""

_READER_GONE = "Who read the output is gone; look at why the loader ended."


class Writer(MsgSpecWriter):
    """Writes whole lines, also to a raw stdout that takes only a part at a time."""

    written = 0

    def enlarge_pipe(self) -> None:
        """Let the pipe to the loader hold more, so that neither side waits for the other."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def write_message(self, message: Message) -> None:
        """Write a message."""
        self.write(bytes(self.format_message(message)))

    def raise_if_closed(self) -> None:
        """End here if nobody reads the output any more.

        Raises:
            OutputClosedError: The reader is gone.
        """
        with contextlib.suppress(OSError, ValueError):
            poll = select.poll()
            poll.register(sys.stdout.fileno(), 0)
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                raise OutputClosedError(_READER_GONE)

    def write(self, lines: bytes) -> None:
        """Write whole lines.

        Raises:
            OutputClosedError: It takes no more; a line may be torn, and nothing may follow it.
        """
        if sys.stdout is None:
            raise OutputClosedError("There is no output to write to; give the command a stdout.")
        out: BinaryIO = sys.stdout.buffer
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[_written(out, rest) :]
            while not _flushed(out):
                pass
        except BrokenPipeError as error:
            raise OutputClosedError(_READER_GONE) from error
        except OSError as error:
            raise OutputClosedError.of(error) from error
        self.written += len(lines)


def _written(out: BinaryIO, data: memoryview) -> int:
    """Write what fits; a stdout that another program made non-blocking is waited for."""
    try:
        written = out.write(data)
    except BlockingIOError as error:
        written = error.characters_written
    if not written:
        _wait_for(out)
    return written or 0


def _flushed(out: BinaryIO) -> bool:
    try:
        out.flush()
    except BlockingIOError:
        _wait_for(out)
        return False
    return True


def _wait_for(out: BinaryIO) -> None:
    with contextlib.suppress(io.UnsupportedOperation):
        poll = select.poll()
        poll.register(out.fileno(), select.POLLOUT)
        poll.poll()


class StateWriter(SdkStateWriter):
    """Writes STATE when it changed, and as often as its size allows."""

    def __init__(self, writer: Writer, now: Callable[[], float]) -> None:
        super().__init__(writer)
        self._writer = writer
        self._now = now
        self._last = b""
        self._written_at = 0
        self._end = 0
        self._time = 0.0
        self._size = 0

    def raise_if_closed(self) -> None:
        """End here if nobody reads the output any more.

        Raises:
            OutputClosedError: The reader is gone.
        """
        self._writer.raise_if_closed()

    def write_state(self, state: dict[str, Any], *, last: bool = False) -> None:  # type: ignore[override]
        """Write the state if it changed, or if it has to be the last message."""
        line = message_encoder.encode({"type": "STATE", "value": state}) + b"\n"
        if line != self._last or (last and self._writer.written != self._end):
            self._writer.write(line)
            self._last, self._size, self._end = line, len(line), self._writer.written
        self._written_at, self._time = self._writer.written, self._now()

    def write_if_due(self, state: dict[str, Any]) -> None:
        """Write the state if it changed and enough was written, or time passed, since the last."""
        # Rule 10: a large state is written rarely, so that it stays a small share of the output.
        output = self._writer.written - self._written_at
        waited = self._now() - self._time
        if (
            self._size <= SMALL_STATE
            or self._size <= output * STATE_SHARE
            or self._size <= waited * STATE_BYTES_PER_SECOND
        ):
            self.write_state(state)
