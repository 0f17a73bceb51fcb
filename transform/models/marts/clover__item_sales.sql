with orders as (
    select
        merchant_id,
        order_id,
        business_day
    from {{ ref('int_clover__order_totals') }}
    where is_counted
),

lines as (
    select
        lines.*,
        orders.business_day,
        coalesce(lines.item_id, lines.name, '') as item_key
    from {{ ref('clover__line_items') }} as lines
    inner join orders on lines.merchant_id = orders.merchant_id and lines.order_id = orders.order_id
    where not lines.is_order_fee and not lines.is_exchanged
)

select
    merchant_id,
    currency,
    business_day,
    item_key,
    is_revenue,
    max(item_id) as item_id,
    max(name) as name,
    max(unit_name) as unit_name,
    count(*) as lines,
    cast(sum(quantity) as numeric(18, 3)) as quantity,
    {{ clover.total('list_cents') }} as list_cents,
    {{ clover.total('modifiers_cents') }} as modifiers_cents,
    {{ clover.total('gross_cents') }} as gross_sales_cents,
    {{ clover.total('line_discount_cents') }} as line_discounts_cents,
    {{ clover.total('order_discount_cents') }} as order_discounts_cents,
    {{ clover.total('net_cents') }} as sales_cents,
    {{ clover.total('tax_cents') }} as taxes_cents,
    sum(case when is_refunded then 1 else 0 end) as refunded_lines
from lines
group by merchant_id, currency, business_day, item_key, is_revenue
