with payments as (
    {{ clover.source_rows('payments', [
        ['merchant_id', 'merchant_id', 'text'],
        ['payment_id', 'id', 'text'],
        ['tax_rates', 'taxRates', 'json'],
    ]) }}
),

taxes as (
    {{ clover.elements('payments', ['merchant_id', 'payment_id'], 'tax_rates', [
        ['tax_rate_id', 'id', 'text'],
        ['name', 'name', 'text'],
        ['rate', 'rate', 'amount'],
        ['taxable_cents', 'taxableAmount', 'amount'],
        ['tax_cents', 'taxAmount', 'amount'],
        ['is_vat', 'isVat', 'boolean'],
    ]) }}
)

select
    taxes.merchant_id,
    taxes.payment_id,
    taxes.element_position as tax_position,
    staged.order_id,
    staged.currency,
    staged.business_day,
    staged.is_collected,
    taxes.tax_rate_id,
    taxes.name,
    taxes.rate,
    taxes.taxable_cents,
    taxes.tax_cents,
    coalesce(taxes.is_vat, false) as is_vat
from taxes
left join {{ ref('stg_clover__payments') }} as staged
    on taxes.merchant_id = staged.merchant_id and taxes.payment_id = staged.payment_id
