"""A command on a real pseudo-terminal, and the screen that a person sees there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0

START = """
import fcntl, os, runpy, sys, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
if "HEARD" in os.environ:
    from tests.support.processes import tell_of_signals
    tell_of_signals(os.environ["HEARD"])
sys.argv[0] = "tap-clover-export"
runpy.run_module("tap_clover_export", run_name="__main__", alter_sys=True)
"""


class Terminal:
    """Runs the tap with stdin and stderr on a terminal.

    Attributes:
        written: All that came to the terminal.
        screen: What it shows now.
    """

    def __init__(
        self,
        *arguments: str,
        output: Path | None,
        width: int = 120,
        height: int = 40,
        **environment: str,
    ) -> None:
        """Start the command.

        Args:
            arguments: Its command line.
            output: Where stdout goes; to the terminal too where that is None.
            width: Columns.
            height: Rows.
            environment: Beside this process's own.
        """
        self.screen = pyte.Screen(width, height)
        self.written = b""
        self._frames: list[bytes] = []
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        own = {name: value for name, value in os.environ.items() if name not in DISTURBING}
        with contextlib.ExitStack() as stack:
            stdout = slave if output is None else stack.enter_context(output.open("wb"))
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, *arguments],
                stdin=slave,
                stdout=stdout,
                stderr=slave,
                env=own | {"TERM": "xterm-256color"} | environment,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def until(self, condition: Callable[[], object]) -> None:
        """Look until something is so; fails where the command ends before, or after a minute."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.text
            assert self._look(), self.text

    def wait(self) -> int:
        """Wait for the command's end; answers the return code."""
        while self._look():
            pass
        return self.process.wait(PATIENCE)

    @property
    def lines(self) -> list[str]:
        """The screen's lines, without empty ones."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def text(self) -> str:
        """The screen as it is."""
        return "\n".join(self.lines)

    @property
    def running(self) -> str:
        """The screen's text with its lines put together again."""
        return "".join(self.screen.display)

    def _look(self) -> bool:
        """Take in what was written, a frame at a time; answers whether more may come."""
        if self._frames:
            self._stream.feed(self._frames.pop(0))
            return True
        if not select.select([self._master], [], [], 0.1)[0]:
            return self.process.poll() is None
        try:
            part = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.written += part
        self._frames = REDRAWN.split(part)
        return bool(part)


REDRAWN = re.compile(rb"(?=\r\x1b\[2K)")
"""Where a frame goes for the next; between them each stands there for a person to see."""

DISTURBING = {
    "CI",
    "COLUMNS",
    "FORCE_COLOR",
    "LINES",
    "LOGLEVEL",
    "NO_COLOR",
    "SINGER_SDK_LOG_CONFIG",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
}
