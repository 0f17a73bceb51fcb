"""Two nights a day apart, a loader behind the tap: Clover fails in the first one for one stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator import Clock, Options, Simulator
from tests.loaders.books import LEDGER, Key, Row, expected
from tests.loaders.night import Night, pipe
from tests.support.harness import TYPES, config_for

if TYPE_CHECKING:
    from tests.loaders.loader import Loader
    from tests.loaders.tables import Table

MERCHANTS = {"SHOPONE1": "token-one", "SHOPTWO2": "token-two"}
ONE, TWO = MERCHANTS
NEXT = datetime.now(UTC).replace(microsecond=0)
FIRST = NEXT - timedelta(days=1)
REFUNDS = 3
TEXT = "tab\there, line\nend, return\r\nend, back\\slash \\n, \"quotes\", 'single', ünïcode 抹茶 🍰"

ODD: dict[str, dict[str, Any]] = {
    "ORDERS": {
        "id": "ODDORDER00001",
        "title": TEXT,
        "note": "",
        "externalReferenceId": " ",
        "total": 2**63 - 1,
        "unpaidBalance": -(2**63),
        "refunds": None,
        "customers": {},
        "paymentState": None,
        "lineItems": {"elements": [{"name": TEXT, "price": 2**63, "unitQty": 0.1, "x": None}]},
        "madeUpByClover": {"text": TEXT, "big": 9_007_199_254_740_993, "list": [1, None, "a"]},
    },
    "PAYMENTS": {
        "id": "ODDPAYMENT001",
        "note": TEXT,
        "amount": 9_007_199_254_740_993,
        "tipAmount": 0,
        "refunds": None,
        "cardTransaction": {"cardholderName": TEXT, "extra": {"a": None}},
    },
}
"""Beside the simulator's own odd records."""


class LoaderError(Exception):
    """A loader failed; its last words are the message."""


@dataclass(frozen=True)
class Act:
    """A night, what then lay in the warehouse and what Clover held, by stream.

    Attributes:
        night: The run.
        tables: What the loader had loaded so far.
        books: What should be there.
        sums: What Clover's own ledger counts and sums up for each merchant.
    """

    night: Night
    tables: dict[str, Table]
    books: dict[str, dict[Key, Row]]
    sums: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Story:
    """What both nights left behind.

    Attributes:
        loader: Whose story it is.
        acts: The nights.
        refunds: What was refunded between them.
    """

    loader: Loader
    acts: list[Act]
    refunds: list[dict[str, Any]]


def play(loader: Loader) -> Story:
    """Run both nights."""
    options = Options(MERCHANTS, days=20, orders_per_day=20, odd=True, now=FIRST.timestamp())
    with Simulator(options, clock=Clock(FIRST.timestamp(), frozen=True)) as clover:
        for kind, record in ODD.items():
            moment = int((FIRST.timestamp() - 3600) * 1000) + 7
            clover.put(ONE, kind, {"createdTime": moment, "modifiedTime": moment} | record)  # type: ignore[arg-type]
        clover.faults.add(f"poll[{TWO}/PAYMENTS]:401")
        first = _act(loader, clover, "first", FIRST)
        clover.faults.clear()
        clover.clock.set(NEXT.timestamp() - 3600)
        refunds = [clover.refund(ONE) for _ in range(REFUNDS)]
        clover.touch(ONE, "ORDERS", "ODDORDER00001", title="mended", total=4711)
        clover.clock.set(NEXT.timestamp())
        second = _act(loader, clover, "second", NEXT, first.night.states[-1])
    return Story(loader, [first, second], refunds)


def _act(
    loader: Loader,
    clover: Simulator,
    name: str,
    end: datetime,
    state: dict[str, Any] | None = None,
) -> Act:
    settings = config_for(clover, end_date=end.isoformat(), lookback_days=0.5, window_days=7)
    folder = loader.folder / name
    night = pipe(folder, loader.line(), settings, state)
    if night.code:
        raise LoaderError(f"{loader.pin} ended with {night.code}:\n{night.log[-2000:]}")
    if not night.states:
        raise LoaderError(f"{loader.pin} printed no state.\n{night.tap.log[-2000:]}")
    return Act(
        night,
        {stream: loader.table(stream) for stream in (*TYPES, LEDGER)},
        {stream: expected(clover, stream) for stream in TYPES},
        json.loads(json.dumps(clover.books())),
    )
