"""The live display on a terminal, on stderr; log lines scroll by above it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from tap_clover_export.progress.log import missing
from tap_clover_export.times import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

    from tap_clover_export.progress.stats import RunStats

REFRESHES = 2
"""How often a second it is drawn; that costs the emitter about a hundredth of its time."""

RATE_SECONDS = 10.0
"""The time over which records a second are counted."""

WIDE = 80
"""Narrower terminals get neither bars nor a table."""


def fits() -> bool:
    """Whether stderr is a terminal that can be drawn on, and no records land between."""
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and not (sys.stdout is not None and sys.stdout.isatty())
        and os.environ.get("TERM", "dumb").lower() not in ("dumb", "unknown", "")
    )


class Display:
    """Shows a run's numbers while the `with` block lasts."""

    def __init__(self, stats: RunStats, running: Callable[[], int]) -> None:
        """Make a display.

        Args:
            stats: What it shows.
            running: Tells how many exports are in progress at Clover.
        """
        from rich.console import Console  # noqa: PLC0415

        self._stats = stats
        self._running = running
        self._console = Console(stderr=True, highlight=False)
        self._seen: deque[tuple[float, int]] = deque()
        self._live: Live | None = None
        self._handlers: list[logging.StreamHandler[io.TextIOBase]] = []

    def __enter__(self) -> Self:
        from rich.live import Live  # noqa: PLC0415

        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=REFRESHES,
            redirect_stdout=False,
            transient=True,
        )
        above = _Above(self._console)
        self._handlers = [handler for handler in _handlers() if handler.stream is sys.stderr]
        self._live.start()
        self._console.show_cursor(show=True)  # a process that is killed leaves a whole terminal
        for handler in self._handlers:
            handler.setStream(above)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None
        for handler in self._handlers:
            handler.setStream(sys.stderr)  # type: ignore[arg-type]

    def leave(self) -> None:
        """Let what follows begin on a line of its own; for a signal handler about to end it all."""
        if self._live:
            with contextlib.suppress(OSError):
                os.write(2, b"\n")

    def summarize(self) -> bool:
        """Print a table, a row a stream; answers whether the terminal is wide enough for it."""
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        if not self._wide:
            return False
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("stream", no_wrap=True)
        for name in ("exports", "requested", "records", "waited", "retries"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("missing")
        for name, stream in self._stats.streams.items():
            table.add_row(
                name,
                f"{stream.emitted:,}/{stream.planned:,}",
                f"{stream.requested:,}",
                f"{stream.records:,}",
                duration(stream.waited),
                f"{stream.retries:,}",
                missing(stream),
                style="red" if stream.failed else None,
            )
        self._console.print(table)
        return True

    @property
    def _wide(self) -> bool:
        return self._console.width >= WIDE

    def _draw(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in self._lines()]
        return Group(self._streams(), *lines)

    def _streams(self) -> Table:
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        wide = self._wide
        grid = Table.grid(padding=(0, 2), expand=wide)
        grid.add_column(no_wrap=True)
        if wide:
            grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        for name, stream in self._stats.streams.items():
            lost = self._stats.lost(name)
            bar = [ProgressBar(max(stream.planned - lost, 1), stream.emitted)] if wide else []
            grid.add_row(
                name,
                *bar,
                f"{stream.emitted:,} of {stream.planned:,} exports"
                + (f", {lost:,} failed" if lost else ""),
                f"{stream.records:,} records",
            )
        return grid

    def _lines(self) -> Iterator[str]:
        stats, total = self._stats, self._stats.total
        failed = f", {stats.merchants_failed:,} failed" if stats.merchants_failed else ""
        yield f"merchants: {stats.merchants_done:,} of {stats.merchants:,} done{failed}"
        retries = f", {total.retries:,} retries" if total.retries else ""
        yield (
            f"at Clover: {total.requested + total.resumed:,} requested, "
            f"{self._running():,} running{retries}; {self._rate(total.records):,.0f} records/s"
        )
        for wait in list(stats.waits.values()):
            until = time.strftime("%a %H:%M:%S UTC", time.gmtime(wait.until))
            yield f"region {wait.region}: waiting until {until}, {wait.why}"
        left = stats.seconds_left()
        work = "" if left is None else f", about {duration(left)} of work left"
        yield f"{duration(stats.seconds)} gone{work}"

    def _rate(self, records: int) -> float:
        """Records a second, of late."""
        now = time.monotonic()
        self._seen.append((now, records))
        while self._seen[0][0] < now - RATE_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        return (records - before) / max(now - then, 1.0)


class _Above(io.TextIOBase):
    """Writes above the display, each line as it is, however long."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        self._console.out(text, end="", highlight=False)
        return len(text)


def _handlers() -> Iterator[logging.StreamHandler[io.TextIOBase]]:
    """The log's handlers that write to a stream."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", []):
            if isinstance(handler, logging.StreamHandler):
                yield handler
