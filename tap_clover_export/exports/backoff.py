"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

import dataclasses
import random

OUTAGE_SECONDS = 20 * 60
"""How long an unbroken row of passing faults may last."""

OUTAGE_ATTEMPTS = 10
"""An outage is at least this number of attempts long, or as long as an export may take."""

APART_SECONDS = 1800.0
"""Faults further apart than this are no row: nobody asked in between, whatever the reason."""

LONGEST_PAUSE = 60.0
"""The longest pause after a fault that passes, in seconds."""

LONGEST_BUSY = 300.0
"""The longest pause while Clover is busy, in seconds."""

FIRST_POLL = 0.1
FIRST_POLL_SHARE = 0.8
"""The first poll comes after this share of the shortest time that the last exports took."""

POLL_SHARE = 0.05
"""The next ones come after this share of the time that the export has taken so far."""

LINK_PAUSES = (2.0, 6.0, 12.0)
"""When an export that is done without naming its files is looked at again, in seconds."""

YOUNG_SECONDS = 120.0
"""An export that was made this recently may not be known yet to all of Clover."""

TRIES_TOO_MUCH = 3
TRIES_UNKNOWN_STATUS = 3
TRIES_GONE = 4
TRIES_BAD_FILE = 6


class Backoff:
    """Pauses that double: 1, 2, 4 ... seconds up to the longest.

    Half of each is by chance, so that many clients don't come back at once.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._pause = 1.0

    def next(self) -> float:
        """The next pause, in seconds."""
        pause = min(self._pause, self._longest)
        self._pause = min(2 * pause, self._longest)
        return random.uniform(pause / 2, pause)  # noqa: S311

    def reset(self) -> None:
        """Begin again with a short one."""
        self._pause = 1.0


@dataclasses.dataclass
class Row:
    """An unbroken row of passing faults, on the monotonic clock.

    Attributes:
        since: When the first of them came.
        last: When the last of them came.
        count: How many there were.
    """

    since: float
    last: float
    count: int = 0


@dataclasses.dataclass
class Attempts:
    """What went wrong with an export so far; all times on the monotonic clock.

    Attributes:
        faults: The row of passing faults of each of its steps, and of the disk.
        refused: When the first of an unbroken row of 503s came to its polls, and to its files.
        too_much: How often Clover called the request too heavy.
        unknown_status: How often it ended in a status that nobody knows.
        gone: How often Clover lost it.
        without_links: How often it was done and named no files.
        gone_files: How often in a row a link led nowhere.
        bad_files: How often in a row one file was no good.
        taken: How many files were taken when that was.
    """

    faults: dict[str, Row] = dataclasses.field(default_factory=dict)
    refused: dict[str, float] = dataclasses.field(default_factory=dict)
    too_much: int = 0
    unknown_status: int = 0
    gone: int = 0
    without_links: int = 0
    gone_files: int = 0
    bad_files: int = 0
    taken: int = 0
    backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_PAUSE))
    busy_backoff: Backoff = dataclasses.field(default_factory=lambda: Backoff(LONGEST_BUSY))

    def failed(self, what: str, now: float) -> Row:
        """Count a fault that passes; answers the row that it is in."""
        row = self.faults.get(what)
        if row is None or now - row.last > APART_SECONDS:
            row = self.faults[what] = Row(now, now)
        row.last, row.count = now, row.count + 1
        return row

    def answered(self) -> None:
        """An answer came, if only to refuse: each row of faults is broken."""
        self.faults.clear()
        self.backoff.reset()

    def polled(self, poll: str) -> None:
        """A poll was answered, which says nothing of the files: the rows of polls are broken."""
        self.faults.pop(poll, None)
        self.refused.pop(poll, None)

    def succeeded(self) -> None:
        """An attempt came through."""
        self.answered()
        self.refused.clear()
        self.busy_backoff.reset()


def poll_pause(elapsed: float, shortest: float) -> float:
    """When to poll next an export that was accepted so long ago: soon at first, then rarely.

    No later than when the shortest of the last ones was done, until that is over.
    """
    pause = max(FIRST_POLL, POLL_SHARE * elapsed)
    return min(pause, shortest - elapsed) if elapsed < shortest else pause


def unreachable(words: str) -> str:
    """What to say of an outage, by the words of its last fault."""
    return (
        f"Clover could not be reached for {OUTAGE_SECONDS // 60} minutes ({words}); "
        "look at the network and at Clover's status page, then run again"
    )
