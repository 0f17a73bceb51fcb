"""The order of work: what to request, poll, fetch and emit next; no threads, no waiting."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import logging
import math
from typing import TYPE_CHECKING

from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.exporter import unreachable
from tap_clover_export.exports.outcomes import (
    Accepted,
    Empty,
    Failed,
    Finished,
    Moved,
    NoSpace,
    RateLimited,
    Refused,
    Split,
    Working,
)
from tap_clover_export.exports.retry import FIRST_POLL, OUTAGE_SECONDS
from tap_clover_export.scheduling.admission import Admission, Region
from tap_clover_export.scheduling.backlog import Backlog
from tap_clover_export.scheduling.downloads import Downloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_clover_export.clock import Clock
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.planning.plan import Partition, PartitionPlan, PendingExport, Priority
    from tap_clover_export.progress.stats import RunStats

logger = logging.getLogger("tap-clover-export.queue")

OLDEST_SECONDS = 12 * 3600.0
"""Where a finished export has waited this long, only what is emitted next is requested: files
live 24 hours."""

IDLE_SECONDS = 3600.0
"""The longest pause."""

BRAKE_SECONDS = 60.0
"""How often what a brake or a limit holds back is looked at again."""

LIMITED_SECONDS = 3600.0
"""How long, at least, a token or an app may be answered with 429 alone."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a run keeps to; times in seconds.

    Attributes:
        slots: How many exports may be in progress at Clover at a time.
        max_wait: How long a region may refuse before its work is given up.
        max_run: After this long no new export is requested.
        patience: How long, after that, what was requested is waited for.
    """

    slots: int
    max_wait: float
    max_run: float | None = None
    patience: float = 3 * 3600.0


class Scheduler:
    """Which step to take next, over all partitions, regions and stages.

    Attributes:
        backlogs: What is left of each partition.
    """

    def __init__(
        self,
        clock: Clock,
        stats: RunStats,
        limits: Limits,
        *,
        on_retry: Callable[[str], None],
    ) -> None:
        """Make an empty scheduler.

        Args:
            clock: The time.
            stats: Counts what happens.
            limits: What the run keeps to.
            on_retry: Called with the reason where something is tried again.
        """
        self._clock = clock
        self._stats = stats
        self._max_wait = limits.max_wait
        self._patience = limits.patience
        self._stop_requesting = clock.monotonic() + (limits.max_run or math.inf)
        self._on_retry = on_retry
        self._said_reasons: set[str] = set()
        self._steps: set[Export] = set()
        self._requesting: set[Backlog] = set()
        self._admission = Admission(clock, limits.slots)
        self._downloads = Downloads(self._is_head, self._steps, limits.slots)
        self._offers: dict[Region, list[tuple[Priority, int, Backlog]]] = {}
        self._benched: dict[Region, list[tuple[int, int, Backlog]]] = {}
        self._polls: dict[Region, list[tuple[float, int, Export]]] = {}
        self._timers: list[tuple[float, int, Export]] = []
        self._aging: list[tuple[float, int, Export]] = []
        self._ready: list[Export] = []
        self._serial = 0
        self._touched: set[Partition] = set()
        self._open: set[Backlog] = set()
        self.backlogs: dict[Partition, Backlog] = {}

    def add(self, plan: PartitionPlan) -> None:
        """Take a partition's work in."""
        backlog = self.backlogs[plan.partition] = Backlog(plan)
        for export in backlog.resume():
            export.requested = self._clock.monotonic()
            self._admission.region(export).at_clover.add(export)
            self._stats.resumed(plan.partition)
            self._enqueue(export)
        self._offer(backlog)
        if backlog.active:
            self._open.add(backlog)

    # What the emitter asks

    def pick(self) -> Export | None:
        """What can be emitted: what is whole first, then what has begun."""
        if self.whole():
            return heapq.heappop(self._ready)
        begun = (e for e in self._downloads.spooled if self._is_head(e) and e.emittable)
        return min(begun, default=None)

    def whole(self) -> bool:
        """Whether an export is ready to be emitted to its end."""
        while self._ready:
            if self._ready[0].ready and self._is_head(self._ready[0]):
                return True
            heapq.heappop(self._ready)
        return False

    def reject(self, export: Export, why: str) -> None:
        """Have the file that was taken last fetched again."""
        if export.spool:
            export.spool.reject()
            export.bad = why
            if export.ready:
                export.stage = Stage.DOWNLOAD
                self._enqueue(export)

    def emitted(self, export: Export) -> None:
        """An export was emitted whole."""
        backlog = self.backlogs[export.partition]
        backlog.active.popleft()
        self._stats.emitted(export.partition)
        self._downloads.discard(export)
        if not backlog.active:
            self._open.discard(backlog)
            self._stats.finished(export.partition)
        elif (head := backlog.active[0]).ready:
            heapq.heappush(self._ready, head)
        elif head.stage is Stage.DOWNLOAD and not head.spool:
            self._downloads.add_head(head)

    def fail(self, export: Export, reason: str) -> None:
        """End a partition before an export; what stands before it in line goes on."""
        backlog = self.backlogs[export.partition]
        if export.cancelled:
            return
        if backlog.failure is None:
            level = logging.DEBUG if reason in self._said_reasons else logging.ERROR
            logger.log(level, "%s: %s.", backlog.partition, reason)
            self._said_reasons.add(reason)
            self._stats.failed(backlog.partition)
        for cancelled in backlog.fail(export, reason):
            self._discard(cancelled)
        if not backlog.active:
            self._open.discard(backlog)

    def changes(self) -> list[tuple[Partition, list[PendingExport]]]:
        """The partitions whose pending exports changed since the last call."""
        touched, self._touched = self._touched, set()
        return [(partition, self.backlogs[partition].pending()) for partition in touched]

    @property
    def changed(self) -> bool:
        """Whether pending exports changed since the last call of `changes`."""
        return bool(self._touched)

    @property
    def running(self) -> int:
        """Exports that take a place at Clover."""
        return self._admission.running

    @property
    def requesting(self) -> bool:
        """Whether Clover is being asked for an export just now."""
        return bool(self._requesting)

    @property
    def refusing(self) -> list[tuple[str, str]]:
        """The regions that refused and accepted no export so far, and why."""
        regions = self._admission.regions.values()
        return [(r.name, r.why()) for r in regions if r.since is not None and not r.ever]

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will get ready."""
        if not self._open:
            return True
        if self._requesting or not self._requested_enough:
            return False
        return not any(backlog.head and self._is_coming(backlog.head) for backlog in self._open)

    def clear(self) -> None:
        """Give back the disk."""
        for export in list(self._downloads.spooled):
            self._downloads.discard(export)

    # What the workers ask

    def next_step(self) -> Export | None:
        """The export to take a step further now: what is requested, polled, then fetched."""
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due = heapq.heappop(self._timers)[2]
            if not due.cancelled and due not in self._steps:
                self._enqueue(due)
        export = self._next_request(now) or self._next_poll(now)
        if export:
            creating = export.stage is Stage.CREATE
            self._admission.start(export, creating=creating)
            if creating:
                self._requesting.add(self.backlogs[export.partition])
        else:
            export = self._downloads.next()
        if export:
            self._steps.add(export)
        return export

    def record_outcome(self, export: Export, outcome: Outcome) -> None:
        """Take in what a step came to."""
        stage, backlog = export.stage, self.backlogs[export.partition]
        creating = stage is Stage.CREATE
        self._steps.discard(export)
        if creating:
            self._requesting.discard(backlog)
        if stage is not Stage.DOWNLOAD:
            self._admission.answer(export, outcome, creating=creating)
        if isinstance(outcome, Accepted):
            export.id, export.created = outcome.id, outcome.created
            export.requested = self._clock.monotonic()
            self._touched.add(export.partition)
            self._stats.requested(export.partition)
        if export.cancelled:
            self._discard(export)
            return
        self._apply(outcome, export)
        if not export.spool:
            self._downloads.spooled.discard(export)
        region = self._admission.region(export)
        if region.since is None or not self._first_offer(region):
            self._stats.wait_ended(region.name)
        else:
            until = self._admission.wall_time(region.not_before)
            self._stats.waiting(region.name, until, region.why())

    def seconds_until_next_step(self) -> float:
        """How long there is nothing to do."""
        now = self._clock.monotonic()
        times = [now + IDLE_SECONDS, self._stop_requesting, self._stop_requesting + self._patience]
        times += [timer[0] for timer in self._timers[:1]]
        for region in self._admission.regions.values():
            if polls := self._polls.get(region):
                times.append(max(polls[0][0], self._polls_at(region, polls[0][2])))
            if backlog := self._first_offer(region):
                times.append(self._requests_at(region, backlog))
                if region.since is not None:
                    times += [region.since + self._max_wait, region.remind_at]
        return max(min(time for time in times if time > now) - now, 0.001)

    # Inside

    @functools.singledispatchmethod
    def _apply(self, outcome: Outcome, export: Export) -> None:
        """Change an export by what its step came to, and put it where its next step is found."""
        raise NotImplementedError(outcome)

    @_apply.register
    def _(self, outcome: Accepted, export: Export) -> None:
        del outcome
        export.stage = Stage.POLL
        self._later(export, FIRST_POLL)
        self._offer(self.backlogs[export.partition])

    @_apply.register
    def _(self, outcome: Working, export: Export) -> None:
        if outcome.finished:
            self._age(export)
        self._later(export, outcome.pause)

    @_apply.register
    def _(self, outcome: Finished, export: Export) -> None:
        export.created, export.stage = outcome.created, Stage.DOWNLOAD
        export.link(outcome.urls, self._clock.monotonic())
        self._age(export)
        self._touched.add(export.partition)
        self._later(export)

    @_apply.register
    def _(self, outcome: Empty, export: Export) -> None:
        export.created, export.stage = outcome.created, Stage.READY
        self._touched.add(export.partition)
        self._later(export)

    @_apply.register
    def _(self, outcome: Moved, export: Export) -> None:
        if outcome.reason:
            self._stats.retried(export.partition)
            self._on_retry(outcome.reason)
        if outcome.stage is Stage.CREATE and export.id:
            export.forget()
            self._touched.add(export.partition)
            self.backlogs[export.partition].request_again(export)
        export.stage = outcome.stage
        self._later(export, outcome.pause)

    @_apply.register
    def _(self, outcome: NoSpace, export: Export) -> None:
        self._on_retry(f"the temporary directory takes no more ({outcome.reason})")
        given_up = self._downloads.make_room(export)
        for one in given_up:
            one.stage = Stage.POLL
        for one in {export, *given_up}:
            self._later(one, outcome.pause)

    @_apply.register
    def _(self, outcome: Refused, export: Export) -> None:
        del outcome
        if export.stage is Stage.CREATE:
            self._bench(export)
        self._later(export)

    @_apply.register
    def _(self, outcome: RateLimited, export: Export) -> None:
        del outcome
        if not self._limited_for_long(export):
            self._later(export)

    @_apply.register
    def _(self, outcome: Split, export: Export) -> None:
        logger.warning("%s; trying it as two halves.", outcome.reason)
        self._stats.split(export.partition)
        self._touched.add(export.partition)
        self._discard(export)
        backlog = self.backlogs[export.partition]
        backlog.replace(export, export.halves(outcome.halves))
        self._offer(backlog)

    @_apply.register
    def _(self, outcome: Failed, export: Export) -> None:
        if not outcome.keep:
            export.forget()
            self._touched.add(export.partition)
        self.fail(export, outcome.reason)

    def _enqueue(self, export: Export) -> None:
        """Put an export where its next step will be found."""
        if export.ready:
            if self._is_head(export):
                heapq.heappush(self._ready, export)
        elif export.stage is Stage.CREATE:
            self._offer(self.backlogs[export.partition])
        elif export.stage is Stage.POLL:
            self._serial += 1
            polls = self._polls.setdefault(self._admission.region(export), [])
            heapq.heappush(polls, (export.due, self._serial, export))
        else:
            self._downloads.add(export)

    def _later(self, export: Export, pause: float = 0.0) -> None:
        """Put an export where its next step will be found, once a pause in seconds is over."""
        export.due = self._clock.monotonic() + pause
        if pause <= 0:
            self._enqueue(export)
            return
        self._serial += 1
        heapq.heappush(self._timers, (export.due, self._serial, export))

    def _offer(self, backlog: Backlog) -> None:
        """Let a partition stand in its region's line with the export that it needs next."""
        export = backlog.next_request
        if export is None or backlog in self._requesting or export.due > self._clock.monotonic():
            return
        self._serial += 1
        region = self._admission.region(export)
        if backlog.turn > region.turns:
            benched = self._benched.setdefault(region, [])
            heapq.heappush(benched, (backlog.turn, self._serial, backlog))
        else:
            offers = self._offers.setdefault(region, [])
            heapq.heappush(offers, (export.priority, self._serial, backlog))

    def _bench(self, export: Export) -> None:
        """A refused partition goes behind the others of its turn, and one of a later turn."""
        region = self._admission.region(export)
        turn = export.priority[:1]
        others = sum(priority[:1] <= turn for priority, *_ in self._offers.get(region, ()))
        self.backlogs[export.partition].turn = region.turns + max(1, others)

    def _first_offer(self, region: Region) -> Backlog | None:
        """The partition of a region that is to be asked for next, left in its line."""
        offers = self._offers.setdefault(region, [])
        benched = self._benched.setdefault(region, [])
        while offers and not self._is_offered(offers[0][2], offers[0][0]):
            heapq.heappop(offers)
        while benched and (benched[0][0] <= region.turns or not offers):
            backlog = heapq.heappop(benched)[2]
            backlog.turn = 0
            if (export := backlog.next_request) and self._is_offered(backlog, export.priority):
                self._serial += 1
                heapq.heappush(offers, (export.priority, self._serial, backlog))
        return offers[0][2] if offers else None

    def _is_offered(self, backlog: Backlog, priority: Priority) -> bool:
        """Whether what stands in line is still what a partition needs, and may be asked for."""
        export = backlog.next_request
        return (
            export is not None
            and export.priority == priority
            and backlog not in self._requesting
            and export.due <= self._clock.monotonic()
        )

    def _requests_at(self, region: Region, backlog: Backlog) -> float:
        """When a region may be asked for an export."""
        export = backlog.next_request
        app = self._admission.app_free_at(export) if export else math.inf
        return max(self._admission.slot_at(region), app)

    def _polls_at(self, region: Region, export: Export) -> float:
        """When exports of a region may be polled."""
        return max(region.polls_not_before, self._admission.app_free_at(export))

    def _next_request(self, now: float) -> Export | None:
        """The export to request next, where a region and a slot are open."""
        if self._requested_enough:
            return None
        only_heads = self._waited_long(now)
        for region in self._in_order():
            while (backlog := self._first_offer(region)) and self._requests_at(
                region, backlog
            ) <= now:
                heapq.heappop(self._offers[region])
                export = backlog.next_request
                if export is None:
                    continue
                if only_heads and not self._is_head(export):
                    self._later(export, BRAKE_SECONDS)
                elif (free := self._admission.token_free_at(export)) > now:
                    self._later(export, min(free - now, BRAKE_SECONDS))
                else:
                    return export
        return None

    def _in_order(self) -> list[Region]:
        """The regions with something to ask for, the one of the most urgent first."""
        found = []
        for region in list(self._admission.regions.values()):
            if (backlog := self._first_offer(region)) and not self._given_up(region):
                export = backlog.next_request
                found.append((export.priority if export else (), region.name, region))
        return [region for *_, region in sorted(found, key=lambda one: one[:2])]

    def _given_up(self, region: Region) -> bool:
        """Give a region up that has refused, or not answered, for too long."""
        now = self._clock.monotonic()
        self._admission.remind(region)
        if region.since is not None and now - region.since >= self._max_wait:
            reason = (
                f"region {region.name} did not accept an export within max_wait_hours "
                f"({region.why()}); run again when it does, or raise max_wait_hours"
            )
        elif words := region.lost_since(now - OUTAGE_SECONDS):
            reason = unreachable(words)
        else:
            return False
        for backlog in list(self._open):
            export = backlog.next_request
            if export and self._admission.region(export) is region:
                self.fail(export, reason)
        self._stats.wait_ended(region.name)
        return True

    def _next_poll(self, now: float) -> Export | None:
        """The export to poll next, where its region, its app and its token may be asked."""
        for region, polls in self._polls.items():
            while polls and self._polls_at(region, polls[0][2]) <= now:
                export = heapq.heappop(polls)[2]
                if export.cancelled or export.stage is not Stage.POLL or export in self._steps:
                    continue
                free = self._admission.token_free_at(export)
                if free <= now:
                    return export
                self._later(export, min(free - now, BRAKE_SECONDS))
        return None

    @property
    def _requested_enough(self) -> bool:
        return self._clock.monotonic() >= self._stop_requesting

    def _is_coming(self, head: Export) -> bool:
        """Whether a head is still waited for after `max_run`: not where polls are refused."""
        now, region = self._clock.monotonic(), self._admission.region(head)
        if head.stage is Stage.CREATE or now > self._stop_requesting + self._patience:
            return head.emittable
        return head.stage is not Stage.POLL or region.polls_not_before - now < BRAKE_SECONDS

    def _age(self, export: Export) -> None:
        """Remember since when a finished export waits at Clover."""
        self._serial += 1
        heapq.heappush(self._aging, (self._clock.monotonic(), self._serial, export))

    def _waited_long(self, now: float) -> bool:
        """Whether a finished export has waited so long that Clover may drop it soon."""
        while self._aging and not self._waits_at_clover(self._aging[0][2]):
            heapq.heappop(self._aging)
        return bool(self._aging) and now - self._aging[0][0] > OLDEST_SECONDS

    @staticmethod
    def _waits_at_clover(export: Export) -> bool:
        started = export.stage is Stage.CREATE or export.ready or export.spool is not None
        return not started and not export.cancelled

    def _limited_for_long(self, export: Export) -> bool:
        """Fail an export that nothing but 429 has come to for longer than is waited for."""
        now, since = self._clock.monotonic(), self._admission.limited_since(export)
        if since is None or now - since < max(self._max_wait, LIMITED_SECONDS):
            return False
        self.fail(
            export,
            f"Clover answered 429 Too Many Requests alone for {(now - since) / 3600:.0f} hours; "
            "look at what else uses this app's tokens, then run again",
        )
        return True

    def _is_head(self, export: Export) -> bool:
        return self.backlogs[export.partition].head is export

    def _discard(self, export: Export) -> None:
        """Give back the disk and the place of an export that nobody will take."""
        self._downloads.discard(export)
        if export not in self._steps:
            self._admission.region(export).at_clover.discard(export)
