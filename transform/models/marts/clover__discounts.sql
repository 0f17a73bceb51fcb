{%- set owner = ['merchant_id', 'order_id', 'line_position'] -%}

with discounts as (
    select * from {{ ref('stg_clover__discounts') }}
),

lines as (
    select
        merchant_id,
        order_id,
        line_position,
        is_sale,
        is_order_fee,
        is_exchanged,
        gross_cents
    from {{ ref('int_clover__priced_lines') }}
),

off_lines as (
    select
        discounts.*,
        lines.is_sale,
        lines.is_order_fee or lines.is_exchanged as is_left_out,
        lines.gross_cents as base_cents,
        lines.gross_cents as most_cents,
        {{ clover.off('discounts.stated_cents', 'discounts.rate', 'lines.gross_cents') }}
            as off_cents
    from discounts
    inner join lines
        on
            discounts.merchant_id = lines.merchant_id
            and discounts.order_id = lines.order_id
            and discounts.line_position = lines.line_position
    where discounts.level = 'line'
),

of_lines as (
    select
        *,
        {{ clover.discount_within('off_cents', 'most_cents', owner, 'discount_position') }}
            as discount_cents
    from off_lines
),

of_orders as (
    select * from discounts
    where level = 'order'
),

discounted_orders as (
    select distinct
        merchant_id,
        order_id
    from of_orders
),

line_discounts as (
    select
        merchant_id,
        order_id,
        {{ clover.total('case when is_sale then discount_cents end') }} as discount_cents,
        {{ clover.total('discount_cents') }} as all_cents
    from of_lines
    where not is_left_out
    group by merchant_id, order_id
),

bases as (
    select
        lines.merchant_id,
        lines.order_id,
        {{ clover.total('case when lines.is_sale then lines.gross_cents end') }} as gross_cents,
        {{ clover.total('lines.gross_cents') }} as all_cents
    from lines
    inner join discounted_orders
        on
            lines.merchant_id = discounted_orders.merchant_id
            and lines.order_id = discounted_orders.order_id
    where not lines.is_order_fee and not lines.is_exchanged
    group by lines.merchant_id, lines.order_id
),

with_bases as (
    select
        of_orders.*,
        true as is_sale,
        false as is_left_out,
        coalesce(bases.gross_cents, 0) + coalesce(line_discounts.discount_cents, 0) as base_cents,
        coalesce(bases.all_cents, 0) + coalesce(line_discounts.all_cents, 0) as most_cents
    from of_orders
    left join bases
        on of_orders.merchant_id = bases.merchant_id and of_orders.order_id = bases.order_id
    left join line_discounts
        on
            of_orders.merchant_id = line_discounts.merchant_id
            and of_orders.order_id = line_discounts.order_id
),

off_orders as (
    select
        *,
        {{ clover.off('stated_cents', 'rate', 'base_cents') }} as off_cents
    from with_bases
),

both_levels as (
    select
        *,
        {{ clover.discount_within('off_cents', 'most_cents', owner, 'discount_position') }}
            as discount_cents
    from off_orders
    union all
    select * from of_lines
)

select
    both_levels.merchant_id,
    both_levels.order_id,
    both_levels.level,
    both_levels.line_position,
    both_levels.discount_position,
    both_levels.discount_id,
    both_levels.template_id,
    both_levels.name,
    both_levels.discount_type,
    orders.currency,
    both_levels.stated_cents,
    both_levels.rate,
    both_levels.base_cents,
    both_levels.discount_cents,
    both_levels.is_sale,
    both_levels.is_left_out
from both_levels
left join {{ ref('stg_clover__orders') }} as orders
    on both_levels.merchant_id = orders.merchant_id and both_levels.order_id = orders.order_id
