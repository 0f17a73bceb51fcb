"""Records that no warehouse takes as they are, all of them valid JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.sales import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator

YEAR_10000 = 253_402_300_800_000
AGE = 5 * DAY

Record = dict[str, Any]

ORDERS: dict[str, Record] = {
    "nul": {"note": "before\0after"},
    "surrogate": {"title": "torn \ud83c emoji"},
    "nested text": {"lineItems": {"elements": [{"name": "a\0b", "note": "\udc00"}]}},
    "nested key": {"customers": {"elements": [{"first\0Name": "x", "\ud800": "y"}]}},
    "unknown key": {"shelf\0life": "x\0y"},
    "nested integers": {
        "lineItems": {
            "elements": [
                {"price": 9_007_199_254_740_993},
                {"price": 12_345_678_901_234_567_890},
            ]
        }
    },
    "integer": {"total": 9_007_199_254_740_993},
    "long integer": {"total": 12_345_678_901_234_567_890},
    "2^63": {"unpaidBalance": 2**63},
    "float": {"total": 12.0},
    "text": {"total": "12"},
    "year 10000": {"deletedTimestamp": YEAR_10000},
    "employee": {"employee": "Ana"},
    "object": {"lineItems": "none", "testMode": "false"},
}
PAYMENTS: dict[str, Record] = {
    "nul": {"note": "\0"},
    "surrogate": {"note": "\udfff"},
    "nested": {"cardTransaction": {"cardholderName": "A\0B", "ex\0tra": "\ud800"}},
    "nested integers": {
        "tender": {"low": 9_007_199_254_740_993, "high": 12_345_678_901_234_567_890}
    },
    "integer": {"amount": 9_007_199_254_740_993},
    "long integer": {"cashTendered": 12_345_678_901_234_567_890},
    "2^63": {"amount": 2**63},
    "float": {"amount": 12.0},
    "text": {"taxAmount": "12"},
    "year 10000": {"gatewayProcessingTime": YEAR_10000},
    "employee": {"employee": "Ana"},
    "object": {"order": "none", "offline": "true"},
}


def collect(merchant: str, time: int) -> Iterator[tuple[str, Record]]:
    """Tell the odd orders and payments, a minute apart."""
    for kind, records in (("ORDERS", ORDERS), ("PAYMENTS", PAYMENTS)):
        for number, (name, content) in enumerate(records.items()):
            moment = time + number * MINUTE
            yield (
                kind,
                {
                    "id": ids.name(merchant, kind, name),
                    "createdTime": moment,
                    "clientCreatedTime": moment,
                    "modifiedTime": moment,
                    **content,
                },
            )
