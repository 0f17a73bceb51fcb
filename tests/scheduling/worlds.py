"""Random worlds: a Clover in memory, shops, loaders and nights, all on a clock that jumps.

This Clover restates Clover's rules on its own; every world comes from its seed alone. Each sale is
a moment in time, so that what is lost can be told exactly.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum

from tap_clover_export import times
from tap_clover_export.clover.responses import ExportAnswer
from tap_clover_export.errors import (
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    SpoolError,
    TransientError,
)
from tap_clover_export.run import Run
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.clover.client import Sink
    from tap_clover_export.planning.plan import ExportType, Partition
    from tap_clover_export.planning.windows import Window

HOUR = 3600.0
DAY = 24 * HOUR
START = times.to_ms(pendulum.datetime(2026, 3, 2, 9)) / 1000
LATENCY = 0.1
FILE_SALES = 3
STREAMS = ("orders", "payments")

OPEN = {
    "us": [(day, 10.0, 15.0) for day in range(7)],
    "eu": [(day, 1.0, 5.0) for day in range(5)] + [(5, 2.0, 5.0), (6, 2.0, 6.0)],
}
"""Clover's own hours: day of the week, from, to."""

WORDS = {"us": "MON-SUN 10:00-15:00", "eu": "MON-FRI 01:00-05:00, SAT 02:00-05:00, SUN 02:00-06:00"}


class Killed(BaseException):
    """The end of a process that nothing announces."""


class Wrong(BaseException):
    """What must not happen, in no world; passes every `except Exception` of the tap."""


def demand(condition: object, message: str) -> None:
    """Something holds in every world."""
    if not condition:
        raise Wrong(message)


@dataclasses.dataclass
class Time:
    """A clock that jumps; `shift` is how far the machine's own clock was set back or ahead."""

    seconds: float = 0.0
    shift: float = 0.0
    killed_at: float = float("inf")
    ends_at: float = float("inf")
    steps: int = 0

    def now(self) -> float:
        """Seconds since the epoch, as the machine has it."""
        return START + self.seconds + self.shift

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass; a process may be killed, or hang, in it."""
        self.steps += 1
        demand(self.steps < 100_000, "it turns without getting anywhere")
        self.seconds += seconds
        demand(self.seconds < self.ends_at, "the run does not end")
        if self.seconds >= self.killed_at:
            raise Killed


@dataclasses.dataclass
class Job:
    """An export at this Clover."""

    id: str
    merchant: Merchant
    kind: ExportType
    start: int
    end: int
    created: float
    done: float
    files: list[list[int]]
    fails: bool
    vanishes: bool
    late_links: int


@dataclasses.dataclass
class Mood:
    """How a world's Clover is.

    Attributes:
        slots: Places a region.
        foreign: How many of them others take, hour by hour.
        words: Whether its 503s say why.
        seconds: How long an export lasts, at least and at most.
        faults: The share of requests that meet a transient fault.
        limits: The share of requests that are answered with 429.
        fails: The share of exports that end in a status nobody knows.
        vanishes: The share of exports that are lost on their way.
        late_links: DONE without links, this often at most, before the links come.
        no_key: Whether an empty export has no word of files.
        gone: What an export is after its day: 404, no links, or an empty list.
        lag: For how long a new export answers 404.
        too_much: Wider windows are called too heavy, in seconds.
        narrows: Whether windows of more than 29 days are cut to them.
        always_open: Whether the documented hours are no longer true.
        refuses_polls: Whether a closed region refuses polls too.
    """

    slots: dict[str, int]
    foreign: dict[str, list[int]]
    words: bool
    seconds: tuple[float, float]
    faults: float
    limits: float
    fails: float
    vanishes: float
    late_links: int
    no_key: bool
    gone: str
    lag: float
    too_much: float
    narrows: bool
    always_open: bool
    refuses_polls: bool


class Clover:
    """Clover's Export API in memory, one region's rules for each merchant."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = random.Random(f"clover {world.seed}")
        self.jobs: dict[str, Job] = {}
        self.running: dict[str, list[float]] = {region: [] for region in world.mood.slots}
        self.not_before: dict[tuple[str, str], float] = {}
        self.early: list[str] = []
        self.requests = 0

    # The three requests

    def create(self, merchant: Merchant, kind: ExportType, window: Window) -> ExportAnswer:
        """Accept an export, or say why not."""
        self._arrive(merchant)
        mood, region = self.world.mood, merchant.region
        start, end = times.to_ms(window.start), times.to_ms(window.end)
        demand(0 < end - start <= 30 * DAY * 1000, "a window that is too wide")
        if not self.is_open(region):
            words = f"Exports are accepted {WORDS[region]}" if mood.words else ""
            raise self._unavailable(words)
        if not self.has_room(region):
            words = "Too many concurrent exports" if mood.words else ""
            raise self._unavailable(words)
        if (end - start) / 1000 > mood.too_much:
            raise BadRequestError("400 Bad Request: Internal Error")
        now = self.now()
        if mood.narrows and end - start > 29 * DAY * 1000:
            end -= int(DAY * 1000)
        chance = self.chance
        sales = self.world.sales[merchant.id, kind]
        first, last = bisect_left(sales, start), bisect_left(sales, min(end, int(now * 1000)))
        found = sales[first:last]
        job = Job(
            id=f"E{len(self.jobs)}",
            merchant=merchant,
            kind=kind,
            start=start,
            end=end,
            created=now,
            done=now + chance.uniform(*mood.seconds),
            files=[found[at : at + FILE_SALES] for at in range(0, len(found), FILE_SALES)],
            fails=chance.random() < mood.fails,
            vanishes=chance.random() < mood.vanishes,
            late_links=chance.randint(0, mood.late_links),
        )
        self.jobs[job.id] = job
        self.running[region].append(job.done)
        return self._describe(job, "PENDING")

    def poll(self, merchant: Merchant, export_id: str) -> ExportAnswer:
        """Say how an export is."""
        self._arrive(merchant)
        job, now, mood = self.jobs[export_id], self.now(), self.world.mood
        demand(job.merchant.id == merchant.id, "an export of another merchant")
        if mood.refuses_polls and not self.is_open(merchant.region):
            raise self._unavailable(WORDS[merchant.region] if mood.words else "")
        if now < job.created + mood.lag:
            raise NotFoundError("404 Not Found")
        if now < job.done:
            return self._describe(job, "IN_PROGRESS")
        if job.vanishes:
            raise NotFoundError("404 Not Found")
        if job.fails:
            return self._describe(job, "FAILED")
        if now >= job.done + DAY:
            if mood.gone == "404":
                raise NotFoundError("404 Not Found")
            return self._describe(job, "DONE", () if mood.gone == "empty list" else None)
        if job.late_links:
            job.late_links -= 1
            return self._describe(job, "DONE")
        if not job.files:
            return self._describe(job, "DONE", None if mood.no_key else ())
        until = int(now + HOUR)
        links = [f"https://files/{job.id}/{n}?{until}" for n in range(len(job.files))]
        return self._describe(job, "DONE", tuple(links))

    def download(self, _: Merchant, url: str, into: Sink) -> int:
        """Send a file; the disk it goes to may be full."""
        self.world.time.sleep(LATENCY)
        path, until = url.split("?")
        job_id, number = path.split("/")[-2:]
        job = self.jobs[job_id]
        if self.now() > float(until) or self.now() >= job.done + DAY:
            raise NotFoundError("the download link answered 403")
        if self.chance.random() < self.world.mood.faults:
            raise TransientError("the connection failed")
        content = json.dumps(job.files[int(number)]).encode()
        if self.world.disk_used() + len(content) > self.world.disk:
            raise SpoolError("No space left on device")
        return into.write(content)

    def close_to_refreshes(self) -> None:
        """No token is refreshed here."""

    def close(self) -> None:
        """Nothing is open."""

    # The rules

    def now(self) -> float:
        """Clover's clock, seconds since the epoch."""
        return START + self.world.time.seconds

    def is_open(self, region: str, seconds: float | None = None) -> bool:
        """Whether a region accepts exports, now or at another moment."""
        if self.world.mood.always_open or region not in OPEN:
            return True
        moment = START + (self.world.time.seconds if seconds is None else seconds)
        day, rest = divmod(moment / DAY + 3, 1)  # the epoch began on a Thursday
        return any(
            int(day) % 7 == weekday and begin <= rest * 24 < end
            for weekday, begin, end in OPEN[region]
        )

    def has_room(self, region: str, seconds: float | None = None) -> bool:
        """Whether a region has a place for one more export."""
        seconds = self.world.time.seconds if seconds is None else seconds
        mood, running = self.world.mood, self.running[region]
        running[:] = [done for done in running if START + self.world.time.seconds - DAY < done]
        own = sum(START + seconds < done for done in running)
        foreign = mood.foreign[region]
        return own + foreign[int(seconds // HOUR) % len(foreign)] < mood.slots[region]

    def is_free(self, region: str, seconds: float) -> bool:
        """Whether a region would have taken an export at a moment."""
        limited = any(seconds < until for until in self.not_before.values())
        return not limited and self.is_open(region, seconds) and self.has_room(region, seconds)

    def _arrive(self, merchant: Merchant) -> None:
        """A request comes: within the rules of 429, and with its share of faults."""
        self.world.time.sleep(LATENCY)
        self.world.watch()
        self.requests += 1
        now, mood = self.world.time.monotonic(), self.world.mood
        for scope in (("token", merchant.id), ("app", merchant.api_url)):
            if now < self.not_before.get(scope, 0.0) - 0.001:
                self.early.append(f"{scope} at {now}, not before {self.not_before[scope]}")
        roll = self.chance.random()
        if roll < mood.limits:
            whose = self.chance.choice(["token", "app"])
            pause = self.chance.choice([1.0, 30.0, 300.0])
            key = ("token", merchant.id) if whose == "token" else ("app", merchant.api_url)
            self.not_before[key] = now + pause
            raise RateLimitedError(pause, "token" if whose == "token" else "app")
        if roll < mood.limits + mood.faults:
            raise TransientError("502 Bad Gateway")

    def _unavailable(self, words: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(words, None, times.from_seconds(self.now()))

    def _describe(self, job: Job, status: str, urls: tuple[str, ...] | None = None) -> ExportAnswer:
        created = times.from_seconds(job.created)
        return ExportAnswer(job.id, status, created, urls, job.kind, job.start, job.end)


class States:
    """Keeps the last state that was written."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.last: dict[str, Any] = {}

    def write_state(self, state: dict[str, Any], *, last: bool = False) -> None:
        """Keep it, once it is seen to be true."""
        del last
        self.last = copy.deepcopy(state)
        self.world.check(self.last)

    write_if_due = write_state

    def raise_if_closed(self) -> None:
        """Somebody reads."""


class World:
    """One world, from its seed."""

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        """Make a world.

        Args:
            seed: All of it.
            calm: Nothing fails for good, so that no partition may.
        """
        self.seed = seed
        chance = self.chance = random.Random(f"world {seed}")
        self.calm = calm
        regions = chance.sample(["us", "eu", "sandbox"], chance.choice([1, 1, 2, 3]))
        self.days = chance.choice([3, 40, 40, 100])
        base = chance.choice([1.0, 20.0, 130.0, 900.0, 1.5 * HOUR])
        if base > HOUR / 2:
            self.days = min(self.days, 40)
        self.mood = Mood(
            slots={region: chance.randint(1 + calm, 4) for region in regions},
            foreign={
                region: [chance.choice([0, 0, 0, 1, 0 if calm else 4]) for _ in range(24)]
                for region in regions
            },
            words=chance.random() < 0.6,
            seconds=(base * 0.5, base * 1.5),
            faults=chance.choice([0.0, 0.0, 0.05, 0.2]),
            limits=chance.choice([0.0, 0.0, 0.02, 0.1]),
            fails=0.0 if calm else chance.choice([0.0, 0.0, 0.02]),
            vanishes=0.0 if calm else chance.choice([0.0, 0.0, 0.05]),
            late_links=chance.choice([0, 0, 3]),
            no_key=chance.random() < 0.5,
            gone=chance.choice(["404", "no links", "empty list"]),
            lag=chance.choice([0.0, 0.0, 0.4, 20.0]),
            too_much=chance.choice([1e9, 1e9, 1e9, 10 * DAY]),
            narrows=chance.random() < 0.1,
            always_open=chance.random() < 0.2,
            refuses_polls=chance.random() < 0.2,
        )
        self.time = Time(seconds=chance.uniform(0, DAY))
        self.loader_seconds = chance.choice([0.0, 0.0, 1.0, 60.0, 900.0])
        self.disk = chance.choice([1 << 30, 1 << 30, 1 << 30, 3000, 1500])
        self.merchants = tuple(
            Merchant(
                f"{region.upper()}{number}",
                region,
                f"https://{region}",
                times.from_seconds(START - self.days * DAY),
                Secret("token"),
            )
            for region in regions
            for number in range(1 if base > HOUR / 2 else chance.randint(1, 2))
        )
        begin, end = int((START - self.days * DAY) * 1000), int((START + 40 * DAY) * 1000)
        self.sales = {
            (merchant.id, kind): sorted(
                chance.randrange(begin, end) for _ in range(chance.choice([0, 5, 200]))
            )
            for merchant in self.merchants
            for kind in ("ORDERS", "PAYMENTS")
        }
        self.settings = Settings(
            merchants=self.merchants,
            client_id=None,
            token_store=Path("nowhere"),
            end=None,
            lookback=pendulum.duration(days=chance.choice([0, 7])).as_timedelta(),
            late_changes=pendulum.duration(days=chance.choice([0, 0, 30])).as_timedelta(),
            late_changes_every=pendulum.duration(days=chance.choice([0.4, 2])).as_timedelta(),
            window=pendulum.duration(days=chance.choice([30, 30, 7])).as_timedelta(),
            max_concurrent_exports=chance.randint(1, 5),
            poll_interval=chance.choice([60.0, 300.0]),
            export_timeout=3 * HOUR,
            max_run=None if calm else chance.choice([None, None, 0.5 * HOUR, 2 * HOUR, 20 * HOUR]),
            max_wait=chance.choice([26 * HOUR, 48 * HOUR])
            if calm
            else chance.choice([0.0, HOUR, 24 * HOUR, 24 * HOUR]),
        )
        self.clover = Clover(self)
        self.emitted: dict[tuple[str, str], set[int]] = {key: set() for key in self.sales}
        self.spans: dict[tuple[str, str], tuple[int, int]] = {}
        self.state: dict[str, Any] = {}
        self.run: Run | None = None
        self.idle: dict[str, float] = {}
        self._watched = self.time.seconds

    # What holds in every world

    def check(self, state: dict[str, Any]) -> None:
        """Everything that counts as covered was emitted before; what is covered never shrinks."""
        for stream, content in state.get("bookmarks", {}).items():
            for entry in content["partitions"]:
                bookmark = entry.get("replication_key_value")
                if bookmark is None:
                    continue
                until = times.to_ms(times.parse(bookmark))
                key = (entry["context"]["merchant_id"], _kind(stream))
                since = times.to_ms(times.parse(entry["exported_from"]))
                missing = [
                    sale
                    for sale in self.sales[key]
                    if since <= sale < until and sale not in self.emitted[key]
                ]
                span = f"{entry['exported_from']} to {bookmark}"
                demand(not missing, f"lost: {len(missing)} of {key} in {span}")
                before, after = self.spans.get(key, (since, until))
                demand(since <= before and after <= until, f"{key} shrinks to {span}")
                self.spans[key] = since, until

    def watch(self) -> None:
        """Count the time in which a region would take an export that nobody asks for."""
        since, self._watched = self._watched, self.time.seconds
        run = self.run
        if run is None or self._over(run):
            return
        room = run.queue.running < self.settings.max_concurrent_exports
        for region in self.mood.slots:
            mine = [b for b in run.queue.backlogs.values() if b.partition.merchant.region == region]
            if not room or not any((b.active and not b.failures) or b.next_request for b in mine):
                self.idle[region] = 0.0
                continue
            moment = since
            while moment < self.time.seconds:
                step = min(300.0, self.time.seconds - moment)
                free = self.clover.is_free(region, moment)
                self.idle[region] = self.idle.get(region, 0.0) + step if free else 0.0
                demand(
                    self.idle[region] < self.bound,
                    f"region {region} stands still for {self.idle[region]:.0f} s",
                )
                moment += step

    @property
    def bound(self) -> float:
        """For how long a region that is open and has room may get no further, in seconds.

        Half an hour until a region that refused without words is asked again, five minutes of
        busy pause, some pauses after faults, and two exports one after the other.
        """
        return HOUR + 2 * self.mood.seconds[1]

    def _over(self, run: Run) -> bool:
        return run.queue._scheduler._deadline.passed

    def disk_used(self) -> int:
        """What lies in the temporary directory."""
        assert self.run
        spooled = self.run.queue._scheduler._downloads.spooled
        return sum(export.spool._end for export in spooled if export.spool)

    # Nights

    def night(self) -> int | None:
        """One run; answers its exit code, None where it was killed."""
        states = States(self)
        states.last = copy.deepcopy(self.state)
        run = Run(
            self.settings,
            STREAMS,
            copy.deepcopy(self.state),
            states,
            clock=self.time,
            workers=0,
        )
        vars(run)["client"] = self.clover
        self.time.steps = 0
        self.time.ends_at = self.time.seconds + 30 * DAY
        self.run, self.idle, self._watched = run, {}, self.time.seconds
        self.clover.not_before.clear()  # a new process knows nothing of them
        begin = self.time.seconds
        try:
            run.prepare()
            while export := run.next():
                key = (export.partition.merchant.id, export.partition.type)
                for content in run.files(export):
                    self._load(run)
                    self.emitted[key] |= set(json.loads(content))
                    self._grew(export.partition)
                    run.checkpoint()
                if export.emitted:
                    self._grew(export.partition)
                    run.finish(export)
            run.close()
        except Killed:
            run.queue._scheduler.clear()
            return None
        finally:
            self.state, self.run, self.time.killed_at = states.last, None, float("inf")
        if self.settings.max_run is not None:
            loading = 200 * self.loader_seconds
            longest = self.settings.max_run + self.settings.export_timeout + HOUR + loading
            demand(self.time.seconds - begin <= longest, "max_run_hours bounds nothing")
        return 1 if run.missing() else 0

    def _load(self, run: Run) -> None:
        """The loader takes its time, while the workers go on."""
        end, scheduler = self.time.seconds + self.loader_seconds, run.queue._scheduler
        while self.time.seconds < end:
            if export := scheduler.next_step():
                run.queue._step(export)
            else:
                left = end - self.time.seconds
                self.time.sleep(min(left, scheduler.seconds_until_next_step()))

    def _grew(self, partition: Partition) -> None:
        """A region got further; where the loader is what all wait for, so did the others."""
        if self.loader_seconds:
            self.idle.clear()
            self._watched = self.time.seconds
        self.idle[partition.merchant.region] = 0.0

    def covered_to(self, moment: float) -> bool:
        """Whether everything up to a moment's whole second, of all partitions, is covered."""
        wanted = times.to_text(times.from_seconds((START + moment) // 1))
        return all(
            (entry.get("replication_key_value") or "") >= wanted
            and entry["exported_from"] <= times.to_text(merchant.start)
            for merchant, entry in self._entries()
        )

    def searched_since(self, moment: float) -> bool:
        """Whether late changes of all partitions were looked for since a moment, if they are."""
        wanted = times.to_text(times.from_seconds(START + moment))
        return not self.settings.late_changes or all(
            (entry.get("late_changes_at") or "") >= wanted for _, entry in self._entries()
        )

    def _entries(self) -> Iterator[tuple[Merchant, dict[str, Any]]]:
        found = {
            (stream, entry["context"]["merchant_id"]): entry
            for stream, content in self.state.get("bookmarks", {}).items()
            for entry in content["partitions"]
        }
        for merchant in self.settings.merchants:
            for stream in STREAMS:
                yield merchant, found.get((stream, merchant.id), {})

    def starts(self, days: float) -> None:
        """Another `start_date`, in days before the world began."""
        start = times.from_seconds(START - days * DAY)
        merchants = tuple(dataclasses.replace(one, start=start) for one in self.merchants)
        self.settings = dataclasses.replace(self.settings, merchants=merchants)

    def nights(self) -> Iterator[int | None]:
        """Some nights, some of them cut short; each begins hours after the last."""
        for _ in range(self.chance.randint(1, 4)):
            if self.chance.random() < 0.4:
                self.time.killed_at = self.time.seconds + self.chance.choice(
                    [self.chance.uniform(0, 100), self.chance.uniform(0, 2 * DAY)]
                )
            if self.chance.random() < 0.1:
                self.time.shift += self.chance.choice([-2 * HOUR, 600.0, -60.0])
            yield self.night()
            self.time.seconds += self.chance.choice([60.0, 6 * HOUR, 23.5 * HOUR])


def _kind(stream: str) -> str:
    return "ORDERS" if stream == "orders" else "PAYMENTS"
