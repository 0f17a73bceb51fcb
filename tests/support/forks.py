"""The command, forked off a process that has imported it: what a start costs is paid once.

`python -m tests.support.forks` imports the tap, then forks a child for every request. The child is
`python -m tap_clover_export` in all but the time that its imports take, its end included.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path


class Forks:
    """Runs commands, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate()

    def run(self, *arguments: str, stdout: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command with this process's environment and folder.

        Args:
            arguments: Its command line.
            stdout: A file that takes its output; a temporary one unless given.
        """
        with tempfile.TemporaryDirectory() as folder, self._lock:
            out, log = Path(stdout or f"{folder}/out"), Path(folder, "log")
            request = [arguments, dict(os.environ), str(Path.cwd()), str(out), str(log)]
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            try:
                code = json.loads(self._process.stdout.readline())
            except BaseException:  # a time-out's, most of all
                os.killpg(self._process.pid, signal.SIGKILL)
                forks.cache_clear()
                raise
            output = "" if stdout else out.read_text(encoding="utf-8")
            said = log.read_text(encoding="utf-8")
        return subprocess.CompletedProcess(list(arguments), code, output, said)


@functools.cache
def forks() -> Forks:
    """The process that forks, one for all tests."""
    return Forks()


def _fork() -> list[str] | None:
    """Fork on request; answers the arguments in the child."""
    answers = os.dup(1)
    for line in sys.stdin:
        arguments, environment, folder, stdout, stderr = json.loads(line)
        pid = os.fork()
        if not pid:
            os.close(answers)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            for number, path in ((0, os.devnull), (1, stdout), (2, stderr)):
                way = os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY
                file = os.open(path, way, 0o600)
                os.dup2(file, number)
                os.close(file)
            return list(arguments)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, b"%d\n" % code)
    return None


if __name__ == "__main__":
    from tap_clover_export import tap
    from tap_clover_export.__main__ import main

    assert tap.TapCloverExport.name, "it is loaded before the first fork"

    asked = _fork()
    if asked is not None:
        sys.argv[1:] = asked
        main()
