"""What the local Clover holds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.simulator import Clock, Options, Simulator

from .client import DAY, MERCHANTS, NOW, OTHER, SHOP
from .overview import elements, ring_up

if TYPE_CHECKING:
    from tap_clover_export.simulator.simulator import Type

Record = dict[str, Any]
TYPES: tuple[Type, ...] = ("ORDERS", "PAYMENTS")

KNOWN = "42c5e613f3fac10104a3ab2ccc05b52137e40921aac7ccb90c66d363ab296e7b"


def hold(now: float = NOW, **options: Any) -> Simulator:
    """Make a simulator that is not started."""
    return Simulator(Options(merchants=MERCHANTS, **options), clock=Clock(now, frozen=True))


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    """75 days of two shops."""
    return hold()


@pytest.fixture(scope="module")
def orders(simulator: Simulator) -> list[Record]:
    """One shop's orders."""
    return simulator.records(SHOP, "ORDERS")


@pytest.fixture(scope="module")
def payments(simulator: Simulator) -> list[Record]:
    """One shop's payments."""
    return simulator.records(SHOP, "PAYMENTS")


def test_the_same_seed_gives_the_same_data() -> None:
    """Two simulators with the same seed hold the same, another seed gives other data."""
    first, second, third = hold(days=5), hold(days=5), hold(days=5, seed="other")
    for kind in TYPES:
        assert first.records(SHOP, kind) == second.records(SHOP, kind)
        assert first.records(SHOP, kind) != third.records(SHOP, kind)
    assert first.records(SHOP, "ORDERS") != first.records(OTHER, "ORDERS")


def test_a_day_is_the_same_whenever_it_is_looked_at() -> None:
    """The data of a span do not depend on the start or on how far back they go."""
    start, end = NOW * 1000 - 60 * DAY, NOW * 1000 - 50 * DAY
    near, far = hold(now=NOW - 20 * 86_400, days=45), hold(days=75)
    old = [record for record in near.records(SHOP, "ORDERS") if start < record["createdTime"] < end]
    new = [record for record in far.records(SHOP, "ORDERS") if start < record["createdTime"] < end]
    assert old == new
    assert len(old) > 100


def test_known_data_never_change() -> None:
    """The data are those of every other machine and version of Python."""
    simulator = hold(days=2)
    text = "".join(
        json.dumps(simulator.records(merchant, kind)) for merchant in MERCHANTS for kind in TYPES
    )
    assert hashlib.sha256(text.encode()).hexdigest() == KNOWN


def test_orders_come_as_often_as_asked(orders: list[Record]) -> None:
    """An average day has about as many orders as asked, and shops close at night."""
    assert 18 < len(orders) / 75 < 22
    hours = Counter(order["createdTime"] // 3_600_000 % 24 for order in orders)
    assert len(hours) < 20


def test_ids_are_clovers_and_unique(orders: list[Record], payments: list[Record]) -> None:
    """Every id has thirteen capital letters and digits and comes once."""
    names = [record["id"] for record in (*orders, *payments)]
    assert len(set(names)) == len(names)
    assert all(len(name) == 13 and name.isalnum() and name == name.upper() for name in names)


def test_totals_add_up(orders: list[Record]) -> None:
    """An order's total is its lines, charges and taxes less its discounts."""
    for order in orders:
        sums = ring_up(order)
        net = sums["gross"] - sums["off"] + sums["other"]
        assert order["total"] == net + sums["fees"] + sums["tax"]
        assert order["total"] > 0 or "credits" in order


def test_payments_add_up(orders: list[Record], payments: list[Record]) -> None:
    """A paid order's payments make up its total, and are the same in both exports."""
    by_id = {payment["id"]: payment for payment in payments}
    paid = [order for order in orders if order.get("paymentState") == "PAID"]
    assert len(paid) > 0.85 * len(orders)
    over = 0
    for order in orders:
        nested = elements(order, "payments")
        amount = sum(payment["amount"] for payment in nested)
        assert order["unpaidBalance"] == max(order["total"] - amount, 0)
        if order.get("paymentState") == "PAID":
            assert amount >= order["total"]
            over += amount > order["total"]
        for payment in nested:
            whole = by_id[payment["id"]]
            assert whole["order"]["id"] == order["id"]
            same = "amount", "taxAmount", "tipAmount", "result", "refunds", "createdTime"
            assert [whole.get(key) for key in same] == [payment.get(key) for key in same]
    assert 0 < over < 0.02 * len(paid)


def test_books_are_the_sums(simulator: Simulator, payments: list[Record]) -> None:
    """The books count and sum up what the exports hold."""
    books = simulator.books()
    assert books[SHOP]["payments"] == len(payments)
    assert books[SHOP]["amount"] == sum(payment["amount"] for payment in payments)
    assert books[SHOP]["tip"] == sum(payment.get("tipAmount", 0) for payment in payments)
    assert books[SHOP] != books[OTHER]


def test_a_chains_life_is_in_it(orders: list[Record], payments: list[Record]) -> None:
    """There are splits, refunds, voids, deletions, open tabs, discounts, tips and failures."""
    assert any(len(elements(order, "payments")) > 1 for order in orders)
    assert any("deletedTimestamp" in order for order in orders)
    assert any(order.get("paymentState") == "OPEN" for order in orders)
    assert any("discounts" in order for order in orders)
    assert any("loyaltyScan" in order for order in orders)
    assert any("refunds" in order for order in orders)
    assert any("voidReason" in payment for payment in payments)
    assert any(payment.get("tipAmount") for payment in payments)
    assert any(payment["result"] == "FAIL" for payment in payments)
    assert len({order.get("state") for order in orders}) > 4


def test_text_comes_in_many_scripts(orders: list[Record]) -> None:
    """Emoji, quotes, newlines and several scripts are in the text."""
    text = json.dumps(orders, ensure_ascii=False)
    for part in ("🎂", '\\"', "\\n", "抹茶", "بدون", "Без", "ללא", "ก๋วย", "김치"):
        assert part in text


def test_unknown_fields_can_be_left_out() -> None:
    """No record has an undocumented field when none is wanted."""
    records = hold(unknown_fields=False).records(SHOP, "ORDERS")
    assert not any("loyaltyScan" in record for record in records)


def test_records_have_the_size_of_real_ones(orders: list[Record], payments: list[Record]) -> None:
    """An order is about 2.6 KB of JSON and a payment about 1.1 KB."""
    for records, low, high in ((orders, 2200, 2900), (payments, 900, 1300)):
        size = len(json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode())
        assert low < size / len(records) < high


def test_late_changes_move_the_modified_time() -> None:
    """Every two hours, a record changes only with its modified time, which is never ahead."""
    simulator = hold(now=NOW - 3 * 86_400, days=12)
    seen: dict[str, tuple[int, str]] = {}
    changes = 0
    for _ in range(36):
        simulator.clock.advance(7200)
        for kind in TYPES:
            for record in simulator.records(SHOP, kind):
                text = json.dumps(record)
                modified = record["modifiedTime"]
                assert modified <= simulator.clock.now() * 1000
                before = seen.get(record["id"], (0, ""))
                if before[1] != text:
                    assert modified > before[0]
                    changes += before[0] > 0
                seen[record["id"]] = modified, text
    assert changes > 30


def test_refunds_come_days_later(payments: list[Record]) -> None:
    """Most refunds are made days after their payment, which is then modified."""
    refunded = [payment for payment in payments if "refunds" in payment]
    assert refunded
    for payment in refunded:
        refund = payment["refunds"]["elements"][0]
        assert refund["createdTime"] <= payment["modifiedTime"]
        assert refund["createdTime"] - payment["createdTime"] > 20 * 60_000
        assert 0 < refund["amount"] - refund.get("tipAmount", 0) <= payment["amount"]
    late = [
        payment
        for payment in refunded
        if payment["modifiedTime"] - payment["createdTime"] > DAY
        and payment["refunds"]["elements"][0]["createdTime"] == payment["modifiedTime"]
    ]
    assert len(late) > 0.6 * len(refunded)


def test_nothing_is_older_than_asked() -> None:
    """The data begin some days before the start, and grow with the clock."""
    simulator = hold(days=3)
    first = min(order["createdTime"] for order in simulator.records(SHOP, "ORDERS"))
    assert 0 <= first - (NOW * 1000 - 3 * DAY) < DAY
    before = len(simulator.records(SHOP, "ORDERS"))
    simulator.clock.advance(2 * 86_400)
    assert len(simulator.records(SHOP, "ORDERS")) > before + 15


@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_windows_hold_every_record_once(field: str) -> None:
    """A shop's days, window by window, are its records, whichever field the windows hold."""
    # With this seed an order is paid off two days later.
    simulator = hold(days=8, seed="3", window_field=field)
    start, days = NOW * 1000 - 8 * DAY - DAY // 2, range(9)
    for kind in TYPES:
        ids = Counter(
            record["id"]
            for day in days
            for record in simulator.records(SHOP, kind, start + day * DAY, start + (day + 1) * DAY)
        )
        assert ids == Counter(record["id"] for record in simulator.records(SHOP, kind))


def test_odd_records_are_valid_json_that_no_warehouse_takes() -> None:
    """NUL, lone surrogates, wide integers, odd types and years are there when asked for."""
    plain, odd = hold(days=2), hold(days=2, odd=True)
    for kind in TYPES:
        known = {record["id"] for record in plain.records(SHOP, kind)}
        extra = [record for record in odd.records(SHOP, kind) if record["id"] not in known]
        text = json.dumps(extra)
        assert len(extra) > 10
        for part in ("\\u0000", "\\ud8", "12345678901234567890", "9007199254740993", " 12.0"):
            assert part in text
        for part in (str(2**63), '"12"', "253402300800000", '"employee": "Ana"'):
            assert part in text


def test_records_are_put_and_touched_by_hand() -> None:
    """A record that is put in or touched is there at once, in its last version only."""
    simulator = hold(days=2)
    simulator.put(SHOP, "ORDERS", {"id": "X", "total": 5, "createdTime": 1, "modifiedTime": 2})
    simulator.put_raw(SHOP, "ORDERS", 1, 2, b'{"id":"Y","total":1.50}')
    simulator.touch(SHOP, "ORDERS", "X", total=6)
    orders = {order["id"]: order for order in simulator.records(SHOP, "ORDERS")}
    assert orders["X"] == {
        "id": "X",
        "total": 6,
        "createdTime": 1,
        "modifiedTime": int(simulator.clock.now() * 1000),
    }
    assert orders["Y"]["total"] == 1.5
    first = simulator.records(SHOP, "ORDERS")[0]["id"]
    before = len(simulator.records(SHOP, "ORDERS"))
    simulator.touch(SHOP, "ORDERS", first, note="late")
    after = simulator.records(SHOP, "ORDERS")
    assert len(after) == before
    assert [order["id"] for order in after if order.get("note") == "late"] == [first]
    with pytest.raises(KeyError):
        simulator.touch(SHOP, "ORDERS", "nobody")
