"""The queue's ends: what is under way when a run closes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_clover_export.exports.outcomes import Accepted, Outcome, Working
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.queue import Queue
from tests.support.plans import NOW, work

if TYPE_CHECKING:
    from tap_clover_export.exports.export import Export


class Slow:
    """A Clover that takes its time to accept an export."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def advance(self, export: Export) -> Outcome:
        """Accept once it may."""
        if export.id:
            return Working(3600.0)
        self.asked.set()
        assert self.may_answer.wait(60)
        return Accepted("E1", NOW)


def test_a_request_under_way_is_answered_before_the_end() -> None:
    """What Clover accepts while a run closes stands among its pending exports."""
    clover, plan = Slow(), work(days=10)
    queue = Queue([plan], clover, Limits(1, max_wait=60.0))
    queue._start()
    assert clover.asked.wait(60)
    closing = threading.Thread(target=queue.close)
    closing.start()
    closing.join(1.5)
    assert closing.is_alive()
    clover.may_answer.set()
    closing.join(60)
    assert not closing.is_alive()
    assert [pending.id for pending in queue.pending(plan.partition)] == ["E1"]
