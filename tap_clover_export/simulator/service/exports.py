"""Exports, and the files they come in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from tap_clover_export.simulator.records.store import Entry, Store

HEAD, TAIL = b'{"elements":[', b"]}"
PENDING_PERCENT = 10


@dataclass(frozen=True)
class File:
    """A file's records, as pieces of the blob file."""

    pieces: list[tuple[int, int]]

    def render(self, store: Store) -> bytes:
        """Write the file."""
        return HEAD + b",".join(store.read(*piece) for piece in self.pieces) + TAIL


@dataclass(eq=False)
class Export:
    """An export that was asked for; times are Clover's, in ms.

    Attributes:
        done: When it is finished.
        until: When its files are deleted.
        files: The files, once they are gathered.
        downloads: How often each file was given.
        polls: How often its state was told.
        unnamed: How often it was told to be done without its links.
        visible: From when on it is found.
        fate: What a fault made of it: pending, vanished or a status.
        loses_links: How it is told once its links were: no-links or empty-list.
        links_lost: The same, once they were.
    """

    id: str
    merchant: str
    type: str
    start: int
    end: int
    created: int
    done: int
    until: int
    visible: int
    files: Future[list[File]]
    downloads: Counter[int] = field(default_factory=Counter)
    polls: int = 0
    unnamed: int = 0
    fate: str | None = None
    loses_links: str | None = None
    links_lost: str | None = None

    def runs(self, now: int) -> bool:
        """Tell whether it takes one of the places."""
        return self.fate == "pending" or (self.fate is None and now < self.done)

    def status(self, now: int) -> tuple[str, int]:
        """Tell the status and how many percent are done."""
        if self.fate == "pending" or (self.fate is None and not self.polls):
            return "PENDING", 0
        if self.fate is not None:
            return self.fate, 100
        if now >= self.done:
            return ("DONE", 100) if self.files.done() else ("IN_PROGRESS", 99)
        percent = 100 * (now - self.created) // (self.done - self.created)
        return ("IN_PROGRESS", percent) if percent >= PENDING_PERCENT else ("PENDING", 0)


def divide(entries: Iterable[Entry], size: int | None) -> list[File]:
    """Divide records over files of a size, or put all into one."""
    rest = iter(entries)
    return list(iter(lambda: bind(islice(rest, size)), File([])))


def bind(entries: Iterator[Entry]) -> File:
    """Make a file; neighbours in the blob file become one piece, comma included."""
    pieces: list[tuple[int, int]] = []
    for entry in entries:
        if pieces and sum(pieces[-1]) + 1 == entry.offset:
            offset, size = pieces[-1]
            pieces[-1] = offset, size + 1 + entry.size
        else:
            pieces.append((entry.offset, entry.size))
    return File(pieces)
