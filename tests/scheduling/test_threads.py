"""The queue's threads, many times over, with seeded delays and faults."""

from __future__ import annotations

import ast
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.clock import SystemClock
from tap_clover_export.clover import client
from tap_clover_export.clover.responses import ExportAnswer
from tap_clover_export.errors import NotFoundError, Stopped, TransientError
from tap_clover_export.exports import backoff
from tap_clover_export.exports.exporter import Exporter
from tap_clover_export.scheduling import admission
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.queue import Queue
from tests.support.plans import NOW, work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.clover.client import Sink
    from tap_clover_export.exports.export import Export
    from tap_clover_export.planning.plan import ExportType, Partition
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant

SLOTS, FILES = 3, 4
MOST_LOST = 2
"""Fewer losses of one export than the tap puts up with."""


class Client:
    """Clover in memory: odd delays, lost exports, links that are no longer good."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.made: dict[str, tuple[str, ExportType, Window]] = {}
        self.lost: Counter[tuple[str, ExportType, Window]] = Counter()
        self.working: set[str] = set()
        self.most = 0

    def happens(self, share: float) -> bool:
        """Whether a fault strikes, after a pause of odd length."""
        with self.lock:
            pause, strikes = self.chance.random() / 2000, self.chance.random() < share
        time.sleep(pause)
        return strikes

    def create(self, merchant: Merchant, kind: ExportType, window: Window) -> ExportAnswer:
        """Accept an export."""
        if self.happens(0.1):
            raise TransientError("500")
        with self.lock:
            identity = f"E{len(self.made)}"
            self.made[identity] = (merchant.id, kind, window)
            self.working.add(identity)
            self.most = max(self.most, len(self.working))
        return ExportAnswer(identity, "PENDING")

    def poll(self, _: Merchant, identity: str) -> ExportAnswer:
        """Finish an export sooner or later."""
        place = self.made[identity]
        if self.lost[place] < MOST_LOST and self.happens(0.05):
            self.lost[place] += 1
            self.working.discard(identity)
            raise NotFoundError("404")
        if identity in self.working and self.happens(0.4):
            return ExportAnswer(identity, "PENDING")
        self.working.discard(identity)
        links = tuple(f"https://files/{identity}/{n}?{time.time()}" for n in range(FILES))
        return ExportAnswer(identity, "DONE", urls=links)

    def download(self, _: Merchant, url: str, into: Sink) -> int:
        """Send a file in two halves, or only one of them."""
        content = url.partition("?")[0].encode()
        into.write(content[:9])
        if self.happens(0.1):
            raise TransientError("reset")
        if self.happens(0.05):
            raise NotFoundError("410")
        into.write(content[9:])
        return len(content)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pauses, and a switch of threads after every few instructions."""
    monkeypatch.setattr(backoff, "LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(backoff, "FIRST_POLL", 0.001)
    monkeypatch.setattr(backoff, "YOUNG_SECONDS", 0.0)
    monkeypatch.setattr(admission, "TOKEN_BUDGET", (1e9, 2))
    monkeypatch.setattr(admission, "APP_BUDGET", (1e9, 5))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _queue(client: Client) -> Queue:
    items = [
        work(f"M{n}", stream, region=region, days=60, lookback=0, width=20, number=n)
        for n, region in enumerate(("eu", "us", "eu", "us"))
        for stream in ("orders", "payments")
    ]
    exporter = Exporter(client, SystemClock(), poll_interval=0.001, timeout=1e9)
    return Queue(items, exporter, Limits(slots=SLOTS, max_wait=1e9), workers=6)


def _emit(queue: Queue, export: Export, chance: random.Random, taken: list[str]) -> None:
    while (content := queue.file(export)) is not None:
        if chance.random() < 0.1:
            queue.reject(export, "no JSON")
        else:
            taken.append(content.decode())


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("seed", range(25))
def test_every_export_is_emitted_whole_once_and_in_order(seed: int) -> None:
    """Whatever the threads do at the same time, nothing is lost, doubled or out of turn."""
    client, chance = Client(seed), random.Random(seed)
    taken: list[str] = []
    ends: defaultdict[Partition, list[Window]] = defaultdict(list)
    with _queue(client) as queue:
        while export := queue.next():
            _emit(queue, export, chance, taken)
            if export.emitted:
                ends[export.partition].append(export.window)
                files = {f"https://files/{export.id}/{n}" for n in range(FILES)}
                assert files <= set(taken)
                queue.emitted(export)
        assert queue.failures == []
    assert len(ends) == 8
    for windows in ends.values():
        assert windows == sorted(windows, reverse=True)
        assert [w.start for w in windows[:-1]] == [w.end for w in windows[1:]]
        assert windows[0].end == NOW
    assert max(Counter(taken).values()) == 1
    assert client.most <= SLOTS
    assert not [t for t in threading.enumerate() if t.name.startswith("clover-")]


def _emit_some(queue: Queue, files: int) -> None:
    """Take so many files, then close the queue as one more is taken."""
    while export := queue.next():
        while queue.file(export) is not None:
            files -= 1
            if files < 0:
                queue.close()
        if export.emitted:
            queue.emitted(export)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("seed", range(10))
def test_stopping_anywhere_leaves_no_thread_and_no_disk(seed: int) -> None:
    """The queue is closed while its threads are in the middle of their steps."""
    client, chance = Client(seed), random.Random(seed)
    queue = _queue(client)
    with queue, pytest.raises(Stopped):
        _emit_some(queue, chance.randrange(60))
    deadline = time.monotonic() + 30
    while any(t.name.startswith("clover-") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert all(e.spool is None for backlog in queue.backlogs.values() for e in backlog.active)


def test_who_counts_waits_for_nobody() -> None:
    """The display counts in a lock that a line of the log waits for, written in the queue's."""
    exporter = Exporter(Client(1), SystemClock(), poll_interval=1, timeout=1e9)
    queue = Queue([work(behind=1, pending=(8, 0.5))], exporter, Limits(1, max_wait=1))
    counts = [queue.running]
    with queue._changed:
        thread = threading.Thread(target=lambda: counts.append(queue.running), daemon=True)
        thread.start()
        thread.join(30)
        assert counts == [1, 1]


@pytest.mark.parametrize(
    "file", sorted(Path(client.__file__).parents[1].rglob("*.py")), ids=lambda file: file.name
)
def test_no_type_is_first_used_by_many_threads(file: Path) -> None:
    """Each type has a decoder that is made at import, not with the first `decode(type=...)`.

    msgspec 0.22 crashes where several threads make one of the same type at once.
    """
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and "decode" in ast.unparse(node.func):
            assert "type" not in [word.arg for word in node.keywords], ast.unparse(node)
