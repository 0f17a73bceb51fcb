"""Where the time of a `meltano run` into PostgreSQL goes, and what the loader's settings change.

The same records of a local Clover go into an empty schema in four ways:

- ours: `meltano run`, with the loader's settings that meltano.yml ships.
- piped: the tap and the loader with the same settings, without Meltano.
- validated: piped, and the loader validates every record.
- default: piped, and the loader has its own defaults.

CPU is user and system time. The tap and the loader are run by `meter.py`, which asks the system
what each of them took, the tap's discovery included; Meltano's is the rest of what it and its
children took. PostgreSQL and Clover are read from their processes before and after a run.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING

import requests

from benchmarks.measure import BenchError, Spread
from benchmarks.rows import Row
from benchmarks.stage import Stage
from tap_clover_export.demo.project import MeltanoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.rows import Bench

WAYS = ("ours", "piped", "validated", "default")
PARTS = ("Meltano", "the tap", "the loader", "PostgreSQL", "the local Clover")


def end(bench: Bench) -> Iterator[Row]:
    """Some 20,000 orders and as many payments, from Clover into PostgreSQL."""
    if sys.platform != "linux":
        raise BenchError("The row end needs Linux, which tells what ended processes took.")
    took: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    try:
        with ExitStack() as stack:
            stage = Stage(stack)
            stage.load("piped")  # Clover's files and everybody's bytecode are there from now on
            for number in range(bench.rounds):
                for way in WAYS:
                    seconds = stage.load(way)
                    for part, value in seconds.items():
                        took[part][way].append(value)
                    told = ", ".join(f"{part} {value:.2f}" for part, value in seconds.items())
                    bench.say(f"end to end, round {number + 1}: {way}, s: {told}")
            records = stage.records
    except (MeltanoError, OSError, requests.RequestException) as error:
        raise BenchError(str(error)) from error
    for part in ("wall", *PARTS):
        word = part if part == "wall" else f"CPU of {part}"
        values = {way: Spread.of(some) for way, some in took[part].items()}
        yield Row(f"end to end: {word}", "s", values)
    speeds = {
        way: Spread.of(records / value for value in some) for way, some in took["wall"].items()
    }
    yield Row(f"end to end: {records:,} records", "records a second", speeds)
