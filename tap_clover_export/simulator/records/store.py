"""All that Clover holds: generated days, and records put in by hand."""

from __future__ import annotations

import threading
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tap_clover_export.simulator.records.blob_file import BlobFile
from tap_clover_export.simulator.records.documents import DocumentWriter
from tap_clover_export.simulator.shops.sales import DAY, LAST_PAID, LATEST
from tap_clover_export.simulator.shops.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator.options import Options
    from tap_clover_export.simulator.records.documents import Document

TYPES = ("ORDERS", "PAYMENTS")


class Entry(NamedTuple):
    """A record in one version: its times and its place in the blob file."""

    id: str
    created: int
    modified: int
    offset: int
    size: int


class ManualRecord(NamedTuple):
    """A record put in by hand, as it is to stand in a file."""

    id: str
    created: int
    modified: int
    raw: bytes


class Span(NamedTuple):
    """A span of time on one of a record's fields."""

    start: int
    end: int
    field: str = "modifiedTime"
    bounds: str = "half-open"

    def holds(self, entry: Entry) -> bool:
        """Tell whether a record is inside."""
        time = entry.created if self.field == "createdTime" else entry.modified
        if time == self.start:
            return self.bounds != "open-closed"
        if time == self.end:
            return self.bounds != "half-open"
        return self.start < time < self.end


@dataclass(frozen=True)
class Page:
    """A day's records of one type, with the versions of each in a row."""

    ids: list[str]
    created: array[int]
    first: array[int]
    modified: array[int]
    offset: array[int]
    size: array[int]

    def entries(self, as_of: int) -> Iterator[Entry]:
        """Tell each record's version at a time."""
        for number, record_id in enumerate(self.ids):
            for version in range(self.first[number + 1] - 1, self.first[number] - 1, -1):
                if self.modified[version] <= as_of:
                    yield Entry(
                        record_id,
                        self.created[number],
                        self.modified[version],
                        self.offset[version],
                        self.size[version],
                    )
                    break


class Store:
    """Records of all merchants.

    Args:
        options: The simulator's options.
        start: Clover's time at the start, in ms.
    """

    def __init__(self, options: Options, start: int) -> None:
        self._options = options
        self._start = start
        self._origin = start - int(options.days * DAY)
        self._blobs = BlobFile()
        self._writers: dict[str, DocumentWriter] = {}
        self._pages: dict[tuple[str, int], tuple[Page, ...]] = {}
        self._by_hand: dict[tuple[str, str], dict[str, Entry]] = {}
        self._lock = threading.RLock()

    def put(self, merchant: str, kind: str, record: ManualRecord) -> None:
        """Add a record, or replace the one of that id."""
        offset = self._blobs.put(record.raw + b",")
        entry = Entry(record.id, record.created, record.modified, offset, len(record.raw))
        with self._lock:
            self._by_hand.setdefault((merchant, kind), {})[record.id] = entry

    def by_hand(self, merchant: str, kind: str) -> Mapping[str, Entry]:
        """Copy what was put in by hand so far."""
        with self._lock:
            return dict(self._by_hand.get((merchant, kind), {}))

    def select(
        self,
        merchant: str,
        kind: str,
        as_of: int,
        span: Span | None = None,
        by_hand: Mapping[str, Entry] | None = None,
    ) -> Iterator[Entry]:
        """Tell the records that there were at a time, by day of the order."""
        first, last = self._origin // DAY, as_of // DAY + 1
        if span and span.field == "createdTime":
            first = max(first, (span.start - LAST_PAID) // DAY)
        elif span:
            first = max(first, (span.start - LATEST) // DAY)
        if span:
            last = min(last, span.end // DAY + 1)
        replaced = self.by_hand(merchant, kind) if by_hand is None else by_hand
        number = TYPES.index(kind)
        for day in range(first, last + 1):
            for entry in self._open(merchant, day)[number].entries(as_of):
                if (span is None or span.holds(entry)) and entry.id not in replaced:
                    yield entry
        for entry in replaced.values():
            if span is None or span.holds(entry):
                yield entry

    @property
    def origin(self) -> int:
        """When the data begin, in ms."""
        return self._origin

    def shop(self, merchant: str) -> Shop:
        """Find a merchant's shop."""
        with self._lock:
            return self._writer(merchant).shop

    def read(self, offset: int, size: int) -> bytes:
        """Read rendered records."""
        return self._blobs.get(offset, size)

    def _open(self, merchant: str, day: int) -> tuple[Page, ...]:
        with self._lock:
            key = merchant, day
            if key not in self._pages:
                written = self._writer(merchant).write(day)
                pages = [self._page(documents) for documents in written]
                self._pages[key] = tuple(pages)
            return self._pages[key]

    def _writer(self, merchant: str) -> DocumentWriter:
        if merchant not in self._writers:
            shop = Shop(
                merchant,
                self._options.seed,
                self._options.orders_per_day,
                unknown_fields=self._options.unknown_fields,
                kind=self._options.shops.get(merchant, "cafe"),
            )
            self._writers[merchant] = DocumentWriter(shop, self._start, self._origin)
        return self._writers[merchant]

    def _page(self, documents: list[Document]) -> Page:
        """Write a day's records into the blob file, the last versions side by side."""
        first, modified, sizes = array("q", [0]), array("q"), array("q")
        bodies: list[bytes] = []
        for document in documents:
            for version in document.versions:
                modified.append(version.modified)
                bodies.append(version.text.encode())
            first.append(len(bodies))
        last = {number - 1 for number in first[1:]}
        order = sorted(range(len(bodies)), key=lambda number: (number not in last, number))
        offset = self._blobs.put(b",".join([*(bodies[n] for n in order), b""]))
        offsets = array("q", bytes(8 * len(bodies)))
        for number in order:
            offsets[number] = offset
            offset += len(bodies[number]) + 1
        sizes.extend(len(body) for body in bodies)
        return Page(
            [document.id for document in documents],
            array("q", [document.created for document in documents]),
            first,
            modified,
            offsets,
            sizes,
        )
