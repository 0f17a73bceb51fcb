"""The tap's last words, read from Meltano's output, and what an alert says."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MARK = "INCOMPLETE: "
LEFT_MARK = "max_run_hours is over; left for the next run"
NEW_DAYS = "new days of "
NAMED = 50
"""This number of merchants at most stands in an alert."""

KILLED = "The task was killed, or took too long."

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


def left_in(line: str) -> str | None:
    """What a line of the log says of new days that had no turn; None where it says nothing."""
    _, mark, rest = line.partition(LEFT_MARK)
    return f"{mark}{rest.rstrip()}" if NEW_DAYS in rest else None


@dataclasses.dataclass(frozen=True)
class Chunk:
    """What became of a chunk.

    Attributes:
        number: Its number.
        merchants: Whom it holds.
        state: Its task's state, in Airflow's words.
        words: What its task said last.
        named: Whether that names the merchants that are missing.
        left: What the tap said of new days that had no turn.
    """

    number: int
    merchants: Sequence[str]
    state: str
    words: str = ""
    named: bool = False
    left: str | None = None


def missing(failures: Iterable[Failure]) -> str:
    """Tell whose data is missing and why, a line a merchant."""
    streams: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for failure in failures:
        name = failure["merchant_id"]
        streams.setdefault(name, []).append(str(failure.get("stream")))
        reasons.setdefault(name, str(failure.get("reason")))
    lines = [f"- {name} ({', '.join(streams[name])}): {reasons[name]}." for name in streams]
    head = (
        f"{_merchants(len(lines))} not whole. The others of the chunk arrived; the next run goes "
        "on where these stopped."
    )
    return "\n".join([head, *_short(lines)])


def cut_off(why: str, merchants: Sequence[str]) -> str:
    """Tell which merchants a chunk that did not come to its end may lack."""
    return (
        f"{why.strip()} The task's log says more. What was finished is kept. "
        f"{_merchants(len(merchants))} not whole, as far as is known: {_named(merchants)}."
    )


def report(
    chunks: Iterable[Chunk], left_out: Sequence[str], plan: str | None, *, ended: bool = False
) -> str:
    """Tell all that is missing of a run; nothing where nothing is.

    Args:
        chunks: What became of each.
        left_out: Why merchants of the file have no DAG.
        plan: What the plan said last where it failed.
        ended: Whether Airflow ended the run, which calls skipped what had not come to its end.
    """
    lines = []
    if plan is not None:
        lines.append(f"Nothing was exported. {plan}".strip())
    if ended:
        lines.append(
            "The run took too long and was ended. Where no task had begun, look whether its pool "
            "exists and has a free slot."
        )
    no_turn: list[str] = []
    for chunk in chunks:
        if chunk.state == "skipped":
            no_turn += chunk.merchants
        elif chunk.state != "success":
            said = chunk.words if chunk.named else cut_off(chunk.words, chunk.merchants)
            lines.append(f"Chunk {chunk.number}: {said}")
        elif chunk.left:
            lines.append(f"Chunk {chunk.number}: {chunk.left}")
    if no_turn:
        why = "had no turn or were cut off" if ended else "had no turn before the service closed"
        lines.append(f"Left for the next run, as they {why}: {_named(no_turn)}.")
    if left_out:
        lines.append("Of the merchants file nobody exports what follows; the others are.")
        lines += [f"- {reason}" for reason in _short(left_out)]
    return "\n".join(lines)


def _merchants(number: int) -> str:
    return "1 merchant is" if number == 1 else f"{number} merchants are"


def _named(merchants: Sequence[str]) -> str:
    return ", ".join(_short(merchants))


def _short(items: Sequence[str]) -> list[str]:
    more = len(items) - NAMED
    return [*items[:NAMED], *([f"and {more} more"] if more > 0 else [])]
