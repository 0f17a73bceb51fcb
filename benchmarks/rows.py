"""The rows of the table: what is run, what is compared, and the goal of each."""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.jobs import STREAMS, Job, merchants, tokens
from benchmarks.measure import BenchError, Run, Spread, clover, first_request, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Runs = dict[str, list[Run]]

ORDERS_A_DAY = 2000
PATIENT = 5
SMALL, LARGE = 30, 300
"""Days, of 2,000 orders each, a merchant's."""
FEW = 100
"""Merchants; among more, each is to cost no more than among these."""


@dataclass(frozen=True)
class Row:
    """A measure beside its goal.

    Attributes:
        name: What it is.
        unit: What its numbers are.
        values: Each program's.
        goal: What ours should reach, if there is a goal.
        most: Whether the goal is not to be passed, rather than to be reached.
    """

    name: str
    unit: str
    values: dict[str, Spread]
    goal: float | None = None
    most: bool = True

    @property
    def met(self) -> bool | None:
        """Whether ours reaches the goal."""
        if self.goal is None:
            return None
        ours = self.values["ours"].median
        return ours <= self.goal if self.most else ours >= self.goal


@dataclass
class Bench:
    """How much to measure, and where to say what goes on.

    Attributes:
        rounds: How many times, program after program in turn.
        runs: Everything measured, by row and program.
    """

    rounds: int
    runs: dict[str, Runs] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Tell who waits."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    @contextmanager
    def commands(self, job: Job) -> Iterator[dict[str, list[str]]]:
        """The command line of each program for a job."""
        with tempfile.TemporaryDirectory() as folder:
            yield job.commands(Path(folder))

    def compare(self, name: str, job: Job, programs: Sequence[str], once: Sequence[str]) -> Runs:
        """Run programs in turn, some in the first round only; all must write the same records."""
        runs: Runs = defaultdict(list)
        with self.commands(job) as commands:
            counts = {}
            for program in programs:
                counts[program] = run(commands[program], count=True).counted["records"]
                self.say(f"{name}: {program} writes {counts[program]:,} records")
            if len(set(counts.values())) > 1:
                raise BenchError(f"the programs did not do the same work: {counts}")
            for number in range(self.rounds):
                for program in (*programs, *([] if number else once)):
                    done = run(commands[program])
                    runs[program].append(done)
                    self.say(
                        f"{name}, round {number + 1}: {program} {done.seconds:.2f} s, "
                        f"CPU {done.cpu:.2f} s, {done.megabytes:.0f} MB"
                    )
        self.runs[name] = runs
        return runs


def emission(bench: Bench) -> Iterator[Row]:
    """Orders of 2.6 KB as fast as they go, and the memory that takes."""
    (merchant,) = merchants(1)
    shop = {"merchant": tokens([merchant]), "orders_per_day": ORDERS_A_DAY}
    memory = {}
    with clover(**shop, days=LARGE + 25) as url:
        for size, days, goal in (("60,000", SMALL, 2.0), ("600,000", LARGE, 2.8)):
            every = ("script", "splice", "ours")
            small = days == SMALL
            programs = (*every, "plain") if small else every
            job = Job(url, [merchant], days)
            # The plain tap takes minutes for the large one: once, and not where time is short.
            once = ("plain",) if not small and bench.rounds >= PATIENT else ()
            runs = bench.compare(f"emission {size}", job, programs, once)
            yield Row(
                f"emission, {size} orders",
                "times the script's speed",
                _speed(runs),
                goal,
                most=False,
            )
            memory[size] = {
                name: Spread.of(r.megabytes for r in some) for name, some in runs.items()
            }
    for size, values in memory.items():
        yield Row(f"peak memory, {size} orders", "MB", values, 150)
    least, most = (memory[size]["ours"] for size in ("60,000", "600,000"))
    growth = Spread(most.median / least.median, most.low / least.high, most.high / least.low)
    yield Row("peak memory, 600,000 to 60,000", "ratio", {"ours": growth}, 1.2)


def wall(bench: Bench) -> Iterator[Row]:
    """24 exports, two at a time, of 6 merchants: whether Clover is ever idle."""
    shops = merchants(6)
    for seconds, goal in ((1.2, 1.10), (4.0, 1.05)):
        with clover(
            merchant=tokens(shops), days=85, export_seconds=seconds, max_concurrent=2
        ) as url:
            job = Job(url, shops, 60, STREAMS, slots=2)
            ideal = job.exports * seconds / job.slots
            name = f"24 exports of {seconds:g} s"
            runs: Runs = defaultdict(list)
            with bench.commands(job) as commands:
                run(commands["ours"])
                for number in range(bench.rounds):
                    # The others only wait for one export after the other: once is enough.
                    for program in ("ours",) if number else ("ours", "script", "plain"):
                        done = run(commands[program])
                        runs[program].append(done)
                        bench.say(f"{name}, round {number + 1}: {program} {done.seconds:.2f} s")
            bench.runs[name] = runs
        values = {p: Spread.of(r.seconds / ideal for r in some) for p, some in runs.items()}
        yield Row(f"{name}, two at a time", "times the ideal", values, goal)


def many(bench: Bench) -> Iterator[Row]:
    """300 merchants x 2 streams, exports of 0.6 s, four at a time: as quick as a budget allows."""
    shops = merchants(300)
    with clover(
        merchant=tokens(shops), days=55, orders_per_day=5, export_seconds=0.6, max_concurrent=4
    ) as url:
        job = Job(url, shops, 30, STREAMS, slots=4)
        ideal = job.exports * 0.6 / job.slots
        with bench.commands(job) as commands:
            run(commands["ours"])
            runs = []
            for number in range(bench.rounds):
                runs.append(run(commands["ours"], count=True))
                bench.say(f"300 merchants, round {number + 1}: {runs[-1].seconds:.2f} s")
    bench.runs["300 merchants"] = {"ours": runs}
    values = {"ours": Spread.of(done.seconds / ideal for done in runs)}
    yield Row("300 merchants x 2 streams, four at a time", "times the ideal", values, 1.2)
    share = Spread.of(100 * d.counted["state_bytes"] / d.counted["bytes"] for d in runs)
    yield Row("the same, STATE", "% of the bytes", {"ours": share}, 5)


def quiet(bench: Bench) -> Iterator[Row]:
    """300 merchants without sales, whose exports name no files: they take no place at Clover.

    Shorter exports than these would measure the tap's own budget: each takes five requests at
    least, and more than 25 a second are not sent.
    """
    shops, seconds = merchants(300), 1.5
    with clover(
        merchant=tokens(shops),
        days=55,
        orders_per_day=0,
        empty_without_key=True,
        export_seconds=seconds,
        max_concurrent=3,
    ) as url:
        job = Job(url, shops, 30, STREAMS, slots=3)
        ideal = job.exports * seconds / job.slots
        with bench.commands(job) as commands:
            done = run(commands["ours"])  # of five minutes: once is enough
    bench.say(f"300 quiet merchants: {done.seconds:.2f} s")
    bench.runs["300 quiet merchants"] = {"ours": [done]}
    values = {"ours": Spread.of([done.seconds / ideal])}
    yield Row("300 merchants without sales, three at a time", "times Clover's own", values, 1.2)


def start(bench: Bench) -> Iterator[Row]:
    """From the start to the first request."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        job = Job(f"http://127.0.0.1:{server.getsockname()[1]}", merchants(1), 30)
        with bench.commands(job) as commands:
            programs = ("script", "plain", "ours")
            times: dict[str, list[float]] = defaultdict(list)
            for number in range(bench.rounds + 1):
                for program in programs:
                    seconds = first_request(commands[program], server)
                    if number:
                        times[program].append(seconds)
    values = {program: Spread.of(some) for program, some in times.items()}
    yield Row("start to first request", "s", values, 1.0)


def growth(bench: Bench) -> Iterator[Row]:
    """What a merchant and a record cost as they get more.

    Thousands of merchants would wait most of an hour for the tap's own budget of requests, which
    costs nothing: their night is run without it.
    """
    least = None
    for number in (1, 10, FEW, 1000, 5000):
        shops = merchants(number)
        with clover(merchant=tokens(shops), days=6, orders_per_day=5, max_concurrent=4) as url:
            job = Job(url, shops, 5, STREAMS, slots=4)
            with bench.commands(job) as commands:
                if number <= FEW:
                    run(commands["hurried"])
                rounds = min(bench.rounds, 3) if number <= FEW else 1
                runs = [run(commands["hurried"], count=True) for _ in range(rounds)]
        yield from _costs(bench, runs, number, "merchant", 1e3, "ms", least)
        memory = {"ours": Spread.of(done.megabytes for done in runs)}
        yield Row(f"{number:,} merchant{'s' * (number > 1)}: peak memory", "MB", memory)
        if number == FEW:  # nothing may grow faster than the merchants
            least = 1e3 * statistics.median(done.cpu for done in runs) / number
    (merchant,) = merchants(1)
    with clover(merchant=tokens([merchant]), orders_per_day=ORDERS_A_DAY, days=525) as url:
        for days in (5, 50, 500):
            with bench.commands(Job(url, [merchant], days)) as commands:
                run(commands["ours"])
                runs = [run(commands["ours"], count=True) for _ in range(min(bench.rounds, 3))]
            yield from _costs(bench, runs, runs[0].counted["records"], "record", 1e6, "us")


def _costs(
    bench: Bench,
    runs: list[Run],
    number: int,
    what: str,
    scale: float,
    unit: str,
    cpu: float | None = None,
) -> Iterator[Row]:
    """A run's cost for each merchant or record, beside a goal of its CPU."""
    many = f"{number:,} {what}{'s' * (number > 1)}"
    bench.runs[f"growth {many}"] = {"ours": runs}
    bench.say(f"{many}: {runs[0].seconds:.2f} s, CPU {runs[0].cpu:.2f} s")
    for name, each in (("time", [r.seconds for r in runs]), ("CPU", [r.cpu for r in runs])):
        spread = Spread.of(scale * value / number for value in each)
        goal = cpu if name == "CPU" else None
        yield Row(f"{many}: {name}", f"{unit} a {what}", {"ours": spread}, goal)
    states = Spread.of(run.counted["state_bytes"] / number for run in runs)
    yield Row(f"{many}: STATE", f"bytes a {what}", {"ours": states})


def _speed(runs: Runs) -> dict[str, Spread]:
    """Each program's speed as a multiple of the script's in the same round."""
    return {
        program: Spread.of(
            base.seconds / done.seconds for base, done in zip(runs["script"], some, strict=False)
        )
        for program, some in runs.items()
    }


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "emission": emission,
    "wall": wall,
    "many": many,
    "quiet": quiet,
    "start": start,
    "growth": growth,
}
