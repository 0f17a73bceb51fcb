"""The exports that take a place at Clover, as far as was heard of them lately."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_clover_export.exports.export import Export

PLACE_SECONDS = 300.0
"""An export that could not be asked for this long after it should have been takes no place."""


class AtClover:
    """Exports and when each was to be asked for again; told without a look at all of them."""

    def __init__(self) -> None:
        self._until: dict[Export, float] = {}
        self._counted: set[Export] = set()
        self._expiries: list[tuple[float, int, Export]] = []
        self._serial = 0

    def __contains__(self, export: object) -> bool:
        return export in self._until

    def hold(self, export: Export, due: float) -> None:
        """An export takes a place, and is to be asked for at a time."""
        self._serial += 1
        self._until[export] = due + PLACE_SECONDS
        self._counted.add(export)
        heapq.heappush(self._expiries, (self._until[export], self._serial, export))

    def release(self, export: Export) -> None:
        """An export takes no place any more."""
        self._until.pop(export, None)
        self._counted.discard(export)

    def count(self, now: float) -> int:
        """How many take a place."""
        self._expire(now)
        return len(self._counted)

    def released_at(self, now: float) -> float:
        """When the next place is released because nothing was heard of its export."""
        self._expire(now)
        return self._expiries[0][0] + 1.0 if self._expiries else math.inf

    def _expire(self, now: float) -> None:
        # What releases a place is a poll; where polls are held back, time does.
        expiries = self._expiries
        while expiries and (self._is_old(expiries[0]) or expiries[0][0] < now):
            entry = heapq.heappop(expiries)
            if not self._is_old(entry):
                self._counted.discard(entry[2])

    def _is_old(self, entry: tuple[float, int, Export]) -> bool:
        """Whether more was heard of an export since."""
        return self._until.get(entry[2]) != entry[0]
