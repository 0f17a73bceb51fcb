{% set fields = [
    ['discount_id', 'id', 'text'],
    ['template_id', 'discount.id', 'text'],
    ['name', 'name', 'text'],
    ['discount_type', 'discType', 'text'],
    ['stated_cents', 'amount', 'amount'],
    ['percentage', 'percentage', 'amount'],
    ['percentage_decimal', 'percentageDecimal', 'amount'],
] %}

with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['order_id', 'id', 'text'],
        ['discounts', 'discounts', 'json'],
    ]) }}
),

line_items as (
    select
        merchant_id,
        order_id,
        line_position,
        discounts
    from {{ ref('stg_clover__line_items') }}
    where discounts is not null
),

of_orders as (
    {{ clover.elements('orders', ['merchant_id', 'order_id'], 'discounts', fields) }}
),

of_lines as (
    {{ clover.elements(
        'line_items', ['merchant_id', 'order_id', 'line_position'], 'discounts', fields
    ) }}
),

both_levels as (
    select
        merchant_id,
        order_id,
        'order' as level,
        0 as line_position,
        element_position as discount_position,
        discount_id,
        template_id,
        name,
        discount_type,
        stated_cents,
        {{ clover.rate_of('percentage_decimal', 'percentage') }} as rate
    from of_orders
    union all
    select
        merchant_id,
        order_id,
        'line' as level,
        line_position,
        element_position as discount_position,
        discount_id,
        template_id,
        name,
        discount_type,
        stated_cents,
        {{ clover.rate_of('percentage_decimal', 'percentage') }} as rate
    from of_lines
)

select * from both_levels
