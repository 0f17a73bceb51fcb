"""A chunk's `meltano run`, which ends with this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from clover_chunks.words import failure_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clover_chunks.setup import Setup
    from clover_chunks.words import Failure

PATIENCE = 60

TAP_ALONE = "Extractor failed"
"""Meltano's words where the loader has done its part."""


class Meltano:
    """One `meltano run` of a chunk.

    Args:
        setup: The project and what it runs.
        state: The suffix of the chunk's state id.
        settings: The tap's settings, as environment variables.
        force: Whether to start although Meltano believes that a former run is still at work.
    """

    def __init__(
        self, setup: Setup, state: str, settings: Mapping[str, str], *, force: bool = False
    ) -> None:
        guard = ["setpriv", "--pdeathsig=TERM", "--"] if shutil.which("setpriv") else []
        forced = ["--force"] if force else []
        self._process = subprocess.Popen(
            [*guard, *setup.command, "run", *forced, f"--state-id-suffix={state}", *setup.run],
            cwd=setup.project,
            env={**os.environ, "NO_COLOR": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def finish(self, say: Callable[[str], object]) -> tuple[int, list[Failure]]:
        """Hand on the log until the end.

        Returns:
            The exit code, and what the tap says is missing where it is the tap alone that failed.
        """
        failures = []
        loaded = False
        try:
            for line in self._process.stdout or ():
                say(line.rstrip())
                loaded = loaded or line.rstrip().endswith(TAP_ALONE)
                if failure := failure_in(line):
                    failures.append(failure)
            return self._process.wait(), failures if loaded else []
        finally:
            self._end()

    def stop(self) -> None:
        """Ask it to end; the tap and the loader finish their record."""
        if self._process.returncode is None:
            self._process.terminate()

    def _end(self) -> None:
        """See to it that nothing of it goes on."""
        self.stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=PATIENCE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            pass
