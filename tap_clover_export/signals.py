"""The signals that end the command, also where it is the first process of a container."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What ends the command."""


def listen() -> None:
    """End at once on a signal, without a traceback.

    The default action does so too, but the kernel discards a signal with the default action where
    it is sent to the first process of a container.
    """
    for signum in SIGNALS:
        signal.signal(signum, end_at_once)


def end_at_once(signum: int, _: FrameType | None = None) -> None:
    """End the process as the signal does where nothing handles it."""
    signal.signal(signum, signal.SIG_DFL)
    signal.raise_signal(signum)
    os._exit(128 + signum)
