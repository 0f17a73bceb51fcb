"""A downloaded file made fit for warehouses: UTF-8, on one line, without what none takes; pure."""

from __future__ import annotations

import codecs
import re

import msgspec

from tap_clover_export.errors import BadFileError

_PIECE_BYTES = 1 << 14

# Finds no escape that is good, but for those after a backslash that is itself escaped: telling
# these apart takes reading every escape in order, as the next one does.
_SUSPECT = re.compile(
    rb"\\u(?:0000|[dD](?:"
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F]"
    rb"|(?<=\\\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F]"
    rb"|(?<=\\\\u[dD])))"
)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<bad>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_REPLACEMENT = rb"\ufffd"
_WHITE_SPACE = {ord("\t"): rb"\t", ord("\n"): rb"\n", ord("\r"): rb"\r"}
_CONTROLS = dict.fromkeys(range(0x20), _REPLACEMENT) | _WHITE_SPACE

# A text that holds control characters, none of them after a backslash, and all before it that
# holds none.
_MENDABLE = re.compile(
    rb'(?:[^"]++|"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+")*+("(?:[^"\\]++|\\[^\x00-\x1f])*+")'
)


def sanitize(content: bytes) -> tuple[bytes, int]:
    """Replace NUL and lone surrogates, wherever in a file, by U+FFFD; leave a byte order mark out.

    Args:
        content: A file as it was downloaded.

    Returns:
        The file on one line (the same object where nothing had to change), and how many of its
        characters were replaced.

    Raises:
        BadFileError: It is not JSON; seen only where it is of several lines.
    """
    replaced = 0
    content = content.removeprefix(codecs.BOM_UTF8)
    if _is_suspect(content):
        content, replaced = _replace_bad_escapes(content)
    if not _is_utf8(content):
        text = content.decode("utf-8", "replace")
        replaced += text.count("\ufffd") - content.count("\ufffd".encode())
        content = text.encode()
    if b"\n" in content or b"\r" in content:
        try:
            content = msgspec.json.format(content, indent=-1)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadFileError("a file that is not JSON") from error
    return content, replaced


def mend_controls(content: bytes) -> tuple[bytes, int]:
    """Escape control characters in text, where JSON allows them only so.

    Tab, line feed and carriage return stay what they are; others become U+FFFD.

    Returns:
        The file (the same object where nothing had to change), and how many of its characters were
        replaced.
    """
    mended = bytearray()
    at = replaced = 0
    while found := _MENDABLE.match(content, at):
        mended += content[at : found.start(1)]
        at, text = found.end(), found[1]
        for code in _CONTROLS.keys() & set(text):
            escape = _CONTROLS[code]
            replaced += text.count(code) if escape is _REPLACEMENT else 0
            text = text.replace(bytes([code]), escape)
        mended += text
    if not at:
        return content, 0
    mended += content[at:]
    return bytes(mended), replaced


def _is_suspect(content: bytes) -> bool:
    r"""Whether an escape may be bad.

    Goes from backslash to backslash up to the first `\u`, which takes a tenth of the search's time
    where a file has few; where it has many, the search does the rest.
    """
    at, few = content.find(b"\\"), len(content) >> 10
    while at >= 0 and few and content[at + 1 : at + 2] != b"u":
        at, few = content.find(b"\\", at + 2), few - 1
    return at >= 0 and _SUSPECT.search(content, at) is not None


def _is_utf8(content: bytes) -> bool:
    """Decode in pieces, which is several times quicker than as one large text."""
    if content.isascii():
        return True
    view, begin = memoryview(content), 0
    try:
        while begin < len(content):
            end = begin + _PIECE_BYTES
            begin += codecs.utf_8_decode(view[begin:end], "strict", end >= len(content))[1]
    except UnicodeDecodeError:
        return False
    return True


def _replace_bad_escapes(content: bytes) -> tuple[bytes, int]:
    replaced = 0

    def replace(escape: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if escape["bad"] is None:
            return escape[0]
        replaced += 1
        return _REPLACEMENT

    return _ESCAPE.sub(replace, content), replaced
