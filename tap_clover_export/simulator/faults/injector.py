"""Which fault a request meets."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_clover_export.simulator.faults.fault import Fault

if TYPE_CHECKING:
    from tap_clover_export.simulator.faults.fault import Call

PASSING = (
    "429",
    "429:retry-after=1",
    "500",
    "502",
    "503",
    "504",
    "reset",
    "reset-after",
    "reset-mid",
    "short",
    "garbage",
    "html",
)
PASSING_ONLY = {
    "create": ("busy",),
    "poll": ("no-urls",),
    "download": ("expired", "no-elements", "cut"),
}


@dataclass(frozen=True)
class Storm:
    """Passing faults of all kinds, on a part of the requests."""

    rate: float
    seed: int | str
    where: tuple[str, ...]
    kinds: tuple[str, ...] | None

    def draw(self, call: Call, number: int) -> Fault | None:
        """Tell what happens to a merchant's request of that number."""
        if call.kind not in self.where:
            return None
        name = f"{self.seed}:{call.kind}:{call.merchant}:{call.type}:{number}"
        rng = random.Random(name)  # noqa: S311
        if rng.random() >= self.rate:
            return None
        kinds = self.kinds or (*PASSING, *PASSING_ONLY.get(call.kind, ()))
        fault = Fault.parse(f"{call.kind}:{kinds[int(rng.random() * len(kinds))]}*1")
        return fault if fault.meets(call) else None


class FaultInjector:
    """The faults that are on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._storms: list[Storm] = []
        self._numbers: Counter[tuple[str | None, ...]] = Counter()
        self.storm_fired = 0

    def add(
        self,
        fault: str | Fault,
        merchant: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> Fault:
        """Let a fault happen from now on."""
        made = Fault.parse(fault) if isinstance(fault, str) else fault
        made = replace(made, merchant=merchant or made.merchant, type=type or made.type)
        with self._lock:
            self._faults.append(made)
        return made

    def storm(
        self,
        rate: float = 0.3,
        seed: int | str = 1,
        where: str | tuple[str, ...] = ("create", "poll", "download"),
        kinds: tuple[str, ...] | None = None,
    ) -> None:
        """Let passing faults strike a part of the requests."""
        places = (where,) if isinstance(where, str) else tuple(where)
        with self._lock:
            self._storms.append(Storm(rate, seed, places, kinds and tuple(kinds)))

    def clear(self) -> None:
        """End all faults and storms."""
        with self._lock:
            self._faults.clear()
            self._storms.clear()
            self._numbers.clear()

    def strike(self, call: Call) -> Fault | None:
        """Tell which fault a request meets, if any."""
        with self._lock:
            due = [fault for fault in self._faults if fault.due(call)]
            struck = due[0] if due else self._draw(call)
            if struck:
                struck.counts["fired"] += 1
            return struck

    def _draw(self, call: Call) -> Fault | None:
        key = call.kind, call.merchant, call.type
        self._numbers[key] += 1
        for storm in self._storms:
            fault = storm.draw(call, self._numbers[key])
            if fault:
                self.storm_fired += 1
                return fault
        return None
