"""A file for who wants to know why: every line that the tap can log, and every attempt at Clover.

It holds no record and no token, so that it can go into a bug report as it stands.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import traceback
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_clover_export.errors import InputError
from tap_clover_export.settings.fields import from_project

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "TAP_CLOVER_EXPORT_TRACE"
"""The environment's variable that names the file."""

FORMAT = "{asctime}.{msecs:03.0f} {levelname} {name}: {message}"

FRAMES = 30
"""How many places of an error are written, the innermost."""

logger = logging.getLogger("tap-clover-export")


class _Formatter(logging.Formatter):
    """A line each, in UTC; of an error the places, as its own words may hold a record's."""

    converter = staticmethod(time.gmtime)

    @override
    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        lines = []
        while isinstance(error, BaseException):
            lines.append(f"    {type(error).__qualname__}")
            frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
            lines += [f"      {at.filename}:{at.lineno} {at.name}" for at in frames]
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


class _Relay(logging.Handler):
    """Hands on to the root's handlers what they would get without the file."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().callHandlers(record)


@contextlib.contextmanager
def written(*head: str) -> Iterator[None]:
    """Write the trace, if the environment names a file for it.

    Args:
        head: What stands at its beginning.

    Raises:
        InputError: The file can't be written.
    """
    given = os.environ.get(TRACE, "").strip()
    if not given:
        yield
        return
    try:
        path = from_project(given)
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a")
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{TRACE} can't be written ({why}); give the path of a file.") from error
    file, relay = logging.StreamHandler(stream), _Relay(logger.getEffectiveLevel())
    file.setFormatter(_Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S", "{"))
    before = logger.level, logger.propagate
    logger.handlers += [file, relay]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        for line in head:
            logger.debug("%s", line)
        yield
    finally:
        logger.handlers.remove(file)
        logger.handlers.remove(relay)
        logger.level, logger.propagate = before
        stream.close()
