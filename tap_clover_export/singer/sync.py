"""The loop of a run: what is ready is emitted, in the order of work over all streams."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, Protocol

from tap_clover_export.errors import OutputClosedError, RecordError, Stopped, unexpected
from tap_clover_export.progress import display
from tap_clover_export.signals import SIGNALS, end_at_once
from tap_clover_export.singer.cli import detach_stdout
from tap_clover_export.singer.fast_path import map_failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from tap_clover_export.exports.export import Export
    from tap_clover_export.progress.display import Display
    from tap_clover_export.run import Run
    from tap_clover_export.singer.messages import Writer

logger = logging.getLogger("tap-clover-export")


class Announces(Protocol):
    """What the loop needs of any stream."""

    @property
    def selected(self) -> bool:
        """Whether the catalog selects it."""
        ...

    def announce(self) -> None:
        """Write its SCHEMA message."""
        ...

    def report(self) -> None:
        """Say what was seen of its records as a whole."""
        ...


class Emits(Announces, Protocol):
    """What it needs of a stream that emits exports."""

    def emit(self, export: Export) -> None:
        """Write an export's records."""
        ...


class Loop:
    """Emits one run."""

    def __init__(
        self, run: Run, streams: Mapping[str, Emits], ledger: Announces, writer: Writer
    ) -> None:
        """Make a loop.

        Args:
            run: What is emitted.
            streams: The streams that emit exports, by name.
            ledger: Tells of every export that was emitted.
            writer: Writes to the output.
        """
        self._run = run
        self._streams = streams
        self._ledger = ledger
        self._writer = writer
        self._display: Display | None = None

    def sync(self) -> int:
        """Emit the run to its end; answers the exit code."""
        self._writer.enlarge_pipe()
        try:
            with self._display or contextlib.nullcontext():
                with contextlib.suppress(Stopped):
                    self._emit_in_turns()
                self._run.close()
        except OutputClosedError as error:
            self._run.close(quietly=True)
            detach_stdout()
            logger.error("%s", error)  # noqa: TRY400
            return 1
        except Exception:
            self._run.close()  # an error of our own: what was finished stands in a last STATE
            raise
        return self._exit_code()

    def sync_and_exit(self) -> NoReturn:
        """Emit the run, shown on a terminal, and end the process; signals stop it."""
        run = self._run
        if display.fits():
            self._display = display.Display(run.stats, lambda: run.running)
            run.progress_log.displayed = True
        signal.set_wakeup_fd(run.queue.wakeup.fileno(), warn_on_full_buffer=False)
        for signum in SIGNALS:
            signal.signal(signum, self._terminate)
        code = self.sync()
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)  # what is left is Python's own winding down
        signal.set_wakeup_fd(-1)
        sys.exit(code)

    def _terminate(self, signum: int, _: FrameType | None) -> None:
        """End at the next record's end; a second signal ends at once."""
        if self._run.signal is None:
            self._run.stop(signum)
            return
        if self._display:
            self._display.leave()
        end_at_once(signum)

    def _emit_in_turns(self) -> None:
        self._run.prepare()
        for stream in (*self._streams.values(), self._ledger):
            if stream.selected:
                stream.announce()
        while export := self._run.next():
            try:
                self._streams[export.partition.stream].emit(export)
            except (Stopped, OutputClosedError):
                raise
            except RecordError as error:
                self._run.fail(export.partition, str(error))
            except Exception as error:
                logger.debug("Unexpected.", exc_info=True)
                self._run.fail(export.partition, map_failure(error) or unexpected(error))

    def _exit_code(self) -> int:
        run = self._run
        for stream in (*self._streams.values(), self._ledger):
            stream.report()
        shown = self._display is not None and self._display.summarize()
        run.progress_log.end(shown=shown)
        if run.signal is not None:
            logger.warning("Stopped by signal %d; run again to go on.", run.signal)
            return 128 + run.signal
        if leftover := run.leftover():
            logger.log(logging.WARNING if run.queue.refusing else logging.INFO, leftover)
        if missing := run.missing():
            logger.error(missing)
            return 1
        return 0
