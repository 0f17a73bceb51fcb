"""One export on its way, and the partition that it is of."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from typing import TYPE_CHECKING, TypeAlias

from tap_clover_export import times
from tap_clover_export.exports.retry import LONGEST_BUSY, Pauses

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.clover.client import ExportType
    from tap_clover_export.exports.spool import Spool
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant

KEPT = dt.timedelta(hours=24)
"""How long Clover keeps an export and its files."""

OUTAGE_SECONDS = 20 * 60
"""How long an unbroken row of passing faults may last."""

LONGEST_PAUSE = 60.0

Place: TypeAlias = tuple[int, ...]
"""Where a piece of work stands in the order of work."""


@dataclasses.dataclass(frozen=True)
class Partition:
    """One merchant's stream."""

    merchant: Merchant
    stream: str

    @property
    def type(self) -> ExportType:
        """The stream by Clover's name."""
        return "ORDERS" if self.stream == "orders" else "PAYMENTS"

    def __str__(self) -> str:
        return f"{self.stream} of merchant {self.merchant.id}"


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
        place: Where it stands in the order of work.
        stage: What comes next.
        due: When, in seconds since the epoch.
        id: Clover's id, while Clover has it.
        created: When Clover created it, by Clover's clock.
        asked: When we asked for it, or took it up, by ours.
        done: Whether Clover has finished it.
        urls: Links to the files still to fetch, fresh from the last poll.
        files: How many files it has.
        spool: Its files on disk.
        ready: Whether all its files are here, as the emitter may know.
        bad: Why a file that was taken is no good, until that is mended.
        taken_up: Whether a former run asked for it.
        dropped: Whether nobody will take it any more.
        refusals: How often Clover was closed or busy when it was asked for.
    """

    partition: Partition
    window: Window
    place: Place
    stage: Stage = Stage.CREATE
    due: float = 0.0
    id: str | None = None
    created: DateTime | None = None
    asked: float = 0.0
    done: bool = False
    urls: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    files: int = 0
    spool: Spool | None = dataclasses.field(default=None, repr=False)
    ready: bool = False
    bad: str | None = None
    taken_up: bool = False
    dropped: bool = False
    refusals: int = 0
    trouble: _Trouble = dataclasses.field(default_factory=lambda: _Trouble(), repr=False)  # noqa: PLW0108

    def __lt__(self, other: Export) -> bool:
        return (self.place, self.window) < (other.place, other.window)

    def __str__(self) -> str:
        start, end = times.to_text(self.window.start), times.to_text(self.window.end)
        return f"{self.partition}, {start} to {end}"

    @property
    def ask_place(self) -> Place:
        """Where it stands among those to be asked for: in its turn, who was refused comes last."""
        return (self.place[0], self.refusals, *self.place[1:])

    @property
    def in_progress(self) -> bool:
        """Whether it takes a place at Clover, as far as we know."""
        return self.id is not None and not self.done

    def forget(self) -> None:
        """Drop what Clover had of it, so that it is asked for anew."""
        self.discard()
        self.id, self.created, self.stage = None, None, Stage.CREATE
        self.done = self.taken_up = False

    @property
    def emitted(self) -> bool:
        """Whether every file was taken."""
        return self.ready and not (self.spool and self.spool.waits)

    def discard(self) -> None:
        """Give back the disk."""
        self.urls, self.bad = (), None
        if self.spool:
            self.spool.close()
            self.spool = None


@dataclasses.dataclass
class _Trouble:
    """What went wrong with an export so far."""

    since: float | None = None
    attempts: int = 0
    words: str = ""
    pauses: Pauses = dataclasses.field(default_factory=lambda: Pauses(LONGEST_PAUSE))
    busy_pauses: Pauses = dataclasses.field(default_factory=lambda: Pauses(LONGEST_BUSY))
    unknown_status: int = 0
    gone: int = 0
    gone_files: int = 0
    bad_files: int = 0
    taken: int = 0
    without_urls: int = 0
    refused: float | None = None

    def over(self) -> None:
        """An attempt came through."""
        self.since, self.attempts, self.refused = None, 0, None
        self.pauses.reset()
        self.busy_pauses.reset()


def unreachable(words: str) -> str:
    """What to say of an outage, by the words of its last fault."""
    return (
        f"Clover could not be reached for {OUTAGE_SECONDS // 60} minutes ({words}); "
        "look at the network and at Clover's status page, then run again"
    )


def spoolless(words: str) -> str:
    """What to say where the temporary directory stays full."""
    return (
        f"the temporary directory took no file for {OUTAGE_SECONDS // 60} minutes ({words}); "
        "make room there, or set TMPDIR to a larger one, then run again"
    )


def refusal(merchant: Merchant, error: Exception) -> str:
    """What to say of a token that Clover refused."""
    return (
        f"Clover refused the token of merchant {merchant.id} in region {merchant.region} "
        f"({error}); check that the region is right, that the token is this merchant's and still "
        "good, and that the app has the Export API permission, which Clover grants on request"
    )
