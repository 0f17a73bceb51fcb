"""What one attempt at an export came to, as a value; the scheduler acts on it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pendulum import DateTime

    from tap_clover_export.exports.export import Stage
    from tap_clover_export.planning.hours import Hours
    from tap_clover_export.planning.windows import Window


@dataclasses.dataclass(frozen=True)
class Accepted:
    """Clover accepted the request.

    Attributes:
        id: The export's id.
        created: When it was created, by Clover's clock.
        pause: When to poll it first, in seconds.
    """

    id: str
    created: DateTime
    pause: float = 0.0


@dataclasses.dataclass(frozen=True)
class Working:
    """Nothing to do before a pause, in seconds.

    Attributes:
        finished: Clover is done with it, so it takes no place there; its links are awaited.
    """

    pause: float
    finished: bool = False


@dataclasses.dataclass(frozen=True)
class Finished:
    """Done, with links to its files."""

    urls: tuple[str, ...] = dataclasses.field(repr=False)
    created: DateTime


@dataclasses.dataclass(frozen=True)
class Empty:
    """Done, and nothing lies in its window."""

    created: DateTime


@dataclasses.dataclass(frozen=True)
class Moved:
    """On to a stage, or to the same one again after a fault that passes.

    Attributes:
        stage: What comes next; `CREATE` where Clover's export is of no more use.
        pause: When, in seconds.
        reason: What went wrong, if anything did.
        unanswered: The API gave no answer that counts.
    """

    stage: Stage
    pause: float = 0.0
    reason: str = ""
    unanswered: bool = False


@dataclasses.dataclass(frozen=True)
class NoSpace:
    """The temporary directory takes no more just now; again after a pause, in seconds."""

    pause: float
    reason: str


@dataclasses.dataclass(frozen=True)
class Refused:
    """503 of the API.

    Attributes:
        closed: Closed by the hours; otherwise busy.
        pause: When to ask again, in seconds; None leaves it to a growing pause.
        hours: The opening hours it goes by, if any are known.
    """

    closed: bool
    pause: float | None = None
    hours: Hours | None = None


@dataclasses.dataclass(frozen=True)
class RateLimited:
    """429: whose limit it is, and how many seconds it asks to wait, if it says so."""

    scope: Literal["token", "app"]
    pause: float | None = None


@dataclasses.dataclass(frozen=True)
class Split:
    """The halves of its window, in the order of work, take the export's place."""

    halves: tuple[Window, Window]
    reason: str


@dataclasses.dataclass(frozen=True)
class Failed:
    """It can't be had; says why and what to do.

    Attributes:
        keep: Whether Clover's export may still be of use to the next run.
    """

    reason: str
    keep: bool = False


Outcome: TypeAlias = (
    Accepted | Working | Finished | Empty | Moved | NoSpace | Refused | RateLimited | Split | Failed
)
