"""A chunk's `meltano run`, which ends with this process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tap_clover_export.airflow import guard
from tap_clover_export.airflow.chunks import settings_of
from tap_clover_export.airflow.words import failure_in, left_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_clover_export.airflow.setup import Setup
    from tap_clover_export.airflow.words import Failure
    from tap_clover_export.settings.merchants import Merchant

SYSTEM_FOLDER = "MELTANO_SYS_DIR_ROOT"
PREPARE_SECONDS = 300
TAIL = 10
"""This number of Meltano's last lines stands in an error."""

TAP_ALONE = "Extractor failed"
"""Meltano's words where the loader has done its part."""


_READABLE = {
    "MELTANO_CLI_LOG_CONFIG": os.devnull,
    "MELTANO_CLI_LOG_FORMAT": "uncolored",
    "MELTANO_CLI_LOG_LEVEL": "info",
    "NO_COLOR": "1",
}
"""Whatever the worker's environment says: from other logs the tap's words can't be read."""


class MeltanoError(Exception):
    """Meltano can't be used; says why and what to do."""


def states(setup: Setup) -> list[str]:
    """The ids of all states; lets Meltano make its system database, before many want to at once.

    Raises:
        MeltanoError: Meltano can't be used.
    """
    command = [*shlex.split(setup.meltano), "state", "list"]
    told = shlex.join(command)
    try:
        done = subprocess.run(
            command,
            cwd=setup.project,
            env=_environment(setup, own_folder(setup, "plan")),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PREPARE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MeltanoError(f"`{told}` took more than {PREPARE_SECONDS} s.") from None
    except OSError as error:
        raise MeltanoError(
            f"Meltano can't be started ({error}); let the DAG file's `meltano` name the command "
            "and `project` the project's folder."
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        head = f"`{told}` in {setup.project} ended with exit code {done.returncode}:"
        raise MeltanoError("\n".join([head, *lines[-TAIL:]]))
    return done.stdout.split()


def check_chunks(setup: Setup, region: str, last: int | None, ids: Sequence[str]) -> None:
    """Refuse a number of chunks with which merchants would begin again from the start.

    Args:
        setup: The number.
        region: Whose chunks.
        last: How many there were in the last run.
        ids: The ids of all states.

    Raises:
        MeltanoError: It is neither the last number nor twice as many with the states copied.
    """
    if last in (None, setup.chunks):
        return
    if setup.chunks != 2 * last:
        raise MeltanoError(
            f"chunks is {setup.chunks}, and was {last}: most merchants would begin again from the "
            f"start. Give {last}, or {2 * last} with the states copied (docs/many-merchants.md)."
        )
    held = {match.groups() for id_ in ids if (match := re.fullmatch(rf"(.+:{region}-)(\d+)", id_))}
    missing = [
        f"{prefix}{int(number) + last}"
        for prefix, number in sorted(held, key=lambda of: (of[0], int(of[1])))
        if int(number) < last and (prefix, str(int(number) + last)) not in held
    ]
    if missing:
        raise MeltanoError(
            f"chunks is {setup.chunks}, and was {last}, but the states are not copied: "
            f"{missing[0]} is missing. Copy them first (docs/many-merchants.md)."
        )


def own_folder(setup: Setup, name: str) -> Path:
    """A system folder of a chunk's own, which shares what is installed with the project's.

    Meltano 4 keeps the state and the catalog of a run in one file for all runs of a project, so
    that runs at the same time read each other's. In the project's own folder a worker's user may
    not be allowed to write.

    Raises:
        MeltanoError: There is no such folder.
    """
    system = Path(setup.project, os.environ.get(SYSTEM_FOLDER) or ".meltano").absolute()
    of_project = hashlib.sha256(os.fsencode(system)).hexdigest()[:12]
    top = Path(setup.folder or tempfile.gettempdir(), f"clover-export-{os.getuid()}")
    folder = top / of_project / name
    try:
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = top.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            raise MeltanoError(f"{top} is not this user's own folder; remove it.")
        top.chmod(0o700)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # made by who may, or by the image
            system.mkdir(exist_ok=True)
        shared = set(system.iterdir()) if system.is_dir() else set()
        for entry in {*shared, system / "meltano.db"}:
            link = folder / entry.name
            if entry.name not in ("run", "logs") and not link.is_symlink():
                with contextlib.suppress(FileExistsError):
                    link.symlink_to(entry)
    except OSError as error:
        raise MeltanoError(
            f"No folder for {name} can be made ({error}); let the DAG file's `folder` name a place "
            "where this user may write."
        ) from None
    return folder


class Meltano:
    """One `meltano run` of a chunk.

    Args:
        setup: The project and what it runs.
        state: The suffix of the chunk's state id.
        merchants: The chunk's merchants.
        settings: The tap's other settings, as environment variables.

    Attributes:
        left: What the tap said of new days that had no turn, once it has come to its end.
    """

    def __init__(
        self,
        setup: Setup,
        state: str,
        merchants: Sequence[Merchant],
        settings: Mapping[str, str],
    ) -> None:
        self.left: str | None = None
        self._patience = setup.grace_seconds + guard.MARGIN_SECONDS
        folder = own_folder(setup, state)
        # The guard's lock lets a chunk run once at a time; without --force Meltano would refuse to
        # start for five minutes after a run that was killed.
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", guard.__file__),
                *(str(setup.grace_seconds), str(folder / "lock")),
                *shlex.split(setup.meltano),
                *("run", "--force", f"--state-id-suffix={state}", *setup.run.split()),
            ],
            cwd=setup.project,
            env={**_environment(setup, folder), **_READABLE, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        file, self._process.stdin = self._process.stdin, None
        if file:
            with contextlib.suppress(BrokenPipeError), file:
                json.dump([settings_of(merchant) for merchant in merchants], file)

    def finish(self, say: Callable[[str], object]) -> tuple[int, list[Failure]]:
        """Hand on the log until the end.

        Returns:
            The exit code, and what the tap says is missing where it is the tap alone that failed.

        Raises:
            MeltanoError: Another run of the chunk does not end.
        """
        failures = []
        loaded = False
        try:
            for line in self._process.stdout or ():
                say(line.rstrip())
                loaded = loaded or line.rstrip().endswith(TAP_ALONE)
                self.left = left_in(line) or self.left
                if failure := failure_in(line):
                    failures.append(failure)
            code = self._process.wait()
        finally:
            self._end()
        if code == guard.LOCKED:
            raise MeltanoError("Another run of the same chunk is at work on this machine.")
        return code, failures if loaded else []

    def stop(self) -> None:
        """Ask it to end with the state saved."""
        if self._process.returncode is None:
            self._process.terminate()

    def _end(self) -> None:
        """See to it that nothing of it goes on."""
        self.stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=self._patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:
            pass


def _environment(setup: Setup, folder: Path) -> dict[str, str]:
    # Meltano 4 writes the id of a project that has none into meltano.yml, at every start again.
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, setup.project))
    return {"MELTANO_PROJECT_ID": identity, **os.environ, SYSTEM_FOLDER: str(folder)}
