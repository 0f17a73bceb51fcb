with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['order_id', 'id', 'text'],
        ['line_items', 'lineItems', 'json'],
    ]) }}
),

line_items as (
    {{ clover.elements('orders', ['merchant_id', 'order_id'], 'line_items', [
        ['line_item_id', 'id', 'text'],
        ['item_id', 'item.id', 'text'],
        ['name', 'name', 'text'],
        ['item_code', 'itemCode', 'text'],
        ['unit_name', 'unitName', 'text'],
        ['price_cents', 'price', 'amount'],
        ['unit_qty', 'unitQty', 'amount'],
        ['fee_rate', 'percentage', 'amount'],
        ['is_revenue', 'isRevenue', 'boolean'],
        ['is_order_fee', 'isOrderFee', 'boolean'],
        ['is_refunded', 'refunded', 'boolean'],
        ['is_exchanged', 'exchanged', 'boolean'],
        ['modifications', 'modifications', 'json'],
        ['discounts', 'discounts', 'json'],
        ['tax_rates', 'taxRates', 'json'],
    ]) }}
)

select
    merchant_id,
    order_id,
    element_position as line_position,
    line_item_id,
    item_id,
    name,
    item_code,
    unit_name,
    price_cents,
    unit_qty,
    fee_rate,
    coalesce(is_revenue, true) as is_revenue,
    coalesce(is_order_fee, false) as is_order_fee,
    coalesce(is_refunded, false) as is_refunded,
    coalesce(is_exchanged, false) as is_exchanged,
    modifications,
    discounts,
    tax_rates
from line_items
