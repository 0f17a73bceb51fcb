"""JSON text with places for values, many times quicker than building it each time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def template(shape: object) -> str:
    """Turn a JSON shape into text for the ``%`` operator.

    ``"<name>"`` in the shape (also inside longer text) is a place for plain text,
    ``"{name}"`` one for a number or ready JSON, and a key ``"{name}"`` one for
    further fields, each written as ``,"key":value``.
    """
    text = json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("%", "%%")
    text = re.sub(r',"\{(\w+)\}":null', r"%(\1)s", text)
    text = re.sub(r'"\{(\w+)\}"', r"%(\1)s", text)
    return re.sub(r"<(\w+)>", r"%(\1)s", text)


def prefill(text: str, values: Mapping[str, object]) -> str:
    """Fill some of a template's places, for good."""
    for name, value in values.items():
        text = text.replace(f"%({name})s", str(value).replace("%", "%%"))
    return text


def listing(texts: list[str]) -> str:
    """Wrap JSON texts as Clover wraps a list."""
    return '{"elements":[' + ",".join(texts) + "]}"


def entry(key: str, value: object) -> str:
    """Write a further field."""
    return f",{json.dumps(key)}:" + json.dumps(value, ensure_ascii=False, separators=(",", ":"))
