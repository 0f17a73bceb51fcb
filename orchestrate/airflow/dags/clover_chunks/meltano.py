"""A chunk's `meltano run`, which ends with this process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clover_chunks import guard
from clover_chunks.words import failure_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clover_chunks.merchants import Merchant
    from clover_chunks.setup import Setup
    from clover_chunks.words import Failure

PATIENCE = 2 * guard.PATIENCE + 10

SYSTEM_FOLDER = "MELTANO_SYS_DIR_ROOT"

TAP_ALONE = "Extractor failed"
"""Meltano's words where the loader has done its part."""


class MeltanoError(Exception):
    """Meltano can't be used; says why and what to do."""


def prepare(setup: Setup) -> None:
    """Let Meltano make its system database, before many want to at once.

    Raises:
        MeltanoError: It can't.
    """
    try:
        done = subprocess.run(
            [*setup.command, "state", "list"],
            cwd=setup.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise MeltanoError(
            f"Meltano can't be started ({error}); let CLOVER_EXPORT_MELTANO name the command and "
            "CLOVER_EXPORT_PROJECT the project's folder."
        ) from None
    if done.returncode:
        raise MeltanoError(
            f"`meltano state list` ended with exit code {done.returncode}; run it as this user in "
            f"{setup.project} and look at what it says."
        )


def own_folder(setup: Setup, name: str) -> Path:
    """A system folder of a chunk's own, which shares all but `run` with the project's.

    Meltano 4 keeps the state and the catalog of a run in one file for all runs of a project, so
    that runs at the same time read each other's.
    """
    system = Path(os.environ.get(SYSTEM_FOLDER) or setup.project / ".meltano")
    folder = system / "run" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in {*system.iterdir(), system / "meltano.db"}:
        if entry.name != "run":
            with contextlib.suppress(FileExistsError):
                (folder / entry.name).symlink_to(entry)
    return folder


class Meltano:
    """One `meltano run` of a chunk.

    Args:
        setup: The project and what it runs.
        state: The suffix of the chunk's state id.
        merchants: The chunk's merchants.
        settings: The tap's other settings, as environment variables.
    """

    def __init__(
        self,
        setup: Setup,
        state: str,
        merchants: Sequence[Merchant],
        settings: Mapping[str, str],
    ) -> None:
        # That a chunk runs once at a time is Airflow's care; without --force Meltano would refuse
        # to start for five minutes after a run that was killed.
        command = [*setup.command, "run", "--force", f"--state-id-suffix={state}", *setup.run]
        self._process = subprocess.Popen(
            [sys.executable, guard.__file__, *command],
            cwd=setup.project,
            env={
                **os.environ,
                SYSTEM_FOLDER: str(own_folder(setup, state)),
                "NO_COLOR": "1",
                **settings,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        file, self._process.stdin = self._process.stdin, None
        if file:
            with contextlib.suppress(BrokenPipeError), file:
                json.dump(merchants, file)

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
        """Ask it to end with the state saved."""
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
