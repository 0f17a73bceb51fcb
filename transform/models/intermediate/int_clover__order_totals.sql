with orders as (
    select * from {{ ref('stg_clover__orders') }}
),

lines as (
    select
        merchant_id,
        order_id,
        count(*) as line_items,
        {{ clover.total('case when is_sale then gross_cents end') }} as gross_cents,
        {{ clover.total('case when is_sale then line_discount_cents end') }} as line_discount_cents,
        {{ clover.total('case when is_sale then net_cents end') }} as net_sales_cents,
        {{ clover.total('case when not is_exchanged then tax_cents end') }} as tax_cents,
        {{ clover.total(
            'case when not is_revenue and not is_order_fee and not is_exchanged then net_cents end'
        ) }} as non_revenue_cents
    from {{ ref('clover__line_items') }}
    group by merchant_id, order_id
),

order_discounts as (
    select
        merchant_id,
        order_id,
        {{ clover.total('discount_cents') }} as order_discount_cents
    from {{ ref('clover__discounts') }}
    where level = 'order'
    group by merchant_id, order_id
),

charges as (
    select
        merchant_id,
        order_id,
        {{ clover.total('charge_cents') }} as service_charge_cents
    from {{ ref('clover__order_charges') }}
    where is_service_charge
    group by merchant_id, order_id
),

collected as (
    select
        merchant_id,
        order_id,
        count(*) as payments,
        {{ clover.total('amount_cents') }} as paid_cents,
        min(paid_at) as first_paid_at,
        min(paid_at_local) as first_paid_at_local,
        min(business_day) as business_day,
        max(business_day) as last_business_day,
        min(business_day) = max(business_day) and count(business_day) = count(*)
            as is_paid_in_a_day
    from {{ ref('stg_clover__payments') }}
    where is_collected and order_id is not null
    group by merchant_id, order_id
),

summed as (
    select
        orders.merchant_id,
        orders.order_id,
        orders.currency,
        orders.is_vat,
        orders.is_test,
        orders.is_deleted,
        orders.ordered_at,
        orders.business_day as ordered_on,
        orders.payment_state,
        orders.total_cents as stated_total_cents,
        collected.first_paid_at,
        collected.first_paid_at_local,
        collected.business_day,
        collected.last_business_day,
        coalesce(collected.is_paid_in_a_day, false) as is_paid_in_a_day,
        coalesce(collected.payments, 0) as payments,
        coalesce(collected.paid_cents, 0) as paid_cents,
        coalesce(lines.line_items, 0) as line_items,
        coalesce(lines.gross_cents, 0) as gross_cents,
        coalesce(lines.line_discount_cents, 0)
        + coalesce(order_discounts.order_discount_cents, 0) as discount_cents,
        coalesce(lines.tax_cents, 0) as tax_cents,
        coalesce(lines.non_revenue_cents, 0) as non_revenue_cents,
        coalesce(charges.service_charge_cents, 0) as service_charge_cents
    from orders
    left join lines on orders.merchant_id = lines.merchant_id and orders.order_id = lines.order_id
    left join order_discounts
        on
            orders.merchant_id = order_discounts.merchant_id
            and orders.order_id = order_discounts.order_id
    left join charges
        on orders.merchant_id = charges.merchant_id and orders.order_id = charges.order_id
    left join collected
        on orders.merchant_id = collected.merchant_id and orders.order_id = collected.order_id
),

computed as (
    select
        *,
        case when is_vat then tax_cents else 0 end as included_tax_cents,
        gross_cents + discount_cents + non_revenue_cents + service_charge_cents
        + case when is_vat then 0 else tax_cents end as computed_total_cents
    from summed
)

select
    *,
    coalesce(stated_total_cents, computed_total_cents) as total_cents,
    coalesce(stated_total_cents, computed_total_cents) - paid_cents as unpaid_cents,
    payments > 0 and not is_test and not is_deleted as is_counted,
    coalesce(stated_total_cents, computed_total_cents) <= paid_cents as is_fully_paid
from computed
