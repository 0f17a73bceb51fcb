"""The documents' questions to the warehouse, asked of a few records whose answers are known."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from pwd import getpwnam
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tap_clover_export import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.demo.postgres import Database


def blocks(page: str) -> list[str]:
    """The blocks of SQL of a page."""
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    found: list[str] = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


(FIRST,) = blocks("README.md")
(BLOCK,) = blocks("docs/warehouse.md")
COLLECTED, SOLD, REFUNDS = re.split(r";\n+", BLOCK.strip())
COMPLETE, HOLES = blocks("docs/ledger.md")
SCHEMA = "asked"
DAY = 86_400_000
USUAL = {"merchant_id": "M", "result": "SUCCESS", "createdTime": "1970-01-02T12:00:00"}
TYPES = {"integer": "bigint", "boolean": "boolean", "object": "jsonb", "string": "text"}


def many(*elements: dict[str, Any]) -> dict[str, Any]:
    """Nested records as Clover puts them."""
    return {"elements": list(elements)}


def line(name: str, price: int, **more: Any) -> dict[str, Any]:
    """A line of an order."""
    return {"name": name, "price": price} | more


PAYMENTS: list[dict[str, Any]] = [
    {"id": "P1", "amount": 1000, "tipAmount": 150, "refunds": None, "order": {"id": "O1"}},
    {"id": "P2", "amount": 2000, "voidReason": "USER_CANCEL", "order": {"id": "O2"}},
    {"id": "P3", "amount": 3000, "result": "FAIL", "order": {"id": "O3"}},
    {
        "id": "P4",
        "amount": 1500,
        "additionalCharges": many({"amount": 45}, {"amount": 17}),
        "refunds": many(
            {"id": "R1", "amount": 500, "createdTime": 2 * DAY + 1},
            {"id": "R2", "amount": 900, "createdTime": 2 * DAY + 1, "voided": True},
        ),
        "order": {"id": "O4"},
    },
]
ORDERS: list[dict[str, Any]] = [
    {
        "id": "O1",
        "lineItems": many(*[line("Latte", 400)] * 2, line("Ham", 999, unitQty=250)),
    },
    {"id": "O2", "lineItems": many(line("Latte", 400))},
    {"id": "O3", "lineItems": many(line("Latte", 400))},
    {
        "id": "O4",
        "lineItems": many(
            line("Gift card", 5000, isRevenue=False),
            line("Service", 100, isOrderFee=True),
            line("Latte", 400, refunded=True),
            line("Ham", 999, unitQty=1500, isRevenue=True),
        ),
        "credits": many({"amount": 300, "createdTime": 3 * DAY}),
    },
    {"id": "O5", "lineItems": many(line("Latte", 400))},
    {"id": "O1", "merchant_id": "OTHER", "lineItems": None},
]


def export(stream: str, start: str, end: str, created: str = "1970-06-01") -> dict[str, Any]:
    """A row of the ledger."""
    times = {"window_start": start, "window_end": end, "created": created}
    return {"id": f"{stream}-{start}-{end}", "stream": stream, **times}


EXPORTS = [
    export("orders", "1970-01-01", "1970-02-01"),
    export("orders", "1970-02-01", "1970-03-01"),
    export("orders", "1970-04-01", "1970-05-01", created="1970-04-20"),
    export("orders", "1970-04-13", "1970-05-10"),
    export("orders", "1970-04-02", "1970-04-03"),
    export("payments", "1970-03-01", "1970-04-01"),
    export("payments", "1970-04-01", "1970-05-01", created="1970-04-20"),
    export("payments", "1970-04-21", "1970-05-09"),
]


@pytest.fixture(scope="module")
def warehouse(database: Database) -> Iterator[Database]:
    """Three tables with the columns that a loader makes of the schemas."""
    _run(database, f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
    for table, rows in (("payments", PAYMENTS), ("orders", ORDERS), ("exports", EXPORTS)):
        text = Path(schemas.__path__[0], f"{table}.json").read_text(encoding="utf-8")
        columns = {
            name: "timestamp" if "format" in field else TYPES[field["type"][0]]
            for name, field in json.loads(text)["properties"].items()
        }
        of = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        _run(database, f"create table {SCHEMA}.{table} ({of})")
        for row in rows:
            usual: dict[str, Any] = {
                "merchant_id": "M",
                "result": "SUCCESS",
                "createdTime": "1970-01-02T12:00:00",
            }
            full = json.dumps(usual | row)
            into = f"insert into {SCHEMA}.{table} select * from "
            _run(database, f"{into} jsonb_populate_record(null::{SCHEMA}.{table}, '{full}')")
    yield database
    _run(database, f"drop schema {SCHEMA} cascade")


def _run(database: Database, sql: str) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(sql.encode())


def ask(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Ask a question of a document."""
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(sql.replace("clover.", f"{SCHEMA}.").encode()).fetchall()


def test_the_first_question(warehouse: Database) -> None:
    """Money that came in, by day, without voids and failures."""
    assert ask(warehouse, FIRST) == [(date(1970, 1, 2), Decimal(25))]


def test_what_was_collected(warehouse: Database) -> None:
    """Voids and failures are no money, refunds count on their day, surcharges and tips too."""
    assert ask(warehouse, COLLECTED) == [
        ("M", date(1970, 1, 2), Decimal("27.12")),
        ("M", date(1970, 1, 3), Decimal("-5.00")),
        ("M", date(1970, 1, 4), Decimal("-3.00")),
    ]


def test_what_sold(warehouse: Database) -> None:
    """Paid lines only, no gift cards and fees, weighed goods by their weight."""
    assert [(item, float(sold), float(price)) for item, sold, price in ask(warehouse, SOLD)] == [
        ("Latte", 2.0, 8.0),
        ("Ham", 1.75, 17.49),
    ]


def test_refunds(warehouse: Database) -> None:
    """Those that stand."""
    assert [row[:3] for row in ask(warehouse, REFUNDS)] == [("P4", "R1", Decimal("5.00"))]


def test_what_is_complete(warehouse: Database) -> None:
    """The last span without a hole; an export made before its window's end counts to then."""
    days = [datetime(1970, month, day) for month, day in ((4, 21), (5, 9), (4, 1), (5, 10))]  # noqa: DTZ001
    assert ask(warehouse, COMPLETE) == [("M", "payments", *days[:2]), ("M", "orders", *days[2:])]


def test_which_holes_there_are(warehouse: Database) -> None:
    """Between windows that don't touch, however many lie in others."""
    days = [datetime(1970, month, day) for month, day in ((3, 1), (4, 1), (4, 20), (4, 21))]  # noqa: DTZ001
    assert ask(warehouse, HOLES) == [("M", "orders", *days[:2]), ("M", "payments", *days[2:])]


def test_the_database_of_the_demo_is_closed_to_others(database: Database) -> None:
    """Whoever connects is trusted, so its folder lets in its owner only."""
    assert stat.S_IMODE(database.folder.stat().st_mode) == 0o700
    assert database.folder.stat().st_uid == (os.geteuid() or getpwnam("nobody").pw_uid)
