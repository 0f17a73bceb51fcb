"""Every fault that Clover or the net can have, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tap_clover_export.clover import transport
from tests.support.harness import ONE, TWO, TYPES, Outcome, assert_whole, catalog, clover, sync

PASSING = [
    "create:429",
    "create:429:retry-after=7",
    "create:500",
    "create:502",
    "create:503",
    "create:504",
    "create:503-hours",
    "create:busy",
    "create:reset",
    "create:reset-after",
    "create:reset-mid",
    "create:short",
    "create:garbage",
    "create:html",
    "create:empty",
    "poll:429",
    "poll:429:retry-after=7",
    "poll:500",
    "poll:502",
    "poll:503",
    "poll:504",
    "poll:503-hours",
    "poll:reset",
    "poll:reset-mid",
    "poll:short",
    "poll:garbage",
    "poll:html",
    "poll:empty",
    "poll:vanish",
    "poll:status=FAILED",
    "poll:status=SOMETHING_NEW",
    "poll:no-urls",
    "poll:same-file-twice",
    "download:429",
    "download:429:retry-after=7",
    "download:500",
    "download:502",
    "download:503",
    "download:504",
    "download:reset",
    "download:reset-mid",
    "download:short",
    "download:garbage",
    "download:html",
    "download:empty",
    "download:expired",
    "download:gone",
    "download:no-elements",
    "download:cut",
]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", PASSING)
def test_passing_fault(fault: str, times: int) -> None:
    """A fault that passes costs nothing: every record comes once, and the run ends with 0."""
    with clover(days=3) as simulator:
        board = simulator.faults.add(f"{fault}*{times}")
        outcome = sync(simulator)
        assert board.fired == times
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert_bookmarks_at_the_end(outcome, simulator.clock.now())


LASTING = {
    "create:400": "Clover refused the request (400 Bad Request",
    "create:401": "Clover refused the token of merchant AAAA1111AAAA1 in region sandbox",
    "create:403": "Clover refused the token of merchant AAAA1111AAAA1 in region sandbox",
    "create:404": "Clover refused the request (404 Not Found",
    "create:500": "Clover could not be reached for 20 minutes (500 Internal Server Error",
    "create:reset": "Clover could not be reached for 20 minutes (the connection failed)",
    "create:html": "Clover could not be reached for 20 minutes (an answer that is not JSON)",
    "create:429": "Clover answers 429 Too Many Requests alone for 24 hours",
    "create:busy": "region sandbox did not accept an export within max_wait_hours (Clover is busy",
    "poll:401": "Clover refused the token of merchant AAAA1111AAAA1",
    "poll:403": "Clover refused the token of merchant AAAA1111AAAA1",
    "poll:500": "Clover could not be reached for 20 minutes",
    "poll:503": "Clover answered 503",
    "poll:garbage": "Clover could not be reached for 20 minutes",
    "poll:stay-pending": "Clover did not finish an export in 180 minutes",
    "poll:status=FAILED": "Clover ended an export with status FAILED 3 times",
    "poll:status=failed": "Clover ended an export with status FAILED 3 times",
    "poll:vanish": "Clover lost an export 4 times",
    "download:500": "Clover could not be reached for 20 minutes",
    "download:503": "Clover answered 503",
    "download:expired": "a file of an export could not be had 6 times",
    "download:gone": "a file of an export could not be had 6 times",
    "download:no-elements": "a file of an export could not be had 6 times",
    "download:garbage": "a file of an export could not be had 6 times",
    "download:reset": "Clover could not be reached for 20 minutes",
    "download:short": "Clover could not be reached for 20 minutes",
}


@pytest.mark.parametrize("fault", LASTING)
def test_lasting_fault(fault: str) -> None:
    """A fault that stays ends with a sentence, and the bookmark stays before the hole."""
    where, _, what = fault.partition(":")
    with clover(days=3, orders_per_day=4, max_concurrent=100) as simulator:
        simulator.faults.add(f"{where}[{ONE}/ORDERS]:{what}")
        payments = {record["id"] for record in simulator.records(ONE, "PAYMENTS")}
        outcome = sync(simulator, poll_interval_seconds=600, step=5)
        assert outcome.code == 1
        assert outcome.sentence.startswith(f"Missing: orders of merchant {ONE} from ")
        assert LASTING[fault] in outcome.sentence
        assert outcome.sentence.endswith(".")
        assert outcome.bookmark("orders", ONE) is None
        assert outcome.records("orders") == []
        assert {identity for _, identity in outcome.counts("payments")} == payments


@pytest.mark.parametrize("fault", [f for f in LASTING if not f.startswith("create:4")])
def test_recovery_in_the_next_run(fault: str) -> None:
    """What a lasting fault left missing comes in the next run, once the fault is gone."""
    where, _, what = fault.partition(":")
    with clover(days=3, orders_per_day=4, max_concurrent=100) as simulator:
        simulator.faults.add(f"{where}[{ONE}/ORDERS]:{what}")
        first = sync(simulator, poll_interval_seconds=600, step=20)
        simulator.faults.clear()
        second = sync(simulator, state=first.state, lookback_days=0)
        assert second.code == 0, second.log
        held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
        assert {identity for _, identity in second.counts("orders")} == held


def test_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang lasts no longer than the read time-out."""
    monkeypatch.setattr(transport, "TIMEOUT", (30.0, 1.0))
    with clover(days=2, orders_per_day=4) as simulator:
        for where in ("create", "poll", "download"):
            simulator.faults.add(f"{where}:hang=60*1")
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)


def test_done_without_urls_for_ever() -> None:
    """DONE without a word of files is asked again a few times, then counts as empty, and said."""
    with clover(days=2, orders_per_day=4) as simulator:
        fault = simulator.faults.add(f"poll[{ONE}/ORDERS]:no-urls")
        outcome = sync(simulator)
        assert outcome.code == 0
        assert fault.fired == 4
        assert outcome.records("orders") == []
        assert "Clover names no files for orders" in outcome.log
        assert_bookmarks_at_the_end(outcome, simulator.clock.now(), slack=60)


def test_outage_of_ten_minutes() -> None:
    """An outage of ten minutes in the middle of everything is survived."""
    with clover(days=70, orders_per_day=2, export_seconds=60) as simulator:
        clock = simulator.clock
        start = clock.now() + 90
        board = simulator.faults
        outage: list[Any] = []

        class Clock:
            now = monotonic = staticmethod(clock.now)

            def sleep(self, seconds: float) -> None:
                clock.advance(seconds)
                if clock.now() >= start and not outage:
                    outage.append(board.add("any:502"))
                if clock.now() >= start + 600:
                    board.clear()

        outcome = sync(simulator, clock=Clock())  # type: ignore[arg-type]
        assert outage
        assert outage[0].fired > 5
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)


def assert_bookmarks_at_the_end(outcome: Outcome, now: float, slack: float = 7200) -> None:
    """Both bookmarks moved to about now, and nothing is pending."""
    from tap_clover_export import times  # noqa: PLC0415

    for stream in TYPES:
        bookmark = outcome.bookmark(stream, ONE)
        assert bookmark
        assert now - slack <= times.to_ms(times.parse(bookmark)) / 1000 <= now
        assert "pending_exports" not in outcome.entry(stream, ONE)


@pytest.mark.parametrize("where", ["create", "poll", "download"])
def test_retry_after_is_honoured(where: str) -> None:
    """A 429 that asks for 47 seconds is left alone for so long."""
    with clover(days=2, orders_per_day=4) as simulator:
        simulator.faults.add(f"{where}:429:retry-after=47*1")
        assert sync(simulator, catalog=catalog(("payments",))).code == 0
        refused = next(n for n, r in enumerate(simulator.requests) if r.status == 429)
        before, after = simulator.requests[refused : refused + 2]
        assert 47 <= after.time - before.time <= 48


@pytest.mark.parametrize("fault", ["any:reset", "create:500"])
def test_an_outage_is_not_stormed(fault: str) -> None:
    """While nobody answers, a region is asked ever less often, however many merchants wait."""
    merchants = tuple(f"M{number:012}" for number in range(30))
    with clover(days=1, orders_per_day=6, merchants=merchants, max_concurrent=9) as simulator:
        board = simulator.faults.add(fault)
        begin = simulator.clock.now()
        outcome = sync(simulator, max_concurrent_exports=8)
        assert outcome.code == 1
        assert "Clover could not be reached for 20 minutes" in outcome.sentence
        assert board.fired < 60
        assert simulator.clock.now() - begin < 25 * 60

        simulator.faults.clear()
        again = sync(simulator, state=outcome.state, max_concurrent_exports=8)
        assert again.code == 0
        assert_whole(again, simulator)


def test_one_merchant_s_outage_holds_up_no_other() -> None:
    """Faults of one merchant's requests alone spare the others the wait."""
    with clover(days=1, merchants=(ONE, TWO), max_concurrent=9) as simulator:
        simulator.faults.add(f"create[{ONE}]:500")
        outcome = sync(simulator, window_days=0.1, max_concurrent_exports=2)
        assert outcome.code == 1
        assert set(outcome.counts("orders", TWO)) == {
            (TWO, record["id"]) for record in simulator.records(TWO, "ORDERS")
        }
