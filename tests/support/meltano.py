"""Meltano's command, forked off a process that has imported it: its imports are paid once.

`python -m tests.support.meltano` imports Meltano, then forks a child for every request. The child
is the `meltano` command in all but the time that its imports take; what it starts is as ever.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_clover_export.demo.project import FOREIGN, Project
from tests.support.fork_server import ForkServer, fork_on_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ForkedProject(Project):
    """A project whose every command is forked."""

    @override
    def _done(
        self, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory() as folder:
            out, log = Path(folder, "out"), Path(folder, "log")
            paths = [str(self.folder), str(out), str(log)]
            try:
                code = _server().ask(list(arguments), dict(environment), *paths)
            except BaseException:  # a time-out's, most of all
                _server().kill()
                _server.cache_clear()
                raise
            return code, out.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")


@functools.cache
def _server() -> ForkServer:
    server = ForkServer("tests.support.meltano")
    atexit.register(server.close)
    return server


if __name__ == "__main__":
    for foreign in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[foreign]
    os.environ["NO_COLOR"] = "1"

    from meltano.cli import main

    asked = fork_on_request()
    if asked is not None:
        sys.argv = [str(Path(sys.executable).with_name("meltano")), *asked]
        sys.exit(main())  # type: ignore[func-returns-value]
