"""Processes that use rotating tokens without end, to be killed; forked off one that waits.

`python -m tests.support.token_users` imports the tap once, then forks a child for every request.
Children share nothing but where the tokens are kept.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tap_clover_export import times
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.store import open_store
from tests.support.fork_server import ForkServer, redirect
from tests.support.processes import Child

PAUSE = 0.01


class TokenUsers(ForkServer):
    """Forks processes that use tokens."""

    def __init__(self) -> None:
        super().__init__("tests.support.token_users")

    def start(self, log: Path, **what: Any) -> Child:
        """Start one.

        Args:
            log: Takes what went wrong in it.
            what: Arguments of `use`.
        """
        return Child(self, int(self.ask("start", what, str(log))))


def use(
    place: str, url: str, tokens: dict[str, str], shift: float, secret: str | None, keys: list[str]
) -> None:
    """Ask Clover with each merchant's token, again and again, in two threads.

    Args:
        place: A path, or the URL of a database.
        url: Clover's.
        tokens: Each merchant's first token.
        shift: How far Clover's clock is ahead of this machine's.
        secret: The app's.
        keys: What the store is encrypted with.
    """
    where = Secret(place) if "://" in place else Path(place)
    store = open_store(where, [Secret(key) for key in keys])
    auth = Auth("CLIENT", store, lambda: time.time() + shift, Secret(secret) if secret else None)
    client = Client(auth)
    shops = [
        Merchant(name, "sandbox", url, times.from_seconds(0), refresh_token=Secret(token))
        for name, token in tokens.items()
    ]

    def work(first: int) -> None:
        number = first
        while True:
            number += 1
            try:
                client.check(shops[number % len(shops)])
            except Exception as error:  # noqa: BLE001
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(1)
            time.sleep(PAUSE)

    for first in range(2):
        threading.Thread(target=work, args=[first]).start()


def _serve() -> tuple[dict[str, Any], str] | None:
    """Fork on request; answers what to do in the child."""
    answers = os.dup(1)
    for line in sys.stdin:
        request = json.loads(line)
        if request[0] == "start":
            pid = os.fork()
            if not pid:
                os.close(answers)
                return request[1], request[2]
            answer: int | None = pid
        else:
            ended, status = os.waitpid(request[1], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        os.write(answers, b"%s\n" % json.dumps(answer).encode())
    return None


if __name__ == "__main__":
    import psycopg  # noqa: F401

    import tap_clover_export.tokens.database  # noqa: F401

    asked = _serve()
    if asked is not None:
        redirect(os.devnull, asked[1])
        use(**asked[0])
