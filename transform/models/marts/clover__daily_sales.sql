select
    merchant_id,
    currency,
    business_day,
    count(*) as orders,
    {{ clover.total('line_items') }} as line_items,
    {{ clover.total('gross_cents') }} as gross_sales_cents,
    {{ clover.total('discount_cents') }} as discounts_cents,
    {{ clover.total('gross_cents + discount_cents') }} as sales_cents,
    {{ clover.total('tax_cents') }} as taxes_cents,
    {{ clover.total('service_charge_cents') }} as service_charges_cents,
    {{ clover.total('non_revenue_cents') }} as non_revenue_cents,
    {{ clover.total('total_cents') }} as total_cents,
    {{ clover.total('paid_cents') }} as paid_cents
from {{ ref('int_clover__order_totals') }}
where is_counted
group by merchant_id, currency, business_day
