"""Chance that falls alike on every machine."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

from tap_clover_export.simulator.shops import ids

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class SeededRandom:
    """Chance, and the ids, of a merchant's day.

    Args:
        seed: The same seed, merchant and day give the same.
        merchant: The merchant's id.
        day: The day, counted from the epoch.

    Attributes:
        random: Gives a number from 0 to 1.
        new_id: Gives an id.
    """

    def __init__(self, seed: str, merchant: str, day: int) -> None:
        # Of the module's draws, Python promises only this one never to change.
        self.random = random.Random(f"{seed}:{merchant}:{day}").random  # noqa: S311
        self.new_id = ids.count_up(merchant, day).__next__

    def chance(self, share: float) -> bool:
        """Tell whether something of that probability happens."""
        return self.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        """Pick one."""
        return choices[int(self.random() * len(choices))]
