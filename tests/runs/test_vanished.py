"""Files that are gone while Clover says DONE, and answers that cover less, are never empty."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runs.test_resume import HOUR, interrupted, pending
from tests.support.harness import (
    ONE,
    Outcome,
    assert_whole,
    assert_whole_to_bookmarks,
    clover,
    iso,
    sync,
)

PAGES = {"days": 3, "orders_per_day": 20, "objects_per_file": 10}


@pytest.mark.parametrize("form", ["no-links", "empty-list"])
def test_links_that_are_gone_in_the_middle(form: str) -> None:
    """Files were named and one was emitted: with no links later the export is created again."""
    with clover(**PAGES) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:links-once:{form}*1")
        expired = simulator.faults.add(f"download[{ONE}/ORDERS]:expired*1@1")
        outcome = sync(simulator)
        assert expired.fired == 1
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator, twice=10)
        assert [export.type for export in simulator.exports].count("ORDERS") == 2
        assert "no longer names all its files; creating it again" in outcome.log


@pytest.mark.parametrize("form", ["no-links", "empty-list"])
def test_links_that_are_gone_every_time(form: str) -> None:
    """It ends with a sentence, and the bookmark stays where it is."""
    with clover(**PAGES) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:links-once:{form}")
        simulator.faults.add(f"download[{ONE}/ORDERS]:expired")
        outcome = sync(simulator)
        assert outcome.code == 1
        assert f"Missing: orders of merchant {ONE} from " in outcome.sentence
        assert "Clover lost an export 4 times" in outcome.sentence
        assert outcome.bookmark("orders", ONE) is None


@pytest.mark.parametrize("gone_as", ["no-links", "empty-list", "404"])
@pytest.mark.parametrize("hours", [20.5, 23.9])
def test_a_pending_export_whose_files_are_gone(gone_as: str, hours: float) -> None:
    """Resumed within Clover's day, it is DONE without files: created again, not empty."""
    with clover(days=3, export_seconds=600, gone_as=gone_as, file_hours=20) as simulator:
        first = interrupted(simulator, 60)
        known = pending(first)
        assert known
        simulator.clock.advance(hours * HOUR)
        second = sync(simulator, state=first.state, step=60)
        assert second.code == 0, second.log
        assert [request.kind for request in simulator.requests].count("download")
        assert f"Export {known[0]['id']} of orders of merchant {ONE}" in second.log
        assert_whole_to_bookmarks(Outcome(0, first.output + second.output, ""), simulator)


@pytest.mark.parametrize("form", ["start", "end"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_export_that_covers_less_than_was_asked(form: str, times: int) -> None:
    """It is no answer: the window is asked for again as halves, and nothing is missing."""
    with clover(days=20, orders_per_day=5) as simulator:
        simulator.faults.add(f"create[{ONE}/ORDERS]:narrowed:{form}*{times}")
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator, twice=times + 1)
        assert outcome.log.count("Clover covers only a part of orders") == times


def test_a_clover_that_drops_milliseconds() -> None:
    """Windows end at whole seconds, so such an export is what was asked for, halves too."""
    with clover(days=20, orders_per_day=5) as simulator:
        simulator.clock.advance(0.789)
        simulator.faults.add(f"create[{ONE}/ORDERS]:narrowed:end*1")
        simulator.faults.add("create:narrowed:whole-seconds")
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole_to_bookmarks(outcome, simulator)
        assert outcome.log.count("Clover covers only a part of orders") == 1


def test_a_bookmark_of_such_a_clover() -> None:
    """Its own clock, which is behind, gives the bookmark milliseconds; no window ends at them."""
    with clover(days=20, orders_per_day=5, clock_skew_seconds=-1.3) as simulator:
        simulator.faults.add("create:narrowed:whole-seconds")
        first = sync(simulator)
        assert str(first.bookmark("orders", ONE)).endswith(".700Z")
        simulator.clock.advance(24 * HOUR)
        options: dict[str, Any] = {"late_changes_days": 10, "late_changes_every_days": 1}
        second = sync(simulator, state=first.state, window_days=1, **options)
        assert (first.code, second.code) == (0, 0), second.log
        assert "Clover covers only a part" not in first.log + second.log
        assert {one["purpose"] for one in second.records("exports")} == {"new", "late_changes"}


@pytest.mark.parametrize("form", ["start", "end", "type"])
def test_exports_that_always_cover_less(form: str) -> None:
    """It ends with a sentence, and no bookmark passes what was not exported."""
    with clover(days=2, orders_per_day=5) as simulator:
        simulator.faults.add(f"create[{ONE}/ORDERS]:narrowed:{form}")
        outcome = sync(simulator)
        assert outcome.code == 1
        assert "Clover made another export than the one of orders" in outcome.sentence
        assert outcome.bookmark("orders", ONE) is None
        assert outcome.records("orders") == []
        assert outcome.records("payments")


@pytest.mark.parametrize("form", ["no-links", "empty-list"])
def test_no_files_where_there_were_some(form: str) -> None:
    """Created again after its files were gone, an export without files is not empty either."""
    with clover(**PAGES) as simulator:
        simulator.faults.add(f"poll[{ONE}/ORDERS]:links-once:{form}*1")
        simulator.faults.add(f"download[{ONE}/ORDERS]:expired*1")
        kind = {"no-links": "no-urls", "empty-list": "empty-urls"}[form]
        gone = simulator.faults.add(f"poll[{ONE}/ORDERS]:{kind}@2")
        outcome = sync(simulator)
        assert gone.fired > 1
        assert outcome.code == 1
        assert outcome.bookmark("orders", ONE) is None
        simulator.faults.clear()
        again = sync(simulator, state=outcome.state)
        assert again.code == 0
        both = Outcome(0, outcome.output + again.output, "")
        assert_whole(both, simulator, twice=len(simulator.records(ONE, "PAYMENTS")))


@pytest.mark.parametrize("form", ["no-links", "empty-list"])
@pytest.mark.parametrize("known", [True, False])
def test_no_files_in_both_parts_where_there_were_some(form: str, *, known: bool) -> None:
    """Cut in two, by a look-back or a create that is too much, neither part is taken for empty."""
    with clover(days=12, orders_per_day=6, window_field="createdTime") as simulator:
        end = iso(simulator.clock.now() - 3 * 24 * HOUR)
        before = sync(simulator, end_date=end) if known else None
        simulator.faults.add(f"download[{ONE}/ORDERS]:expired*1")
        simulator.faults.add(f"poll[{ONE}/ORDERS]:links-once:{form}*1")
        kind = {"no-links": "no-urls", "empty-list": "empty-urls"}[form]
        simulator.faults.add(f"poll[{ONE}/ORDERS]:{kind}@2")
        if not known:
            simulator.faults.add(f"create[{ONE}/ORDERS]:400-internal*3@1")
        outcome = sync(simulator, state=before.state if before else None)
        assert outcome.code == 1
        assert "as a whole" in outcome.log or "by itself" in outcome.log
        assert outcome.records("orders") == []
        bookmark = outcome.bookmark("orders", ONE)
        assert bookmark == (before.bookmark("orders", ONE) if before else None)
