with orders as (
    select
        merchant_id,
        order_id,
        business_day
    from {{ ref('int_clover__order_totals') }}
    where is_counted
),

discounts as (
    select
        discounts.*,
        orders.business_day,
        coalesce(discounts.name, '') as discount_name
    from {{ ref('clover__discounts') }} as discounts
    inner join orders
        on discounts.merchant_id = orders.merchant_id and discounts.order_id = orders.order_id
    where discounts.is_sale
)

select
    merchant_id,
    currency,
    business_day,
    discount_name,
    level,
    count(*) as discounts,
    {{ clover.total('discount_cents') }} as discounts_cents
from discounts
group by merchant_id, currency, business_day, discount_name, level
