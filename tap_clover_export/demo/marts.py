"""What the report reads from the marts, added up by PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import LiteralString

    from .postgres import Database

Row = dict[str, Any]

DAYS = 56
"""How many days the report looks back on: eight weeks, so that each weekday counts alike."""
BEST = 10

BEFORE: LiteralString = """
select max(business_day) - %s as day from analytics.clover__sales_overview
"""
SHOPS: LiteralString = """
select merchant_id, name, time_zone from analytics.clover_merchants order by merchant_id
"""
OVERVIEW: LiteralString = """
select merchant_id, currency, business_day, fully_paid_orders + partly_paid_orders as orders,
    gross_sales_cents, discounts_cents, refunds_cents, net_sales_cents, taxes_cents, tips_cents,
    amount_collected_cents
from analytics.clover__sales_overview
where business_day > %s order by business_day, merchant_id
"""
HOURS: LiteralString = """
select currency, extract(isodow from business_day)::int as weekday, hour_of_day,
    sum(orders)::bigint as orders, sum(sales_cents)::bigint as sales_cents
from analytics.clover__hourly_sales
where business_day > %s and hour_of_day is not null group by 1, 2, 3 order by 1, 2, 3
"""
TENDERS: LiteralString = """
select currency, coalesce(max(tender), max(tender_id), 'unknown') as tender,
    sum(payments)::bigint as payments, sum(tips_cents)::bigint as tips_cents,
    sum(refunds_cents)::bigint as refunds_cents,
    sum(amount_collected_cents)::bigint as amount_collected_cents
from analytics.clover__tender_summary
where business_day > %s group by currency, coalesce(tender, tender_key)
order by amount_collected_cents desc, tender
"""
ITEMS: LiteralString = """
with items as (
    select currency, coalesce(max(name), max(item_id), 'unknown') as name,
        max(unit_name) as unit_name, sum(quantity) as quantity,
        sum(sales_cents)::bigint as sales_cents
    from analytics.clover__item_sales
    where business_day > %s and is_revenue group by currency, coalesce(name, item_key)
), ranked as (
    select *, row_number() over (partition by currency order by sales_cents desc, name) as rank,
        count(*) over (partition by currency) as items,
        sum(sales_cents) over (partition by currency)::bigint as all_sales_cents
    from items
)
select * from ranked where rank <= %s order by currency, rank
"""
REFUNDS: LiteralString = """
select merchant_id, currency, business_day, sold_on, days_after, kind, tender, reason,
    amount_cents + surcharge_cents as amount_cents
from analytics.clover__refunds
where is_paid_back and not is_test and business_day > %s and amount_cents is not null
order by refunded_at desc, refund_id
"""
OWED: LiteralString = """
select merchant_id, currency, status, count(*) as orders,
    coalesce(sum(total_cents), 0)::bigint as total_cents,
    coalesce(sum(paid_cents), 0)::bigint as paid_cents
from analytics.clover__reconciliation
where not is_test group by 1, 2, 3 order by 1, 2, 3
"""
COVERAGE: LiteralString = """
select merchant_id, stream, complete_from, complete_to, holes, exports, records
from analytics.clover__coverage order by merchant_id, stream
"""
MISSING: LiteralString = """
select merchant_id, business_day from analytics.clover__missing_days order by 1, 2
"""
QUALITY: LiteralString = """
select check_name, found from analytics.clover__data_quality
where found > 0 order by found desc, check_name
"""


@dataclass(frozen=True)
class Marts:
    """Rows of the marts.

    Attributes:
        shops: Names and time zones.
        overview: The Sales Overview, a shop, currency and day each.
        hours: Sales by weekday and hour, a currency each.
        tenders: What came in by tender.
        items: The best sellers.
        refunds: All that were paid back, the newest first.
        owed: Orders by what is paid of them, over all time.
        coverage: What is complete, a shop and stream each.
        missing: Days without orders where the weeks around have some.
        quality: Oddities and how many there are.
    """

    shops: list[Row]
    overview: list[Row]
    hours: list[Row]
    tenders: list[Row]
    items: list[Row]
    refunds: list[Row]
    owed: list[Row]
    coverage: list[Row]
    missing: list[Row]
    quality: list[Row]


def read(database: Database) -> Marts:
    """Read them."""

    def rows(sql: LiteralString, *values: object) -> list[Row]:
        return [row._asdict() for row in database.query(sql, *values)]

    (before,) = database.query(BEFORE, DAYS)
    return Marts(
        shops=rows(SHOPS),
        overview=rows(OVERVIEW, before.day),
        hours=rows(HOURS, before.day),
        tenders=rows(TENDERS, before.day),
        items=rows(ITEMS, before.day, BEST),
        refunds=rows(REFUNDS, before.day),
        owed=rows(OWED),
        coverage=rows(COVERAGE),
        missing=rows(MISSING),
        quality=rows(QUALITY),
    )
