"""Ports that a test can name before it listens on them."""

from __future__ import annotations

import random
import socket


def quiet_port() -> int:
    """A free port out of those that no system hands out by itself, so that it stays free."""
    while True:
        port = random.SystemRandom().randrange(15_000, 30_000)
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)):
                return port
