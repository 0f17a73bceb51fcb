"""What Clover answers about exports, read with care: only what is looked at, within bounds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tap_clover_export import times
from tap_clover_export.errors import TransientError
from tap_clover_export.planning.plan import EXPORT_ID

if TYPE_CHECKING:
    from pendulum import DateTime

LINKS = 10_000
_LONGEST_NUMBER = 40


@dataclasses.dataclass(frozen=True)
class ExportAnswer:
    """What Clover says of an export.

    Attributes:
        id: Its id.
        status: Its status, in capitals.
        created: When it was created, by Clover's clock, if it says so.
        urls: Links to its files; None where the answer has no word of them.
        type: ORDERS or PAYMENTS, if it says so.
        start: The window's start, milliseconds since the epoch, if it says so.
        end: The window's end, likewise.
    """

    id: str
    status: str
    created: DateTime | None = None
    urls: tuple[str, ...] | None = dataclasses.field(default=None, repr=False)
    type: str | None = None
    start: int | None = None
    end: int | None = None


class _Link(msgspec.Struct):
    url: str


class _Links(msgspec.Struct):
    """Until 2016 Clover sent a single object instead of a list."""

    elements: list[_Link] | _Link | None = None


class _Export(msgspec.Struct, rename="camel"):
    """What of an export's description is looked at; nothing else takes memory."""

    id: str
    status: str
    type: msgspec.Raw = msgspec.Raw()
    created_time: msgspec.Raw = msgspec.Raw()
    start_time: msgspec.Raw = msgspec.Raw()
    end_time: msgspec.Raw = msgspec.Raw()
    export_urls: _Links | list[_Link] | None = None


# Made here, in one thread: msgspec crashes where several are the first to use a type.
_exports = msgspec.json.Decoder(_Export)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])

_T = TypeVar("_T")


def _decode(content: bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise TransientError("an answer that is no export") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError("an answer that is not JSON") from error


def check_object(content: bytes) -> None:
    """Raise a TransientError where an answer is no JSON object: a portal's page, for one."""
    _decode(content, _objects)


def read_export(content: bytes) -> ExportAnswer:
    """Read an export; numbers may be text, as the vendor's samples send them."""
    export = _decode(content, _exports)
    if not EXPORT_ID.fullmatch(export.id):
        raise TransientError("an answer that is no export")
    created, kind = _integer(export.created_time), _plain(export.type)
    return ExportAnswer(
        id=export.id,
        status=export.status.strip().upper(),
        created=None if created is None else times.from_ms(created),
        urls=_urls(export.export_urls),
        type=kind if isinstance(kind, str) else None,
        start=_integer(export.start_time),
        end=_integer(export.end_time),
    )


def _plain(raw: msgspec.Raw) -> object:
    """A short value; None where it is anything else."""
    content = bytes(raw)
    return json.loads(content) if 0 < len(content) <= _LONGEST_NUMBER else None


def _integer(raw: msgspec.Raw) -> int | None:
    value = _plain(raw)
    try:
        number = int(value) if isinstance(value, (int, str)) else None
    except ValueError:
        return None
    inside = number is not None and times.YEAR_1 <= number <= times.YEAR_9999
    return number if inside else None


def _urls(links: _Links | list[_Link] | None) -> tuple[str, ...] | None:
    """The links, each once."""
    elements = links.elements if isinstance(links, _Links) else links
    if elements is None:
        return None
    if isinstance(elements, _Link):
        elements = [elements]
    if len(elements) > LINKS:
        raise TransientError(f"an export of more than {LINKS} files")
    return tuple(dict.fromkeys(link.url for link in elements))
