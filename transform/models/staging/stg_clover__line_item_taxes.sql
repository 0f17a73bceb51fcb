with line_items as (
    select
        merchant_id,
        order_id,
        line_position,
        tax_rates
    from {{ ref('stg_clover__line_items') }}
    where tax_rates is not null
)

select
    merchant_id,
    order_id,
    line_position,
    element_position as tax_position,
    tax_rate_id,
    name,
    rate,
    stated_tax_cents
from ({{ clover.elements('line_items', ['merchant_id', 'order_id', 'line_position'], 'tax_rates', [
    ['tax_rate_id', 'id', 'text'],
    ['name', 'name', 'text'],
    ['rate', 'rate', 'amount'],
    ['stated_tax_cents', 'taxAmount', 'amount'],
]) }}) as taxes
