"""Ways for a run in this process to end where it stands."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from typing_extensions import override

from tests.support.harness import JumpingClock

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from tap_clover_export.simulator import Clock


class Killed(BaseException):
    """Ends a run as a SIGKILL does: nothing is written any more."""


class Deadly(JumpingClock):
    """A clock at which a run ends.

    Args:
        clock: The simulator's.
        seconds: How much later.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__(clock)
        self._death = clock.now() + seconds

    @override
    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, max(0.0, self._death - self.now())))
        if self.now() >= self._death:
            raise Killed


class Grave(io.BytesIO):
    """Takes this number of bytes of output, and the run ends in the middle of a line.

    Args:
        size: How many bytes.
        end: What is raised then.
    """

    def __init__(self, size: int, end: type[BaseException] = Killed) -> None:
        super().__init__()
        self._left = size
        self._end = end

    @override
    def write(self, data: Buffer, /) -> int:
        part = memoryview(data)[: self._left]
        self._left -= super().write(part)
        if len(part) < len(memoryview(data)):
            raise self._end
        return len(part)
