with line_items as (
    select * from {{ ref('stg_clover__line_items') }}
),

modifiers as (
    select
        merchant_id,
        order_id,
        line_position,
        {{ clover.total('amount_cents') }} as modifiers_cents
    from {{ ref('clover__line_item_modifications') }}
    group by merchant_id, order_id, line_position
),

priced as (
    select
        line_items.merchant_id,
        line_items.order_id,
        line_items.line_position,
        line_items.line_item_id,
        line_items.item_id,
        line_items.name,
        line_items.item_code,
        line_items.unit_name,
        line_items.price_cents,
        line_items.unit_qty,
        line_items.fee_rate,
        line_items.is_revenue,
        line_items.is_order_fee,
        line_items.is_refunded,
        line_items.is_exchanged,
        coalesce(modifiers.modifiers_cents, 0) as modifiers_cents,
        case
            when line_items.unit_qty is null then coalesce(line_items.price_cents, 0)
            else coalesce({{ clover.share_of(
                'line_items.price_cents', 'line_items.unit_qty', 1000
            ) }}, 0)
        end as list_cents
    from line_items
    left join modifiers
        on
            line_items.merchant_id = modifiers.merchant_id
            and line_items.order_id = modifiers.order_id
            and line_items.line_position = modifiers.line_position
)

select
    *,
    is_revenue and not is_order_fee and not is_exchanged as is_sale,
    list_cents + modifiers_cents as gross_cents
from priced
