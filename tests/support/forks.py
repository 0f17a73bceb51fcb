"""The command, forked off a process that has imported it: what a start costs is paid once.

`python -m tests.support.forks` imports the tap, then forks a child for every request. The child is
`python -m tap_clover_export` in all but the time that its imports take, its end included.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.support.fork_server import ForkServer, fork_on_request


class Forks:
    """Runs commands, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ForkServer("tests.support.forks")
        atexit.register(self._server.close)

    def run(self, *arguments: str, stdout: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command with this process's environment and folder.

        Args:
            arguments: Its command line.
            stdout: A file that takes its output; a temporary one unless given.
        """
        with tempfile.TemporaryDirectory() as folder, self._lock:
            out, log = Path(stdout or f"{folder}/out"), Path(folder, "log")
            paths = [str(Path.cwd()), str(out), str(log)]
            try:
                code = self._server.ask(arguments, dict(os.environ), *paths)
            except BaseException:  # a time-out's, most of all
                self._server.kill()
                forks.cache_clear()
                raise
            output = "" if stdout else out.read_text(encoding="utf-8")
            said = log.read_text(encoding="utf-8")
        return subprocess.CompletedProcess(list(arguments), code, output, said)


@functools.cache
def forks() -> Forks:
    """The process that forks, one for all tests."""
    return Forks()


if __name__ == "__main__":
    from tap_clover_export import tap
    from tap_clover_export.__main__ import main

    assert tap.TapCloverExport.name, "it is loaded before the first fork"

    asked = fork_on_request()
    if asked is not None:
        sys.argv[1:] = asked
        main()
