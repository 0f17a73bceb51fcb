"""A text that must not be seen."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, repr=False)
class Secret:
    """Wraps a token: whatever prints, formats or dumps it sees asterisks."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the one request or file that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__
