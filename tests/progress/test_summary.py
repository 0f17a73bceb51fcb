"""The last lines of a run: what is missing, and what is left for the next one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_clover_export import times
from tap_clover_export.planning.plan import Partition
from tap_clover_export.planning.windows import Window
from tap_clover_export.progress import summary
from tap_clover_export.progress.summary import Failure
from tap_clover_export.settings.merchants import Merchant

if TYPE_CHECKING:
    import pytest

T1, T2 = times.parse("2026-01-01"), times.parse("2026-02-01")


def failure(merchant: str, window: Window | None = None) -> Failure:
    """The orders of a merchant that can't go on."""
    partition = Partition(Merchant(merchant, "eu", "", T1), "orders")
    return Failure(partition, "it broke; mend it", window)


def test_nothing_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """Who misses nothing reads nothing."""
    assert summary.missing([]) is None
    assert summary.leftover([], 4, []) is None
    assert caplog.messages == []


def test_one_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence says whose, from when on, why and what to do; a line for programs the same."""
    found = summary.missing([failure("M1", Window(T1, T2))])
    assert found == (
        "Missing: orders of merchant M1 from 2026-01-01T00:00:00.000Z on: it broke; mend it."
    )
    (line,) = caplog.messages
    assert json.loads(line.removeprefix("INCOMPLETE: ")) == {
        "merchant_id": "M1",
        "stream": "orders",
        "region": "eu",
        "from": "2026-01-01T00:00:00.000Z",
        "reason": "it broke; mend it",
    }


def test_many_failures(caplog: pytest.LogCaptureFixture) -> None:
    """The first is told whole, five more by name, the rest as a number; the log has them all."""
    found = summary.missing([failure(f"M{number}") for number in range(8)])
    assert found == (
        "Missing: orders of merchant M0: it broke; mend it; also missing: "
        "orders of merchant M1, orders of merchant M2, orders of merchant M3, "
        "orders of merchant M4, orders of merchant M5 and 2 more (each said above)."
    )
    assert len(caplog.messages) == 8
    assert "more" not in (summary.missing([failure(f"M{n}") for n in range(6)]) or "")


def test_what_is_left() -> None:
    """How much, from when on, and which regions accepted nothing."""
    assert summary.leftover([T2, T1], 4, [("eu", "closed until six")]) == (
        "max_run_hours is over; left for the next run: 2 of 4 streams of merchants, "
        "the earliest from 2026-01-01T00:00:00.000Z. "
        "Region eu accepted no export in this run: closed until six."
    )
