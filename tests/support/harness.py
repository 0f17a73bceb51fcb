"""Runs the tap against the local Clover: in this process on a clock that jumps, or as a command."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import io
import json
import logging
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator import Clock, Options, Simulator
from tap_clover_export.tap import TapCloverExport
from tests.support.forks import forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ONE, TWO, THREE = "AAAA1111AAAA1", "BBBB2222BBBB2", "CCCC3333CCCC3"
TOKENS = {ONE: "token-of-one", TWO: "token-of-two", THREE: "token-of-three"}

TUESDAY_NOON = 1_772_539_200.0
"""2026-03-03 12:00 UTC, inside the US hours and outside the EU's."""

POLLED = 60.0
"""How often a run in this process polls at least, in seconds, unless a test says it."""

TYPES = {"orders": "ORDERS", "payments": "PAYMENTS"}


class JumpingClock:
    """The simulator's clock; where the tap would wait, time jumps.

    Args:
        clock: The simulator's.
        longest: A run that takes longer never ends.
        step: How far it jumps at least; exports of many minutes are polled less often then.
    """

    def __init__(self, clock: Clock, *, longest: float = 40 * 86_400, step: float = 0.0) -> None:
        self._clock = clock
        self._step = step
        self._end = clock.now() + longest
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets back; here the same."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Jump."""
        self.slept.append(seconds)
        self._clock.advance(max(seconds, self._step))
        assert self._clock.now() < self._end, "the tap waits without end"


@dataclasses.dataclass
class Outcome:
    """What a run left behind."""

    code: int
    output: bytes
    log: str

    @property
    def messages(self) -> Sequence[dict[str, Any]]:
        """Every message, to be read only; a torn line fails here."""
        return _messages(self.output)

    def records(self, stream: str, merchant: str | None = None) -> list[dict[str, Any]]:
        """The records of a stream."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD"
            and message["stream"] == stream
            and merchant in (None, message["record"]["merchant_id"])
        ]

    def counts(self, stream: str, merchant: str | None = None) -> Counter[tuple[str, str]]:
        """How often each key came."""
        rows = self.records(stream, merchant)
        return Counter((row["merchant_id"], row["id"]) for row in rows)

    @property
    def states(self) -> list[dict[str, Any]]:
        """Every state that was written, each a copy."""
        return [copy.deepcopy(m["value"]) for m in self.messages if m["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the last state."""
        last = next(m["value"] for m in reversed(self.messages) if m["type"] == "STATE")
        return dict(copy.deepcopy(last))

    def entry(self, stream: str, merchant: str) -> dict[str, Any]:
        """A partition's entry in the last state."""
        return entry(self.state, stream, merchant)

    def bookmark(self, stream: str, merchant: str) -> str | None:
        """A partition's bookmark in the last state."""
        value = self.entry(stream, merchant).get("replication_key_value")
        assert value is None or isinstance(value, str)
        return value

    @property
    def sentence(self) -> str:
        """The last line on stderr, without what the logger puts before it."""
        return self.log.strip().splitlines()[-1].split(" | ")[-1]


@functools.lru_cache(maxsize=4)
def _messages(output: bytes) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in output.splitlines())


def entry(state: Mapping[str, Any], stream: str, merchant: str) -> dict[str, Any]:
    """A partition's entry in a state; empty where there is none."""
    partitions = state.get("bookmarks", {}).get(stream, {}).get("partitions", [])
    found = [item for item in partitions if item["context"] == {"merchant_id": merchant}]
    assert len(found) <= 1
    return found[0] if found else {}


@contextlib.contextmanager
def clover(**options: Any) -> Iterator[Simulator]:
    """A local Clover whose clock stands at Tuesday noon until it is moved."""
    merchants = options.pop("merchants", (ONE,))
    usual: dict[str, Any] = {
        "merchants": {merchant: TOKENS.get(merchant, "token") for merchant in merchants},
        "days": 10,
        "orders_per_day": 8,
        "now": TUESDAY_NOON,
        "unknown_fields": False,
    }
    options = usual | options
    with Simulator(Options(**options), clock=Clock(options["now"], frozen=True)) as simulator:
        yield simulator


def config_for(simulator: Simulator, **settings: Any) -> dict[str, Any]:
    """Settings that export everything the simulator has, more than its days."""
    options = simulator.options
    start = (options.now or simulator.clock.now()) - (options.days + 1) * 86_400
    return {
        "merchants": [
            {"merchant_id": merchant, "access_token": token}
            for merchant, token in options.merchants.items()
        ],
        "api_url": simulator.url,
        "region": options.region,
        "start_date": iso(start),
    } | settings


def iso(seconds: float) -> str:
    """The time of epoch seconds, as the state writes it."""
    from tap_clover_export import times  # noqa: PLC0415

    return times.to_text(times.from_seconds(seconds))


def sync(
    simulator: Simulator,
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    clock: JumpingClock | None = None,
    step: float = 0.0,
    workers: int = 0,
    all_at_once: bool = False,
    raw: io.BytesIO | None = None,
    level: int = logging.INFO,
    **settings: Any,
) -> Outcome:
    """Run the tap in this process, on the simulator's clock.

    Args:
        simulator: The local Clover.
        state: The state to start from.
        catalog: The catalog to select by.
        clock: The tap's clock; the simulator's, jumping, unless given.
        step: How far that jumps at least.
        workers: Threads; with 0 the run is the same every time.
        all_at_once: Whether `sync_all` is called, as the SDK's test classes do.
        raw: Takes the output, also of a run that raises.
        level: From which level on the log is kept.
        settings: Beside those of `config_for`.
    """
    raw, log = raw or io.BytesIO(), io.StringIO()
    output = io.TextIOWrapper(raw, encoding="utf-8")
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("{levelname} | {message}", style="{"))
    logger = logging.getLogger()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        with contextlib.redirect_stdout(output):
            tap = Tap(
                clock or JumpingClock(simulator.clock, step=step),
                workers,
                config=config_for(simulator, **{"poll_interval_seconds": POLLED} | settings),
                state=json.loads(json.dumps(state)) if state else None,
                catalog=json.loads(json.dumps(catalog)) if catalog else None,
            )
            try:
                if all_at_once:
                    tap.sync_all()
                    code = 0
                else:
                    code = tap.sync_in_turns()
            except BaseException:
                tap.run.close(quietly=True)
                raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        output.detach()
    return Outcome(code, raw.getvalue(), log.getvalue())


class Tap(TapCloverExport):
    """The tap with a clock and a number of threads of the test's."""

    def __init__(self, clock: JumpingClock, workers: int, **options: Any) -> None:
        self.clock = clock
        self.workers = workers
        super().__init__(**options)


def command(*arguments: str, stdout: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, forked off one that has loaded it."""
    return forks().run(*arguments, stdout=stdout)


def started(
    *arguments: str, timeout: float = 200, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, from its very start."""
    return subprocess.run(
        [sys.executable, "-m", "tap_clover_export", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        **options,
    )


def write_config(path: Path, settings: Mapping[str, Any]) -> str:
    """A config file; answers its path."""
    file = path / "config.json"
    file.write_text(json.dumps(settings))
    return str(file)


def assert_whole(outcome: Outcome, simulator: Simulator, *, twice: int = 0) -> None:
    """Everything that the simulator holds was emitted, in its last version.

    Args:
        outcome: The run.
        simulator: The local Clover.
        twice: How many keys of a stream may come more than once.
    """
    for stream, kind in TYPES.items():
        for merchant in simulator.options.merchants:
            held = {record["id"]: record for record in simulator.records(merchant, kind)}  # type: ignore[arg-type]
            assert held
            counts = outcome.counts(stream, merchant)
            assert set(counts) == {(merchant, identity) for identity in held}
            assert sum(count - 1 for count in counts.values()) <= twice
            last = {row["id"]: row for row in outcome.records(stream, merchant)}
            for identity, record in held.items():
                assert last[identity]["modifiedTime"] == iso(record["modifiedTime"] / 1000)


def assert_whole_to_bookmarks(outcome: Outcome, simulator: Simulator, twice: int = 0) -> None:
    """Everything up to the bookmark was emitted."""
    for stream, kind in TYPES.items():
        for merchant in simulator.options.merchants:
            bookmark = outcome.bookmark(stream, merchant)
            assert bookmark
            held = {
                record["id"]
                for record in simulator.records(merchant, kind)  # type: ignore[arg-type]
                if iso(record["createdTime"] / 1000) < bookmark
            }
            counts = outcome.counts(stream, merchant)
            late = {i for i in held if (merchant, i) not in counts}
            for record in simulator.records(merchant, kind):  # type: ignore[arg-type]
                if record["id"] in late:
                    assert iso(record["modifiedTime"] / 1000) >= bookmark
            assert sum(count - 1 for count in counts.values()) <= twice


def catalog(*deselected: tuple[str, ...]) -> dict[str, Any]:
    """The discovered catalog with paths deselected, the stream's name first."""
    found: dict[str, Any] = json.loads(command("--discover").stdout)
    for stream in found["streams"]:
        for item in stream["metadata"]:
            if item["breadcrumb"] == []:
                item["metadata"]["selected"] = True
        for name, *path in deselected:
            if name == stream["tap_stream_id"]:
                crumb = [part for step in path for part in ("properties", step)]
                metadata = {"inclusion": "available", "selected": False}
                kept = [m for m in stream["metadata"] if m["breadcrumb"] != crumb]
                stream["metadata"] = [*kept, {"breadcrumb": crumb, "metadata": metadata}]
    return found
