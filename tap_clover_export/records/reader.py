"""The bytes of a Clover file become Singer records: root fields typed, nested JSON as bytes."""

from __future__ import annotations

import dataclasses
import decimal
import json
import logging
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_clover_export import times
from tap_clover_export.errors import BadFileError, RecordError
from tap_clover_export.records.sanitize import clean, without_controls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

logger = logging.getLogger("tap-clover-export.records")

MOST_LEARNED = 50
"""So many unknown root fields are decoded as quickly as known ones."""
MOST_SAID = 200

MOST_OBSERVED = 10_000
"""So many records are looked at for the time that windows filter on."""

LINES = 100
"""So many records are written at once."""

_MERCHANT, _ADDITIONAL = "merchant_id", "additional_fields"

_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Time = Annotated[int, msgspec.Meta(ge=times.YEAR_1, le=times.YEAR_9999)]

_encoder = msgspec.json.Encoder()


Record: TypeAlias = Any
"""An instance of a reader's record class, ready to be written."""


class _Raws(msgspec.Struct):
    elements: list[Raw]


class _Line(msgspec.Struct):
    type: str
    stream: str
    record: Record
    time_extracted: str


_raws_decoder = msgspec.json.Decoder(_Raws)
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])


@dataclasses.dataclass
class Observed:
    """What the records tell about the time that Clover's windows filter on.

    Attributes:
        records: How many were looked at.
        created: How many of them have a `createdTime` outside their window.
        modified: How many of them have a `modifiedTime` outside their window.
    """

    records: int = 0
    created: int = 0
    modified: int = 0

    def add(self, records: list[Record], start: int, end: int) -> None:
        """Look at records whose times are still in milliseconds."""
        for record in records:
            created, modified = record.createdTime, record.modifiedTime
            if isinstance(created, int) and isinstance(modified, int):
                self.records += 1
                self.created += not start <= created <= end
                self.modified += not start <= modified <= end

    @property
    def field(self) -> str | None:
        """The time that the windows hold, where the records tell."""
        if bool(self.created) == bool(self.modified):
            return None
        return "modifiedTime" if self.created else "createdTime"


class Reader:
    """Reads the files of one stream; remembers what it saw of fields it does not know."""

    def __init__(
        self, stream: str, schema: dict[str, Any], deselected: Collection[str] = ()
    ) -> None:
        """Make a reader.

        Args:
            stream: The stream's name.
            schema: Its JSON schema; says which root fields there are and of what type.
            deselected: Root fields that are left out.
        """
        self._stream = stream
        properties = schema["properties"]
        self._types = {
            name: _type_of(name, field)
            for name, field in properties.items()
            if name not in (_MERCHANT, _ADDITIONAL)
        }
        self._decoders = {name: msgspec.json.Decoder(kind) for name, kind in self._types.items()}
        self._times = [
            name for name, field in properties.items() if field.get("format") == "date-time"
        ]
        self._deselected = [name for name in deselected if name in properties]
        self._learned: dict[str, str] = {}
        self._said: set[str] = set()
        self.observed = Observed()
        self.replaced = 0
        """How many characters were replaced."""
        self._build()

    def _build(self) -> None:
        """Make the decoders, for the schema's fields and the learned ones."""
        fields: list[Any] = [("id", str)]
        fields += [(name, kind, UNSET) for name, kind in self._types.items() if name != "id"]
        fields += [(name, Raw | UnsetType, UNSET) for name in self._learned.values()]
        fields += [(name, Any, UNSET) for name in (_MERCHANT, _ADDITIONAL)]
        rename = {attribute: name for name, attribute in self._learned.items()}
        self._class = msgspec.defstruct(
            "Record", fields, forbid_unknown_fields=True, gc=False, rename=rename
        )
        file = msgspec.defstruct("File", [("elements", list[self._class])])  # type: ignore[name-defined]
        self._file_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(file)
        self._record_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._class)

    def read(
        self, content: bytes, merchant_id: str, window: tuple[int, int] | None = None
    ) -> list[Record]:
        """The records of a file, as they are to be emitted.

        Args:
            content: The file as Clover sent it, `{"elements": [...]}`.
            merchant_id: The merchant it belongs to.
            window: The window that was asked for, in milliseconds since the epoch.

        Raises:
            BadFileError: The file is not Clover's.
            RecordError: A record has no id.
        """
        learned = [(attribute, name) for name, attribute in self._learned.items()]
        records = self._cleaned(content)
        if window and self.observed.records < MOST_OBSERVED:
            self.observed.add(records, *window)
        names, to_text = self._times, times.ms_to_text
        for record in records:
            record.merchant_id = merchant_id
            for name in names:
                value = getattr(record, name)
                if value.__class__ is int:
                    setattr(record, name, to_text(value))
            for attribute, name in learned:
                if (value := getattr(record, attribute)) is not UNSET:
                    setattr(record, attribute, UNSET)
                    if record.additional_fields is UNSET:
                        record.additional_fields = {}
                    record.additional_fields[name] = value
            for name in self._deselected:
                setattr(record, name, UNSET)
        return records

    def lines(self, records: list[Record], extracted: str) -> Iterator[tuple[int, bytes]]:
        """The records as whole RECORD lines, some at a time: how many, and their bytes.

        Args:
            records: What `read` gave.
            extracted: When they were extracted, RFC 3339.
        """
        for first in range(0, len(records), LINES):
            lines = [
                _Line("RECORD", self._stream, record, extracted)
                for record in records[first : first + LINES]
            ]
            yield len(lines), _encoder.encode_lines(lines)

    def plain(self, record: Record) -> dict[str, Any]:
        """A record as plain Python objects; floats are Decimals, so that no digit is lost."""
        return {
            name: _plain(value)
            for name in record.__struct_fields__
            if (value := getattr(record, name)) is not UNSET
        }

    def _cleaned(self, content: bytes) -> list[Record]:
        """The records of a file; control characters are looked for only where it can't be read."""
        controls = 0
        try:
            fit, replaced = clean(content)
            records = self._decode(fit)
        except BadFileError:
            content, controls = without_controls(content)
            if not controls:
                raise
            fit, replaced = clean(content)
            records = self._decode(fit)
        self.replaced += replaced + controls
        return records

    def _decode(self, content: bytes) -> list[Record]:
        records: list[Record]
        try:
            records = self._file_decoder.decode(content).elements
            if not any(map(_has_ours, records)):
                return records
        except (msgspec.DecodeError, RecursionError):
            pass
        known = len(self._learned)
        records = [self._decode_one(raw) for raw in _raws(content)]
        if len(self._learned) > known:
            self._build()
        return records

    def _decode_one(self, raw: Raw) -> Record:
        """A record as the schema has it, or with what is odd of it set apart."""
        record: Record
        try:
            record = self._record_decoder.decode(raw)
            if not _has_ours(record):
                return record
        except msgspec.ValidationError:
            pass
        try:
            fields = _fields_decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RecordError(
                f"a file of {self._stream} holds something else than records; "
                "run again later or ask Clover's support"
            ) from error
        kept: dict[str, Any] = {}
        additional: dict[str, Raw] = {}
        for name, value in fields.items():
            if name in self._deselected:
                continue
            decoder = self._decoders.get(name)
            if decoder is None:
                additional[name] = value
                self._learn(name)
                continue
            try:
                kept[name] = decoder.decode(value)
            except msgspec.ValidationError:
                kept[name], additional[name] = None, value
                self._say(name, "is not always of its declared type or range")
        kept["id"] = self._id(kept, additional)
        record = self._class(**kept)
        if additional:
            record.additional_fields = additional
        return record

    def _id(self, kept: dict[str, Any], additional: dict[str, Raw]) -> str:
        """The key; a number is taken for its digits."""
        if kept.get("id") is not None:
            return str(kept["id"])
        digits = bytes(additional.pop("id", b"")).decode()
        if not digits.isdigit():
            raise RecordError(
                f"a record of {self._stream} has no id, without which it can't be loaded; "
                "ask Clover's support"
            )
        return digits

    def _learn(self, name: str) -> None:
        """Decode an unknown field as quickly as known ones from the next file on."""
        self._say(name, "is not in the schema")
        plain = not set(name) & {"\\", '"'} and name.isprintable()
        if plain and len(self._learned) < MOST_LEARNED and name not in (_MERCHANT, _ADDITIONAL):
            self._learned.setdefault(name, f"unknown_{len(self._learned)}")

    def _say(self, name: str, what: str) -> None:
        if name not in self._said and len(self._said) < MOST_SAID:
            self._said.add(name)
            shown = "".join(letter for letter in name[:60] if letter.isprintable())
            logger.warning(
                "Field %s of %s %s; it is kept under additional_fields.", shown, self._stream, what
            )


def _raws(content: bytes) -> list[Raw]:
    try:
        return _raws_decoder.decode(content).elements
    except msgspec.ValidationError as error:
        raise BadFileError("a file without a list of elements") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFileError("a file that is not JSON") from error


def _has_ours(record: Record) -> bool:
    """Whether Clover sent a field by the name of one that the tap adds."""
    return record.merchant_id is not UNSET or record.additional_fields is not UNSET


def _type_of(name: str, field: dict[str, Any]) -> Any:  # noqa: ANN401
    if name == "id":
        return str
    if "object" in field["type"]:
        return dict[str, Raw] | None | UnsetType
    if field.get("format") == "date-time":
        return _Time | None | UnsetType
    kind: Any = str
    if "integer" in field["type"]:
        kind = _Integer
    elif "boolean" in field["type"]:
        kind = bool
    return kind | None | UnsetType


def _plain(value: object) -> object:
    if isinstance(value, Raw):
        return json.loads(bytes(value), parse_float=decimal.Decimal)
    if isinstance(value, dict):
        return {name: _plain(nested) for name, nested in value.items()}
    return value
