"""A state machine: time passes, sales change late, faults come and go, runs crash and resume."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tap_clover_export.simulator.service.opening_hours import TIMETABLES
from tests.runs.test_faults import PASSING
from tests.support.harness import ONE, TWO, TYPES, Outcome, clover, iso, sync
from tests.support.interruptions import Deadly, Grave, Killed
from tests.support.warehouse import Warehouse

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator

DAY = 86_400
LOOK_BACK = 7
HISTORY = 40
FATES = ["stay-pending", "status=FAILED", "status=SOMETHING_NEW", "vanish"]

whens = st.sampled_from(["create", "poll", "download"])


class Machine(RuleBasedStateMachine):
    """A Clover, a tap and a warehouse, over weeks."""

    simulator: Simulator

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()

    @initialize(
        seed=st.integers(0, 1000),
        field=st.sampled_from(["createdTime", "modifiedTime"]),
        skew=st.sampled_from([0, 0, -900, 900]),
        bounds=st.sampled_from(["half-open", "closed", "open-closed"]),
        export_seconds=st.sampled_from([0, 30, 4000]),
        wide=st.booleans(),
        places=st.integers(1, 4),
    )
    def open(
        self,
        *,
        seed: int,
        field: str,
        skew: int,
        bounds: str,
        export_seconds: int,
        wide: bool,
        places: int,
    ) -> None:
        """Open two shops with some weeks behind them."""
        random.seed(seed)
        self.simulator = self.stack.enter_context(
            clover(
                merchants=(ONE, TWO),
                days=HISTORY,
                orders_per_day=2,
                seed=f"machine {seed}",
                window_field=field,
                clock_skew_seconds=skew,
                bounds=bounds,
                export_seconds=export_seconds,
                refuse_exactly_max=not wide,
                objects_per_file=25,
            )
        )
        self.options = self.simulator.options
        self.start = self.simulator.clock.now() - (HISTORY + 1) * DAY
        self.places = places
        self.warehouse = Warehouse(self.simulator, self.start)

    def teardown(self) -> None:
        """Close the shops."""
        self.stack.close()

    # The world

    @rule(minutes=st.one_of(st.integers(1, 120), st.integers(60, 4 * 1440)))
    def time_passes(self, minutes: int) -> None:
        """Time passes, and sales are made."""
        self.simulator.clock.advance(minutes * 60)

    @rule(
        merchant=st.sampled_from([ONE, TWO]),
        stream=st.sampled_from(sorted(TYPES)),
        place=st.floats(0, 1, exclude_max=True),
    )
    def a_record_changes(self, merchant: str, stream: str, place: float) -> None:
        """Something is changed late."""
        kind: Any = TYPES[stream]
        records = self.simulator.records(merchant, kind)
        chosen = records[int(place * len(records))]
        self.simulator.touch(merchant, kind, chosen["id"], note=f"changed {place}")

    @rule(merchant=st.sampled_from([ONE, TWO]))
    def a_refund(self, merchant: str) -> None:
        """An order is refunded."""
        with contextlib.suppress(KeyError):
            self.simulator.refund(merchant)

    @rule(rate=st.sampled_from([0.1, 0.3, 0.6]), seed=st.integers(0, 1000))
    def a_storm(self, rate: float, seed: int) -> None:
        """A storm comes up."""
        self.simulator.faults.storm(rate, seed)

    @rule(fault=st.sampled_from(PASSING), times=st.integers(1, 5), after=st.integers(0, 9))
    def a_fault(self, fault: str, times: int, after: int) -> None:
        """A fault strikes some times."""
        self.simulator.faults.add(f"{fault}*{times}@{after}")

    @rule(fate=st.sampled_from(FATES), times=st.integers(1, 4), after=st.integers(0, 5))
    def a_fate(self, fate: str, times: int, after: int) -> None:
        """Some exports end badly."""
        self.simulator.faults.add(f"poll:{fate}*{times}@{after}")

    @rule(where=whens, status=st.sampled_from([401, 403, 400, 500]))
    def a_lasting_fault(self, where: str, status: int) -> None:
        """A merchant's exports fail until it is over."""
        self.simulator.faults.add(f"{where}[{TWO}/ORDERS]:{status}")

    @rule()
    def it_is_over(self) -> None:
        """All faults go."""
        self.simulator.faults.clear()
        self.simulator.options = self.options
        for export in self.simulator.exports:
            export.fate = None if export.fate == "pending" else export.fate

    @rule(words=st.sampled_from(["vendor", "json", "plain", None]), everything=st.booleans())
    def hours_are_kept(self, words: str | None, everything: bool) -> None:
        """From now on the service closes at night."""
        self.set(
            hours=True, timetable=TIMETABLES["us"], hours_words=words, closed_refuses_all=everything
        )

    @rule(number=st.integers(0, 3))
    def others_export(self, number: int) -> None:
        """Other clients take some of the places."""
        self.set(foreign_exports=number)

    def set(self, **options: Any) -> None:
        """Change how Clover behaves."""
        self.simulator.options = dataclasses.replace(self.simulator.options, **options)

    # The tap

    @rule()
    def a_run(self) -> None:
        """A run comes to its end."""
        outcome = self.sync()
        assert outcome.code in (0, 1)
        assert outcome.code == 0 or outcome.sentence.startswith("Missing: ")
        self.warehouse.load(outcome.output)

    @rule(hours=st.sampled_from([0.001, 0.1, 5]))
    def a_short_run(self, hours: float) -> None:
        """A run leaves something for the next."""
        self.warehouse.load(self.sync(max_run_hours=hours).output)

    @rule(seconds=st.one_of(st.floats(0, 60), st.floats(0, 90_000)))
    def a_run_is_killed(self, seconds: float) -> None:
        """A run is killed while it waits."""
        self.die(clock=Deadly(self.simulator.clock, seconds))

    @rule(size=st.integers(0, 200_000), closed=st.booleans())
    def a_run_is_killed_amid_a_line(self, size: int, closed: bool) -> None:
        """A run is killed, or its loader is gone, while it writes."""
        self.die(raw=Grave(size, BrokenPipeError if closed else Killed))

    @rule(share=st.floats(0, 1))
    def a_run_is_forgotten(self, share: float) -> None:
        """Only the first part of a run's output comes through."""
        lines = self.sync().output.splitlines(keepends=True)
        self.warehouse.load(b"".join(lines[: int(share * len(lines))]))

    def die(self, raw: io.BytesIO | None = None, **options: Any) -> None:
        """Run until it is killed, or to the end if that comes first."""
        raw = raw or io.BytesIO()
        with contextlib.suppress(Killed):
            self.sync(raw=raw, **options)
        self.warehouse.load(raw.getvalue(), torn=True)

    def sync(self, **options: Any) -> Outcome:
        """Run the tap from the last state that came through."""
        return sync(
            self.simulator,
            state=self.warehouse.state,
            start_date=iso(self.start),
            lookback_days=LOOK_BACK,
            poll_interval_seconds=300,
            step=30,
            max_concurrent_exports=self.places,
            **options,
        )

    @rule()
    @precondition(lambda self: self.warehouse.state)
    def a_quiet_run(self) -> None:
        """Once nothing goes wrong, everything that Clover holds is here in its last version."""
        self.it_is_over()
        self.run_whole()
        self.simulator.clock.advance(60)
        first = {key: self.warehouse.bookmark(*key) for key in self.warehouse.partitions()}
        held = {
            key: self.simulator.records(key[1], TYPES[key[0]])  # type: ignore[arg-type]
            for key in first
        }
        begin = self.simulator.clock.now() + min(0, self.options.clock_skew_seconds)
        self.run_whole()
        self.warehouse.expect_whole(begin)
        for key, bookmark in first.items():
            since = iso(max(self.start, seconds(bookmark) - LOOK_BACK * DAY))
            until = self.warehouse.bookmark(*key)
            assert until > bookmark
            if self.warehouse.field == "modifiedTime":
                continue
            for record in held[key]:
                if since <= iso(record["createdTime"] / 1000) < until:
                    self.warehouse.expect_version(*key, record)

    def run_whole(self) -> None:
        """A run to the end.

        One that resumes what a former run asked for may not come to now, where Clover's clock
        is behind: its bookmarks stay at what those exports hold.
        """
        outcome = self.sync()
        assert outcome.code == 0, outcome.sentence
        self.warehouse.load(outcome.output)


def seconds(time: str) -> float:
    """Epoch seconds of a bookmark."""
    from tap_clover_export import times  # noqa: PLC0415

    return times.to_ms(times.parse(time)) / 1000


def test_machine(long: bool) -> None:
    """Whatever happens: nothing is lost, no bookmark is ahead."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=300 if long else 6,
            stateful_step_count=25 if long else 12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
