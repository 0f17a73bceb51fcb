with overview as (
    select * from {{ ref('clover__sales_overview') }}
),

orders as (
    select * from {{ ref('int_clover__order_totals') }}
),

open_orders as (
    select distinct
        merchant_id,
        currency,
        business_day
    from orders
    where
        is_counted
        and (not is_paid_in_a_day or (line_items = 0 and total_cents != 0))
),

-- What Clover computed otherwise than these models is an oddity, and no money lost.
odd_totals as (
    select
        merchant_id,
        currency,
        business_day,
        sum(computed_total_cents - stated_total_cents) as computed_otherwise_cents
    from orders
    where is_counted and stated_total_cents is not null and line_items > 0
    group by merchant_id, currency, business_day
),

loose_payments as (
    select distinct
        payments.merchant_id,
        payments.currency,
        payments.business_day
    from {{ ref('stg_clover__payments') }} as payments
    left join orders
        on
            payments.merchant_id = orders.merchant_id
            and payments.order_id = orders.order_id
            and payments.business_day = orders.business_day
            and payments.currency = orders.currency
            and orders.is_counted
    where payments.is_collected and not payments.is_test and orders.order_id is null
),

summed as (
    select
        overview.merchant_id,
        overview.currency,
        overview.business_day,
        overview.fully_paid_orders + overview.partly_paid_orders as orders,
        overview.net_sales_cents
        + overview.taxes_cents
        - overview.included_taxes_cents
        + overview.non_revenue_cents
        + overview.service_charges_cents
        + overview.surcharges_cents
        + overview.tips_cents
        - overview.unpaid_cents
        - overview.amount_collected_cents
        - coalesce(odd_totals.computed_otherwise_cents, 0) as difference_cents,
        coalesce(odd_totals.computed_otherwise_cents, 0) as computed_otherwise_cents,
        overview.business_day is not null
        and overview.currency is not null
        and open_orders.merchant_id is null
        and loose_payments.merchant_id is null as is_closed
    from overview
    left join odd_totals
        on
            overview.merchant_id = odd_totals.merchant_id
            and overview.currency = odd_totals.currency
            and overview.business_day = odd_totals.business_day
    left join open_orders
        on
            overview.merchant_id = open_orders.merchant_id
            and overview.currency = open_orders.currency
            and overview.business_day = open_orders.business_day
    left join loose_payments
        on
            overview.merchant_id = loose_payments.merchant_id
            and overview.currency = loose_payments.currency
            and overview.business_day = loose_payments.business_day
)

select
    *,
    abs(difference_cents) > orders * {{ var('clover_sum_tolerance_cents') }} as is_off
from summed
