with orders as (
    select
        *,
        cast(extract(hour from first_paid_at_local) as integer) as hour_of_day
    from {{ ref('int_clover__order_totals') }}
    where is_counted
)

select
    merchant_id,
    currency,
    business_day,
    hour_of_day,
    count(*) as orders,
    {{ clover.total('gross_cents') }} as gross_sales_cents,
    {{ clover.total('discount_cents') }} as discounts_cents,
    {{ clover.total('gross_cents + discount_cents') }} as sales_cents,
    {{ clover.total('tax_cents') }} as taxes_cents
from orders
group by merchant_id, currency, business_day, hour_of_day
