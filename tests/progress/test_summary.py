"""The last lines of a run: what is missing, and what is left for the next one."""

from __future__ import annotations

import json

import pytest

from tap_clover_export import times
from tap_clover_export.planning.plan import Partition, Purpose
from tap_clover_export.planning.windows import Window
from tap_clover_export.progress import summary
from tap_clover_export.progress.summary import Failure
from tap_clover_export.settings.merchants import Merchant

T1, T2, T3 = map(times.parse, ("2026-01-01", "2026-02-01", "2026-03-01"))
T1_TEXT, T2_TEXT, T3_TEXT = map(times.to_text, (T1, T2, T3))
LATE = None, T3_TEXT


def failure(
    merchant: str, purpose: Purpose = Purpose.NEW, reason: str = "it broke; mend it"
) -> Failure:
    """The orders of a merchant that can't go on with a window."""
    partition = Partition(Merchant(merchant, "eu", "", T1), "orders")
    return Failure(partition, reason, purpose, Window(T2, T3), T2)


def test_what_was_not_new() -> None:
    """A look-back is told by its bounds; of a stream without a bookmark all is missing."""
    partition = Partition(Merchant("M1", "eu", "", T1), "orders")
    known = Failure(partition, "it broke", Purpose.NEW, Window(T1, T2), T3)
    assert str(known) == f"look-back of orders of merchant M1 from {T1_TEXT} to {T3_TEXT}"
    assert (known.fields()["from"], known.fields()["to"]) == (T1_TEXT, T3_TEXT)
    new = Failure(partition, "it broke", Purpose.NEW, Window(T2, T3))
    assert str(new) == f"orders of merchant M1 from {T1_TEXT} on"


def test_nothing_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    """Who misses nothing reads nothing."""
    assert summary.missing([]) is None
    assert summary.leftover([], 4, []) is None
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("purpose", "words", "start", "end"),
    [
        (Purpose.NEW, f"orders of merchant M1 from {T2_TEXT} on", T2_TEXT, None),
        (Purpose.HISTORY, f"history of orders of merchant M1 before {T3_TEXT}", T1_TEXT, T3_TEXT),
        (
            Purpose.LATE_CHANGES,
            f"late changes of orders of merchant M1 before {T3_TEXT}",
            None,
            T3_TEXT,
        ),
    ],
    ids=str,
)
def test_one_failure(
    purpose: Purpose,
    words: str,
    start: str | None,
    end: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The sentence says which part is missing, why and what to do; a line for programs why."""
    found = summary.missing([failure("M1", purpose)])
    assert found == f"Missing: {words}: it broke; mend it."
    (line,) = caplog.messages
    assert json.loads(line.removeprefix("INCOMPLETE: ")) == {
        "merchant_id": "M1",
        "stream": "orders",
        "region": "eu",
        "purpose": str(purpose),
        "from": start,
        "to": end,
        "reason": "it broke",
    }


def test_advice_is_given_once(caplog: pytest.LogCaptureFixture) -> None:
    """The first failure's in the last sentence, another one's with the first that needs it."""
    reasons = ["it broke; mend it", "again; mend it", "gone; look", "gone; look", "odd"]
    found = summary.missing([failure(f"M{n}", reason=why) for n, why in enumerate(reasons)])
    assert found
    told = [json.loads(line.removeprefix("INCOMPLETE: "))["reason"] for line in caplog.messages]
    assert told == ["it broke", "again", "gone; look", "gone", "odd"]
    assert found.count("mend it") == 1


def test_many_failures(caplog: pytest.LogCaptureFixture) -> None:
    """The first is told whole, five more by name, the rest as a number; the log has them all."""
    found = summary.missing([failure(f"M{number}") for number in range(8)])
    assert found == (
        f"Missing: orders of merchant M0 from {T2_TEXT} on: it broke; mend it; also missing: "
        "orders of merchant M1, orders of merchant M2, orders of merchant M3, "
        "orders of merchant M4, orders of merchant M5 and 2 more (each said above)."
    )
    assert len(caplog.messages) == 8
    assert "more" not in (summary.missing([failure(f"M{n}") for n in range(6)]) or "")


def test_what_is_left() -> None:
    """How much of which part, from when on new days are, and which regions accepted nothing."""
    left = [
        (Purpose.HISTORY, Window(T1, T2)),
        (Purpose.NEW, Window(T3, T3.add(days=1))),
        (Purpose.NEW, Window(T2, T3)),
        (Purpose.LATE_CHANGES, Window(T1, T2)),
    ]
    assert summary.leftover(left, 9, [("eu", "closed until six")]) == (
        "max_run_hours is over; left for the next run, of 9 streams of merchants: "
        f"new days of 2, the earliest from {T2_TEXT}; history of 1; late changes of 1. "
        "Region eu accepted no export in this run: closed until six."
    )
    assert summary.leftover(left[:1], 9, []) == (
        "max_run_hours is over; left for the next run, of 9 streams of merchants: history of 1."
    )
