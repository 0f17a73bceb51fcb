with counted as (
    {{ clover.counted_lines() }}
),

lines as (
    select
        *,
        coalesce(item_id, name, '') as item_key
    from counted
    where not is_order_fee
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
