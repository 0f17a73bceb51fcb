"""The local Clover's books: its sales by Clover's definitions, from what was rung up."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tap_clover_export.simulator import Clock, Options, Simulator
from tap_clover_export.simulator.books.books import REPORTS

from .client import DAY, NOW
from .overview import differences, elements

BESIDE_NET = (
    "taxes_cents",
    "tips_cents",
    "service_charges_cents",
    "surcharges_cents",
    "non_revenue_cents",
)
KINDS = ("cafe", "bar", "vat", "yen", "rounding")
SHOPS = {f"{kind.upper():A<13}": kind for kind in KINDS}
MARCH_10 = NOW + 8 * 86_400
"""Two days after the clocks of the United States went forward."""


def hold(now: float) -> Simulator:
    """Make a simulator of one shop of each kind that is not started."""
    days = 25 - (MARCH_10 - now) / 86_400
    merchants = dict.fromkeys(SHOPS, "token")
    # With this seed all that is rare comes in few orders.
    options = Options(merchants=merchants, shops=SHOPS, days=days, orders_per_day=12, seed="8")
    return Simulator(options, clock=Clock(now, frozen=True))


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    """A month of one shop of each kind."""
    return hold(MARCH_10)


def test_the_books_are_what_the_exports_hold(simulator: Simulator) -> None:
    """Each value of the Sales Overview is the same by the books and by the JSON."""
    assert list(differences(simulator)) == []


def test_what_was_sold_comes_in_or_is_owed(simulator: Simulator) -> None:
    """What came in is what was sold and not left unpaid, and what deleted orders were paid."""
    sums: dict[str, int] = defaultdict(int)
    for row in simulator.sales("sales_overview"):
        orders = row["fully_paid_orders"] + row["partly_paid_orders"]
        mean, net = row["average_sale_cents"], row["net_sales_cents"]
        assert mean is None if orders == 0 else abs(mean * orders - net) * 2 <= orders
        assert net == row["gross_sales_cents"] + row["discounts_cents"] + row["refunds_cents"]
        sold = net + sum(row[name] for name in BESIDE_NET)
        owed = row["included_taxes_cents"] + row["unpaid_cents"]
        sums[row["merchant_id"]] += row["amount_collected_cents"] - sold + owed
    loose = dict.fromkeys(SHOPS, 0)
    for row in simulator.sales("reconciliation"):
        if row["status"] == "deleted but paid":
            loose[row["merchant_id"]] += row["paid_cents"]
    assert sums == loose
    assert any(loose.values())


def test_reports_tell_the_same_sums(simulator: Simulator) -> None:
    """By day, hour, item, discount, tender, employee and tax, sums are the overview's."""
    rows = {report: simulator.sales(report) for report in REPORTS}

    def total(report: str, name: str, **only: object) -> int:
        return sum(row[name] for row in rows[report] if only.items() <= row.items())

    for report, name in (
        ("daily_sales", "gross_sales_cents"),
        ("daily_sales", "discounts_cents"),
        ("hourly_sales", "gross_sales_cents"),
        ("discount_summary", "discounts_cents"),
        ("tender_summary", "amount_collected_cents"),
        ("tips_by_employee", "tips_cents"),
    ):
        assert total(report, name) == total("sales_overview", name)
    gross = total("item_sales", "gross_sales_cents", is_revenue=True)
    assert gross == total("sales_overview", "gross_sales_cents")
    non_revenue = total("item_sales", "sales_cents", is_revenue=False)
    assert non_revenue == total("sales_overview", "non_revenue_cents")
    taxes = sum(total("tax_summary", name) for name in ("taxes_cents", "refunded_taxes_cents"))
    assert taxes == total("sales_overview", "taxes_cents")
    given = total("refunds", "amount_cents", is_paid_back=True)
    assert -total("tender_summary", "refunds_cents") - given == total(
        "refunds", "surcharge_cents", is_paid_back=True
    )
    unpaid = sum(
        row["unpaid_cents"]
        for row in rows["reconciliation"]
        if row["status"] in {"paid", "overpaid", "partly paid"} and row["paid_cents"]
    )
    assert unpaid == total("sales_overview", "unpaid_cents")


def test_books_of_an_earlier_time_are_those_that_were_kept_then(simulator: Simulator) -> None:
    """As of a time, nothing that came later has happened."""
    then = MARCH_10 - 9.5 * 86_400
    before = hold(then)
    for report in ("sales_overview", "reconciliation"):
        assert simulator.sales(report, then) == before.sales(report)


def test_a_refund_by_hand_is_in_the_books_of_its_own_day() -> None:
    """A late refund changes one row, that of its day, and what was to come is forgotten."""
    held = hold(MARCH_10 - 10 * 86_400)
    before = held.sales("sales_overview")
    for merchant in SHOPS:
        done = held.refund(merchant)
        assert done["modifiedTime"] - done["createdTime"] > 7 * DAY
    changed = [row for row in held.sales("sales_overview") if row not in before]
    assert [row["merchant_id"] for row in changed] == list(SHOPS)
    assert {row["business_day"] for row in changed} == {"2026-02-28"}
    held.clock.advance(10 * 86_400)
    assert list(differences(held)) == []


def test_every_kind_of_sale_is_there(simulator: Simulator) -> None:
    """The shops' month holds all that Clover's objects can tell about a sale."""
    orders = [order for shop in SHOPS for order in simulator.records(shop, "ORDERS")]
    payments = [payment for shop in SHOPS for payment in simulator.records(shop, "PAYMENTS")]
    lines = [line for order in orders for line in elements(order, "lineItems")]
    discounts = [part for each in (*orders, *lines) for part in elements(each, "discounts")]
    refunds = [refund for order in orders for refund in elements(order, "refunds")]
    for records, some in (
        (orders, {"serviceCharge", "credits", "voids", "refunds", "deletedTimestamp"}),
        (payments, {"serviceCharge", "additionalCharges", "voidReason", "refunds"}),
        (lines, {"unitQty", "modifications", "exchangedLineItem", "orderFee", "percentage"}),
        (discounts, {"amount", "percentage", "percentageDecimal"}),
        (refunds, {"tipAmount", "serviceChargeAmount", "lineItems", "additionalCharges"}),
    ):
        with_it = {name for record in records for name in record}
        assert with_it >= some
        assert all(any(name not in record for record in records) for name in some)
    for records, flags in (
        (orders, ("testMode", "taxRemoved", "isVat")),
        (payments, ("offline",)),
        (lines, ("isRevenue", "isOrderFee", "exchanged", "refunded")),
        (refunds, ("voided",)),
    ):
        assert all({record[flag] for record in records} == {True, False} for flag in flags)
    signs = {part["amount"] > 0 for part in discounts if part.get("amount")}
    assert signs == {True, False}
    states = {order.get("paymentState") for order in orders}
    assert states >= {"OPEN", "PAID", "PARTIALLY_PAID", "CREDITED", "PARTIALLY_REFUNDED"}
    statuses = {row["status"] for row in simulator.sales("reconciliation")}
    assert statuses >= {"partly paid", "overpaid", "unpaid", "deleted", "deleted but paid"}
    hours = {row["hour_of_day"] for row in simulator.sales("hourly_sales")}
    assert hours >= {3, 4, 5}
