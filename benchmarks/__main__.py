"""Measures every row, prints it beside its goal, and writes results.json and results.svg."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.chart import draw
from benchmarks.end import end
from benchmarks.measure import BenchError, Spread
from benchmarks.rows import ROWS as OTHERS
from benchmarks.rows import Bench, Row

HERE = Path(__file__).parent
ROWS = {**OTHERS, "end": end}
PROGRAMS = ("plain", "script", "ours", "splice", "piped", "validated", "default")


def main() -> int:
    """Run the benchmarks that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each program runs")
    parser.add_argument("--rows", default=",".join(ROWS), help="which, of " + ",".join(ROWS))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
    names = [name.strip() for name in asked.rows.split(",")]
    if unknown := set(names) - set(ROWS):
        parser.error(f"unknown rows {', '.join(sorted(unknown))}; known are {', '.join(ROWS)}")
    bench = Bench(max(1, asked.rounds))
    for name in names:
        sys.stderr.write(f"{name}\n")
        try:
            rows = list(ROWS[name](bench))
        except BenchError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        for row in rows:
            print(line(row), flush=True)  # noqa: T201
        results = _read(HERE / "results.json")
        results[name] = {
            "measured": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "rounds": bench.rounds,
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "rows": [dataclasses.asdict(row) | {"met": row.met} for row in rows],
        }
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "results.svg").write_text(draw(results))
    return 0


def line(row: Row) -> str:
    """A row as text: ours, the goal, and the others."""
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    goal = "" if row.goal is None else f"goal {'<=' if row.most else '>='} {row.goal:g} {verdict}"
    others = ", ".join(
        f"{name} {_number(row.values[name].median)}"
        for name in PROGRAMS
        if name in row.values and name != "ours"
    )
    ours = _spread(row.values["ours"])
    return f"{row.name:45} {ours:24} {row.unit:25} {goal:20} {others}".rstrip()


def _spread(spread: Spread) -> str:
    numbers = _number(spread.median), _number(spread.low), _number(spread.high)
    return "{} ({} to {})".format(*numbers)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.3g}"  # noqa: PLR2004


def _read(path: Path) -> dict[str, Any]:
    """What was measured before; rows not asked for stay."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    sys.exit(main())
