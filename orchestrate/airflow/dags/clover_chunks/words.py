"""The tap's last words, read from Meltano's output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MARK = "INCOMPLETE: "
NAMED = 50
"""So many merchants at most stand in an alert."""

Failure = dict[str, str]
"""`merchant_id`, `stream`, `region`, `from` and `reason`, as the tap writes them."""


def failure_in(line: str) -> Failure | None:
    """What a line of the log says is missing; None where it says nothing of the kind."""
    _, mark, rest = line.partition(MARK)
    if not mark:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(rest)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "merchant_id" in found else None


def missing(region: str, chunk: int, failures: Iterable[Failure]) -> str:
    """Tell whose data is missing and why, a line a merchant."""
    streams: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for failure in failures:
        name = failure["merchant_id"]
        streams.setdefault(name, []).append(str(failure.get("stream")))
        reasons.setdefault(name, str(failure.get("reason")))
    lines = [f"- {name} ({', '.join(streams[name])}): {reasons[name]}." for name in streams]
    head = (
        f"Clover export, region {region}, chunk {chunk}: {_merchants(len(lines))} not whole. "
        "The others of the chunk arrived; the next run goes on where these stopped."
    )
    return "\n".join([head, *_short(lines)])


def cut_off(region: str, chunk: int, why: str, merchants: Sequence[str]) -> str:
    """Tell which merchants a run that did not come to its end may lack."""
    return (
        f"Clover export, region {region}, chunk {chunk}: {why} The task's log says more. What was "
        f"finished is kept. {_merchants(len(merchants))} not whole, as far as is known: "
        f"{', '.join(_short(merchants))}."
    )


def _merchants(number: int) -> str:
    return "1 merchant is" if number == 1 else f"{number} merchants are"


def _short(items: Sequence[str]) -> list[str]:
    more = len(items) - NAMED
    return [*items[:NAMED], *([f"and {more} more"] if more > 0 else [])]
