with line_items as (
    select
        merchant_id,
        order_id,
        line_position,
        modifications
    from {{ ref('stg_clover__line_items') }}
    where modifications is not null
)

select
    modifications.merchant_id,
    modifications.order_id,
    modifications.line_position,
    modifications.element_position as modification_position,
    modifications.modification_id,
    modifications.modifier_id,
    modifications.name,
    orders.currency,
    modifications.amount_cents
from (
    {{ clover.elements(
        'line_items', ['merchant_id', 'order_id', 'line_position'], 'modifications', [
            ['modification_id', 'id', 'text'],
            ['modifier_id', 'modifier.id', 'text'],
            ['name', 'name', 'text'],
            ['amount_cents', 'amount', 'amount'],
        ]
    ) }}
) as modifications
left join {{ ref('stg_clover__orders') }} as orders
    on
        modifications.merchant_id = orders.merchant_id
        and modifications.order_id = orders.order_id
