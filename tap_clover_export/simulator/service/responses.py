"""What Clover answers, before it is put on the wire."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """A status, a body and headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)

    @classmethod
    def of(cls, status: int, content: object) -> Answer:
        """Make an answer of JSON."""
        return cls(status, encode(content))


def say(status: int, message: str) -> Answer:
    """Answer with a message, as Clover words its errors."""
    return Answer.of(status, {"message": message})


def refuse_file(status: int, code: str, message: str = "") -> Answer:
    """Answer as the store of files does."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message or code}</Message></Error>"
    )
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


def retry_after(seconds: float, now: float, form: str) -> dict[str, str]:
    """Write how long to wait, as seconds or as the date when it is over."""
    told = formatdate(math.ceil(now + seconds), usegmt=True) if form == "date" else None
    return {"Retry-After": told or str(math.ceil(seconds))}


def encode(content: object) -> bytes:
    """Write compact JSON; what UTF-8 cannot hold is escaped."""
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(content, separators=(",", ":")).encode()


def decode(body: bytes) -> dict[str, Any]:
    """Read a JSON object, empty where there is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
