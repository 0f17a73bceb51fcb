"""Files of an odd form through the whole tap."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_clover_export.records import decoder
from tap_clover_export.simulator.service import exports
from tests.support.harness import ONE, assert_whole, clover, sync

if TYPE_CHECKING:
    import pytest


def test_a_file_of_too_many_records_is_emitted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of more records than are decoded at once arrives whole as well."""
    monkeypatch.setattr(decoder, "MAX_RECORDS", 50)
    monkeypatch.setattr(decoder, "BATCH_RECORDS", 20)
    with clover(days=3, orders_per_day=50) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert len(outcome.records("orders")) > 100
        assert_whole(outcome, simulator)


def test_null_elements_and_byte_order_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold no record: the others arrive, and the log says so once a run and stream."""
    monkeypatch.setattr(exports, "HEAD", b'\xef\xbb\xbf{"elements":[null,')
    with clover(days=3, orders_per_day=20, objects_per_file=10) as simulator:
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
    files = Counter(line.split(" null elements of ")[-1] for line in outcome.log.splitlines())
    assert files["orders, which hold no record."] == files["payments, which hold no record."] == 1
    assert "U+FFFD" not in outcome.log


def test_files_with_two_lists_are_not_emitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are fetched again, and end the stream if Clover keeps sending them."""
    monkeypatch.setattr(exports, "TAIL", b'],"elements":[]}')
    with clover(days=3, orders_per_day=20) as simulator:
        outcome = sync(simulator)
    assert outcome.code == 1
    assert "6 times (a file with more than one list of elements)" in outcome.log
    assert outcome.records("orders") == []
    assert outcome.bookmark("orders", ONE) is None
