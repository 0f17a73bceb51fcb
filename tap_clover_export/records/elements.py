"""The records of a file as bytes, found without decoding what they hold; pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from tap_clover_export.errors import BadFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises where JSON is not what it should be."""

MANY_VALUES = 1_000_000
"""So many values at most are listed at once: a file of 10,000 large orders has fewer."""

_ENVELOPE_BYTES = 1 << 12

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_NAME = re.compile(rb"\s*+(" + _STRING + rb")", re.DOTALL)
_BLANK = re.compile(rb"\s*+")
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+[\[\]{}]", re.DOTALL)
_BRACKET_OR_COMMA = re.compile(rb'(?:[^",\[\]{}]++|' + _STRING + rb")*+[,\[\]{}]", re.DOTALL)


class _File(msgspec.Struct):
    elements: Raw


_file_decoder = msgspec.json.Decoder(_File)
_list_decoder = msgspec.json.Decoder(list[Raw])


def guess_list(content: bytes) -> memoryview | None:
    """From the first bracket of a file to the last, if what is around them is Clover's.

    Whoever decodes these bytes as one list knows that the file is JSON and has one list only.
    """
    start, end = content.find(b"["), content.rfind(b"]") + 1
    if not 0 < start < end or start + len(content) - end > _ENVELOPE_BYTES:
        return None
    try:
        around = (content[:start] + b"[0]" + content[end:]).decode()
        members = json.loads(around, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    found = [member[1] for member in members if member and member[0] == "elements"]
    return memoryview(content)[start:end] if found == [[0]] else None


def raw_records(content: bytes, guess: memoryview | None) -> Iterator[bytes | Raw]:
    """The records of a file one by one, after a look at the whole file.

    Args:
        content: The file.
        guess: What `guess_list` said of it.

    Raises:
        BadFileError: The file is not Clover's.
    """
    if guess is not None and content.count(b",") <= MANY_VALUES:
        try:
            return iter(_list_decoder.decode(guess))
        except UNREADABLE:
            pass
    try:
        found = bytes(_file_decoder.decode(content).elements)
    except msgspec.ValidationError as error:
        raise BadFileError("a file without a list of elements") from error
    except UNREADABLE as error:
        raise BadFileError("a file that is not JSON") from error
    if not found.startswith(b"["):
        raise BadFileError("a file without a list of elements")
    if _count_lists(content) > 1:
        raise BadFileError("a file with more than one list of elements")
    if found.count(b",") <= MANY_VALUES:
        return iter(_list_decoder.decode(found))
    return (found[start:end] for start, end in split(found))


def split(value: bytes) -> Iterator[tuple[int, int]]:
    """Where each element of a list, or each member of an object, begins and ends.

    Args:
        value: JSON, known to be right.
    """
    depth = at = start = 0
    while found := (_BRACKET if depth > 1 else _BRACKET_OR_COMMA).match(value, at):
        at = found.end()
        token = value[at - 1 : at]
        if token in b"[{":
            depth += 1
            start = start if depth > 1 else at
        elif depth > 1:
            depth -= 1
        else:
            blank = _BLANK.match(value, start, at - 1)
            if not blank or blank.end() < at - 1:
                yield start, at - 1
            start = at


def _count_lists(content: bytes) -> int:
    names = (_NAME.match(content, start) for start, _ in split(content))
    return sum(name is not None and json.loads(name[1]) == "elements" for name in names)
