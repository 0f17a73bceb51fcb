"""The bytes of a Clover file become Singer records: root fields typed, nested JSON as bytes."""

from __future__ import annotations

import decimal
import json
import operator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw

from tap_clover_export import times
from tap_clover_export.errors import BadFileError
from tap_clover_export.records.decoder import Decoder, Record
from tap_clover_export.records.sanitize import mend_controls, sanitize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_clover_export.records.window_field import Observed

LINES_PER_BLOCK = 100
"""How many records are written at once."""

_encoder = msgspec.json.Encoder()


class _Line(msgspec.Struct, gc=False):
    type: str
    stream: str
    record: Record
    time_extracted: str


class Reader:
    """Reads the files of one stream, one reader for a whole run.

    Attributes:
        replaced: How many characters were replaced.
    """

    def __init__(
        self, stream: str, schema: dict[str, Any], deselected: Collection[str] = ()
    ) -> None:
        """Make a reader.

        Args:
            stream: The stream's name.
            schema: Its JSON schema; says which root fields there are and of what type.
            deselected: Root fields that are left out.
        """
        properties = schema["properties"]
        self._stream = stream
        self._deselected = [name for name in deselected if name in properties]
        self._decoder = Decoder(stream, schema, self._deselected)
        self._times = [
            name for name, field in properties.items() if field.get("format") == "date-time"
        ]
        self.replaced = 0

    def read(
        self,
        content: bytes,
        merchant_id: str,
        window: tuple[int, int] = (0, 0),
        observed: Observed | None = None,
    ) -> Iterator[list[Record]]:
        """The records of a file, as they are to be emitted; all at once unless they are too many.

        The whole file is looked at before the first of them.

        Args:
            content: The file as Clover sent it, `{"elements": [...]}`.
            merchant_id: The merchant it belongs to.
            window: The window that was asked for, in milliseconds since the epoch.
            observed: Takes in what the records tell of the time that the window goes by.

        Raises:
            BadFileError: The file is not Clover's.
            RecordError: A record has no id.
        """
        batches = self._decode(content)
        return (self._finish(records, merchant_id, window, observed) for records in batches)

    def _finish(
        self,
        records: list[Record],
        merchant_id: str,
        window: tuple[int, int],
        observed: Observed | None,
    ) -> list[Record]:
        """Add what Clover's file does not say, and give times their form."""
        if observed:
            observed.add(records, *window)
        for name in self._times:
            texts = times.all_to_text(map(operator.attrgetter(name), records))
            for record, text in zip(records, texts, strict=True):
                setattr(record, name, text)
        for record in records:
            record.merchant_id = merchant_id
            for name in self._deselected:
                setattr(record, name, UNSET)
        return records

    @property
    def nulls(self) -> int:
        """How many elements of files were `null`, which is no record."""
        return self._decoder.nulls

    def lines(self, records: list[Record], extracted: str) -> Iterator[tuple[int, bytes]]:
        """The records as whole RECORD lines, some at a time: how many, and their bytes.

        Args:
            records: A batch that `read` gave.
            extracted: When they were extracted, RFC 3339.
        """
        for first in range(0, len(records), LINES_PER_BLOCK):
            lines = [
                _Line("RECORD", self._stream, record, extracted)
                for record in records[first : first + LINES_PER_BLOCK]
            ]
            yield len(lines), _encoder.encode_lines(lines)

    def plain(self, record: Record) -> dict[str, Any]:
        """A record as plain Python objects; floats are Decimals, so that no digit is lost."""
        return {
            name: _plain(value)
            for name in record.__struct_fields__
            if (value := getattr(record, name)) is not UNSET
        }

    def _decode(self, content: bytes) -> Iterator[list[Record]]:
        """The records of a file; control characters are looked for only where it can't be read."""
        controls = 0
        try:
            clean, replaced = sanitize(content)
            batches = self._decoder.decode(clean)
        except BadFileError:
            mended, controls = mend_controls(content)
            if mended is content:
                raise
            clean, replaced = sanitize(mended)
            batches = self._decoder.decode(clean)
        self.replaced += replaced + controls
        return batches


def _plain(value: object) -> object:
    if isinstance(value, Raw):
        return json.loads(bytes(value), parse_float=decimal.Decimal)
    if isinstance(value, dict):
        return {name: _plain(nested) for name, nested in value.items()}
    return value
