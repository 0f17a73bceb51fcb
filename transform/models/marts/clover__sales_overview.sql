with orders as (
    select
        merchant_id,
        currency,
        business_day,
        sum(case when is_fully_paid then 1 else 0 end) as fully_paid_orders,
        sum(case when is_fully_paid then 0 else 1 end) as partly_paid_orders,
        sum(gross_cents) as gross_sales_cents,
        sum(discount_cents) as discounts_cents,
        0 as refunds_cents,
        sum(tax_cents) as taxes_cents,
        sum(included_tax_cents) as included_taxes_cents,
        0 as tips_cents,
        sum(service_charge_cents) as service_charges_cents,
        0 as surcharges_cents,
        sum(non_revenue_cents) as non_revenue_cents,
        sum(unpaid_cents) as unpaid_cents,
        0 as amount_collected_cents
    from {{ ref('int_clover__order_totals') }}
    where is_counted
    group by merchant_id, currency, business_day
),

payments as (
    select
        merchant_id,
        currency,
        business_day,
        0 as fully_paid_orders,
        0 as partly_paid_orders,
        0 as gross_sales_cents,
        0 as discounts_cents,
        0 as refunds_cents,
        0 as taxes_cents,
        0 as included_taxes_cents,
        sum(coalesce(tip_cents, 0)) as tips_cents,
        0 as service_charges_cents,
        sum(surcharge_cents) as surcharges_cents,
        0 as non_revenue_cents,
        0 as unpaid_cents,
        sum(coalesce(amount_cents, 0) + coalesce(tip_cents, 0) + surcharge_cents)
            as amount_collected_cents
    from {{ ref('stg_clover__payments') }}
    where is_collected and not is_test
    group by merchant_id, currency, business_day
),

refunds as (
    select
        merchant_id,
        currency,
        business_day,
        0 as fully_paid_orders,
        0 as partly_paid_orders,
        0 as gross_sales_cents,
        0 as discounts_cents,
        -sum(
            coalesce(amount_cents, 0) - tip_cents - service_charge_cents
            - case when is_vat then 0 else tax_cents end
        ) as refunds_cents,
        -sum(tax_cents) as taxes_cents,
        -sum(case when is_vat then tax_cents else 0 end) as included_taxes_cents,
        -sum(tip_cents) as tips_cents,
        -sum(service_charge_cents) as service_charges_cents,
        -sum(surcharge_cents) as surcharges_cents,
        0 as non_revenue_cents,
        0 as unpaid_cents,
        -sum(coalesce(amount_cents, 0) + surcharge_cents) as amount_collected_cents
    from {{ ref('clover__refunds') }}
    where is_paid_back and not is_test
    group by merchant_id, currency, business_day
),

parts as (
    select * from orders
    union all
    select * from payments
    union all
    select * from refunds
),

days as (
    select
        merchant_id,
        currency,
        business_day,
        {{ clover.total('fully_paid_orders') }} as fully_paid_orders,
        {{ clover.total('partly_paid_orders') }} as partly_paid_orders,
        {{ clover.total('gross_sales_cents') }} as gross_sales_cents,
        {{ clover.total('discounts_cents') }} as discounts_cents,
        {{ clover.total('refunds_cents') }} as refunds_cents,
        {{ clover.total('taxes_cents') }} as taxes_cents,
        {{ clover.total('included_taxes_cents') }} as included_taxes_cents,
        {{ clover.total('tips_cents') }} as tips_cents,
        {{ clover.total('service_charges_cents') }} as service_charges_cents,
        {{ clover.total('surcharges_cents') }} as surcharges_cents,
        {{ clover.total('non_revenue_cents') }} as non_revenue_cents,
        {{ clover.total('unpaid_cents') }} as unpaid_cents,
        {{ clover.total('amount_collected_cents') }} as amount_collected_cents
    from parts
    group by merchant_id, currency, business_day
),

netted as (
    select
        *,
        gross_sales_cents + discounts_cents + refunds_cents as net_sales_cents,
        fully_paid_orders + partly_paid_orders as orders
    from days
)

select
    merchant_id,
    currency,
    business_day,
    fully_paid_orders,
    partly_paid_orders,
    gross_sales_cents,
    discounts_cents,
    refunds_cents,
    net_sales_cents,
    taxes_cents,
    included_taxes_cents,
    tips_cents,
    service_charges_cents,
    surcharges_cents,
    non_revenue_cents,
    unpaid_cents,
    amount_collected_cents,
    case
        when orders > 0 then {{ clover.share_of('net_sales_cents', 1, 'orders') }}
    end as average_sale_cents
from netted
