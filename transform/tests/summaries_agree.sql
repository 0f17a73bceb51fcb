-- What the summaries add up to is what the Sales Overview has.
{% set sides = [
    ['orders', 'clover__daily_sales', 'orders', 'fully_paid_orders + partly_paid_orders'],
    ['gross sales by day', 'clover__daily_sales', 'gross_sales_cents', 'gross_sales_cents'],
    ['non-revenue by day', 'clover__daily_sales', 'non_revenue_cents', 'non_revenue_cents'],
    ['orders by hour', 'clover__hourly_sales', 'orders', 'fully_paid_orders + partly_paid_orders'],
    ['discounts by hour', 'clover__hourly_sales', 'discounts_cents', 'discounts_cents'],
    ['gross sales by item', 'clover__item_sales',
        'case when is_revenue then gross_sales_cents else 0 end', 'gross_sales_cents'],
    ['collected by tender', 'clover__tender_summary',
        'amount_collected_cents', 'amount_collected_cents'],
    ['tips by employee', 'clover__tips_by_employee', 'tips_cents', 'tips_cents'],
    ['taxes by rate', 'clover__tax_summary', 'taxes_cents + refunded_taxes_cents', 'taxes_cents'],
    ['discounts by name', 'clover__discount_summary', 'discounts_cents', 'discounts_cents'],
] %}

with figures as (
    {% for measure, model, theirs, ours in sides %}
        select
            merchant_id,
            currency,
            business_day,
            '{{ measure }}' as measure,
            {{ theirs }} as cents
        from {{ ref(model) }}
        union all
        select
            merchant_id,
            currency,
            business_day,
            '{{ measure }}' as measure,
            -({{ ours }}) as cents
        from {{ ref('clover__sales_overview') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    merchant_id,
    currency,
    business_day,
    measure,
    sum(cents) as difference_cents
from figures
group by merchant_id, currency, business_day, measure
having sum(cents) != 0
