"""The bytes of a clean file become typed records; what does not fit the schema is set apart."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_clover_export import times
from tap_clover_export.errors import RecordError
from tap_clover_export.records.elements import UNREADABLE, guess_list, raw_records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

logger = logging.getLogger("tap-clover-export.records")

MAX_RECORDS = 5000
"""How many records are decoded at once; a file of Clover's has 1,000.

Memory is bounded by a file's bytes and by its number of records.
"""

BATCH_RECORDS = 1000
"""How many of a file that can't be decoded at once."""

MAX_LEARNED_FIELDS = 50
"""How many unknown root fields are decoded as quickly as known ones."""

MAX_WARNINGS = 200

ADDED_FIELDS = ("merchant_id", "additional_fields")
"""Root fields that are the tap's own."""

Record: TypeAlias = Any
"""An instance of a decoder's record class: times in milliseconds, nested JSON as bytes."""

# Rule 12: integers keep all their digits, up to what a warehouse's column takes.
_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Time = Annotated[int, msgspec.Meta(ge=times.YEAR_1, le=times.YEAR_9999)]


_fields_decoder = msgspec.json.Decoder(dict[str, Raw] | None)


class Decoder:
    """Decodes the files of one stream; learns the fields that it does not know.

    Attributes:
        nulls: How many elements were `null`, which is no record.
    """

    def __init__(
        self, stream: str, schema: dict[str, Any], deselected: Collection[str] = ()
    ) -> None:
        """Make a decoder.

        Args:
            stream: The stream's name.
            schema: Its JSON schema; says which root fields there are and of what type.
            deselected: Root fields of the schema that are not set apart where they do not fit.
        """
        self._stream = stream
        self._deselected = deselected
        self._types = {
            name: _type_of(name, field)
            for name, field in schema["properties"].items()
            if name not in ADDED_FIELDS
        }
        self._value_decoders = {
            name: msgspec.json.Decoder(kind) for name, kind in self._types.items()
        }
        self._learned: dict[str, str] = {}
        self._warned: set[str] = set()
        self._room = 0
        self.nulls = 0
        self._build()

    def _build(self) -> None:
        """Make the record class, of the schema's fields and the learned ones."""
        fields: list[Any] = [("id", str)]
        fields += [(name, kind, UNSET) for name, kind in self._types.items() if name != "id"]
        fields += [(name, Raw | UnsetType, UNSET) for name in self._learned.values()]
        fields += [(name, Any, UNSET) for name in ADDED_FIELDS]
        self._apart = tuple(self._learned.items())
        rename = {attribute: name for name, attribute in self._learned.items()}
        self._class = msgspec.defstruct(
            "Record",
            fields,
            forbid_unknown_fields=True,
            gc=False,
            rename=rename,
            namespace={"__post_init__": self._admit},
        )
        self._list_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[self._class])  # type: ignore[name-defined]
        self._record_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._class)

    def _admit(self, record: Record) -> None:
        """Look at each record as it is made, so that there are never too many of them.

        Raises:
            ValueError: It is one too many, or Clover sent a field by the name of one of ours.
        """
        self._room -= 1
        if (
            self._room < 0
            or record.merchant_id is not UNSET
            or record.additional_fields is not UNSET
        ):
            raise ValueError

    def decode(self, content: bytes) -> Iterator[list[Record]]:
        """The records of a file; what does not fit the schema is under `additional_fields`.

        The whole file is looked at before the first of them. They come all at once where they fit
        and are not too many, else some at a time.

        Args:
            content: The file as Clover sent it, `{"elements": [...]}`, with nothing in it that
                `sanitize` replaces.

        Raises:
            BadFileError: The file is not Clover's.
            RecordError: A record has no id.
        """
        guess = guess_list(content)
        if guess is not None:
            self._room = MAX_RECORDS
            try:
                return iter([self._set_learned_apart(self._list_decoder.decode(guess))])
            except UNREADABLE:
                pass
        return self._decode_batches(raw_records(content, guess))

    def _decode_batches(self, raws: Iterator[bytes | Raw]) -> Iterator[list[Record]]:
        """The records some at a time, each decoded by itself."""
        while batch := list(itertools.islice(raws, BATCH_RECORDS)):
            known = len(self._learned)
            records = [record for raw in batch if (record := self._decode_record(raw)) is not None]
            self._set_learned_apart(records)
            if len(self._learned) > known:
                self._build()
            yield records

    def _set_learned_apart(self, records: list[Record]) -> list[Record]:
        for record in records if self._apart else ():
            for name, attribute in self._apart:
                if (value := getattr(record, attribute)) is not UNSET:
                    setattr(record, attribute, UNSET)
                    if record.additional_fields is UNSET:
                        record.additional_fields = {}
                    record.additional_fields[name] = value
        return records

    def _decode_record(self, raw: bytes | Raw) -> Record | None:
        """A record as the schema has it, or with what is odd of it set apart; None for `null`."""
        record: Record
        self._room = MAX_RECORDS
        try:
            record = self._record_decoder.decode(raw)
        except msgspec.ValidationError:
            pass
        else:
            return record
        try:
            fields = _fields_decoder.decode(raw)
            if fields is None:
                self.nulls += 1
                return None
        except (msgspec.DecodeError, RecursionError) as error:
            raise RecordError(
                f"a file of {self._stream} holds something else than records; "
                "run again later or ask Clover's support"
            ) from error
        fitting: dict[str, Any] = {}
        additional: dict[str, Raw] = {}
        for name, value in fields.items():
            if name in self._deselected:
                continue
            decoder = self._value_decoders.get(name)
            if decoder is None:
                additional[name] = value
                self._learn(name)
                continue
            try:
                fitting[name] = decoder.decode(value)
            except msgspec.ValidationError:
                fitting[name], additional[name] = None, value
                self._warn_once(name, "is not always of its declared type or range")
        fitting["id"] = self._id(fitting, additional)
        record = self._class(**fitting)
        if additional:
            record.additional_fields = additional
        return record

    def _id(self, fitting: dict[str, Any], additional: dict[str, Raw]) -> str:
        """The key; a number is taken for its digits."""
        if fitting.get("id") is not None:
            return str(fitting["id"])
        digits = bytes(additional.pop("id", b"")).decode()
        if not digits.isdigit():
            raise RecordError(
                f"a record of {self._stream} has no id, without which it can't be loaded; "
                "ask Clover's support"
            )
        return digits

    def _learn(self, name: str) -> None:
        """Decode an unknown field as quickly as known ones from the next batch on."""
        self._warn_once(name, "is not in the schema")
        plain = not set(name) & {"\\", '"'} and name.isprintable()
        if plain and len(self._learned) < MAX_LEARNED_FIELDS and name not in ADDED_FIELDS:
            self._learned.setdefault(name, f"unknown_{len(self._learned)}")

    def _warn_once(self, name: str, what: str) -> None:
        if name not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(name)
            shown = "".join(letter for letter in name[:60] if letter.isprintable())
            logger.warning(
                "Field %s of %s %s; it is kept under additional_fields.", shown, self._stream, what
            )


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
