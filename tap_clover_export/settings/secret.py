"""A text that must not be seen."""

from __future__ import annotations

import hashlib


class Secret:
    """Wraps a token: whatever prints, formats or dumps it sees asterisks, or nothing."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __bool__(self) -> bool:
        return bool(self.__text)

    def reveal(self) -> str:
        """The text itself, for the one request or file that needs it."""
        return self.__text

    def fingerprint(self) -> str:
        """Tells tokens apart without holding them."""
        return hashlib.sha256(self.__text.encode()).hexdigest()[:32]

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__
