"""What the helpers share that fork the command off a process which has imported it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class ForkServer:
    """A module in a process of its own: a line of JSON asks it, a line of JSON answers.

    Args:
        module: Its name.
        environment: Beside this process's own.
    """

    def __init__(self, module: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )

    def ask(self, *request: Any) -> Any:
        """Ask it, and wait for its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE)

    def kill(self) -> None:
        """End it there and then, with all that it forked."""
        os.killpg(self._process.pid, signal.SIGKILL)


def fork_on_request() -> list[str] | None:
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
            redirect(stdout, stderr)
            return list(arguments)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(answers, b"%d\n" % code)
    return None


def redirect(stdout: str, stderr: str) -> None:
    """In the child: nothing to read, output and log to files or named pipes."""
    for number, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        way = os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY
        file = os.open(path, way, 0o600)
        os.dup2(file, number)
        os.close(file)
