"""One export on its way."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.clover.origins import file_name
from tap_clover_export.exports.backoff import Attempts
from tap_clover_export.planning.plan import PendingExport, Purpose

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.exports.spool import Spool
    from tap_clover_export.planning.plan import Partition, Priority
    from tap_clover_export.planning.windows import Window


class Stage(enum.Enum):
    """What comes next for an export."""

    CREATE = "create"
    POLL = "poll"
    DOWNLOAD = "download"
    READY = "ready"


@dataclasses.dataclass(eq=False)
class Export:
    """A window of a partition on its way; changed by one thread at a time.

    Attributes:
        partition: The merchant's stream.
        window: The time it covers.
        priority: Where it stands in the order of work.
        stage: What comes next.
        due: When, on the monotonic clock.
        id: Clover's id, while Clover has it.
        created: When Clover created it, by Clover's clock.
        requested: When it was accepted or resumed, on the monotonic clock.
        resumed: Whether a former run requested it.
        named: The files that Clover named so far.
        had_files: Whether Clover named files of its window in this run, if only before it was
            created again, or cut in two after they were gone: whose they were nobody knows.
        linked: When it named them last, on the monotonic clock.
        urls: Links to the files still to fetch, from the last poll.
        spool: Its files on disk.
        bad: Why a file that was taken is no good, until that is mended.
        cancelled: Whether nobody will take it any more.
        attempts: What went wrong so far.
    """

    partition: Partition
    window: Window
    priority: Priority
    stage: Stage = Stage.CREATE
    due: float = 0.0
    id: str | None = None
    created: DateTime | None = None
    requested: float = 0.0
    resumed: bool = False
    named: frozenset[str] = frozenset()
    had_files: bool = False
    linked: float = 0.0
    urls: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    spool: Spool | None = dataclasses.field(default=None, repr=False)
    bad: str | None = None
    cancelled: bool = False
    attempts: Attempts = dataclasses.field(default_factory=Attempts, repr=False)

    def __lt__(self, other: Export) -> bool:
        return self.priority < other.priority

    def __str__(self) -> str:
        start, end = times.to_text(self.window.start), times.to_text(self.window.end)
        return f"{self.partition}, {start} to {end}"

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return Purpose(self.priority[0])

    @property
    def ready(self) -> bool:
        """Whether all its files are here."""
        return self.stage is Stage.READY

    @property
    def emitted(self) -> bool:
        """Whether every file was taken."""
        return self.ready and not (self.spool and self.spool.waits)

    @property
    def emittable(self) -> bool:
        """Whether there is something to emit, if only that it is empty."""
        return self.ready or (self.spool is not None and self.spool.waits)

    @property
    def pending(self) -> PendingExport | None:
        """What a later run needs to resume it, while Clover has it."""
        if self.id is None or self.created is None:
            return None
        return PendingExport(self.id, self.window, self.created)

    def resume(self, pending: PendingExport) -> None:
        """Go on with what a former run requested."""
        self.id, self.created = pending.id, pending.created
        self.stage, self.resumed = Stage.POLL, True

    def link(self, urls: tuple[str, ...], now: float) -> None:
        """Take links in; of files that are here already none is fetched again."""
        names = [file_name(url) for url in urls]
        here = set(self.spool.names) if self.spool else set()
        if len(set(names)) < len(names) or not here <= set(names):
            self.discard()
            here = set()
        self.urls = tuple(url for url, name in zip(urls, names, strict=True) if name not in here)
        self.named, self.linked = frozenset(names), now
        self.had_files |= bool(names)

    def forget(self) -> None:
        """Drop what Clover had of it, so that it is created again."""
        self.discard()
        self.id, self.created, self.stage = None, None, Stage.CREATE
        self.named, self.resumed, self.attempts.without_links = frozenset(), False, 0

    def discard(self) -> None:
        """Give back the disk."""
        self.urls, self.bad = (), None
        if self.spool:
            self.spool.close()
            self.spool = None

    def halves(self, windows: tuple[Window, Window]) -> tuple[Export, Export]:
        """The exports that take its place, in the order of work."""
        return self.in_two(*(windows if self.purpose is Purpose.NEW else reversed(windows)))

    def in_two(self, first: Window, second: Window) -> tuple[Export, Export]:
        """Two exports that take its place, in this order."""
        had_files = self.had_files and self.attempts.gone > 0
        one = Export(self.partition, first, (*self.priority, 0), had_files=had_files)
        two = Export(self.partition, second, (*self.priority, 1), had_files=had_files)
        return one, two
