with lines as (
    select * from {{ ref('int_clover__priced_lines') }}
),

orders as (
    select
        merchant_id,
        order_id,
        currency,
        is_vat,
        is_tax_removed
    from {{ ref('stg_clover__orders') }}
),

discounts as (
    select * from {{ ref('clover__discounts') }}
    where not is_left_out
),

line_discounts as (
    select
        merchant_id,
        order_id,
        line_position,
        {{ clover.total('discount_cents') }} as line_discount_cents
    from discounts
    where level = 'line'
    group by merchant_id, order_id, line_position
),

order_discounts as (
    select
        merchant_id,
        order_id,
        {{ clover.total('discount_cents') }} as order_discount_cents
    from discounts
    where level = 'order'
    group by merchant_id, order_id
),

-- A share is what the order's discount has come to with this line less what it had before,
-- so that the shares add up to it.
weighed as (
    select
        lines.merchant_id,
        lines.order_id,
        lines.line_position,
        order_discounts.order_discount_cents,
        lines.gross_cents + coalesce(line_discounts.line_discount_cents, 0) as own_cents,
        sum(lines.gross_cents + coalesce(line_discounts.line_discount_cents, 0)) over (
            partition by lines.merchant_id, lines.order_id
            order by lines.line_position
            rows between unbounded preceding and current row
        ) as through_cents,
        sum(lines.gross_cents + coalesce(line_discounts.line_discount_cents, 0)) over (
            partition by lines.merchant_id, lines.order_id
        ) as whole_cents
    from lines
    inner join order_discounts
        on
            lines.merchant_id = order_discounts.merchant_id
            and lines.order_id = order_discounts.order_id
    left join line_discounts
        on
            lines.merchant_id = line_discounts.merchant_id
            and lines.order_id = line_discounts.order_id
            and lines.line_position = line_discounts.line_position
    where lines.is_sale
),

shares as (
    select
        merchant_id,
        order_id,
        line_position,
        {{ clover.share_of('order_discount_cents', 'through_cents', 'whole_cents') }}
        - {{ clover.share_of(
            'order_discount_cents', '(through_cents - own_cents)', 'whole_cents'
        ) }} as order_discount_cents
    from weighed
    where whole_cents > 0
),

discounted as (
    select
        lines.*,
        orders.currency,
        coalesce(orders.is_vat, false) as is_vat,
        coalesce(orders.is_tax_removed, false) as is_tax_removed,
        coalesce(line_discounts.line_discount_cents, 0) as line_discount_cents,
        coalesce(shares.order_discount_cents, 0) as order_discount_cents,
        lines.is_order_fee and coalesce(lines.price_cents, 0) = 0 and lines.fee_rate is not null
            as is_fee_by_rate
    from lines
    left join orders on lines.merchant_id = orders.merchant_id and lines.order_id = orders.order_id
    left join line_discounts
        on
            lines.merchant_id = line_discounts.merchant_id
            and lines.order_id = line_discounts.order_id
            and lines.line_position = line_discounts.line_position
    left join shares
        on
            lines.merchant_id = shares.merchant_id
            and lines.order_id = shares.order_id
            and lines.line_position = shares.line_position
),

fee_orders as (
    select distinct
        merchant_id,
        order_id
    from discounted
    where is_fee_by_rate
),

fee_bases as (
    select
        discounted.merchant_id,
        discounted.order_id,
        {{ clover.total(
            'discounted.gross_cents + discounted.line_discount_cents'
            ' + discounted.order_discount_cents'
        ) }} as base_cents
    from discounted
    inner join fee_orders
        on
            discounted.merchant_id = fee_orders.merchant_id
            and discounted.order_id = fee_orders.order_id
    where discounted.is_sale
    group by discounted.merchant_id, discounted.order_id
),

with_fees as (
    select
        discounted.*,
        case
            when discounted.is_fee_by_rate
                then coalesce({{ clover.percent_of(
                    'fee_bases.base_cents', 'discounted.fee_rate'
                ) }}, 0)
            else discounted.list_cents
        end as full_list_cents
    from discounted
    left join fee_bases
        on
            discounted.merchant_id = fee_bases.merchant_id
            and discounted.order_id = fee_bases.order_id
),

nets as (
    select
        *,
        full_list_cents + modifiers_cents as full_gross_cents,
        full_list_cents + modifiers_cents + line_discount_cents + order_discount_cents as net_cents
    from with_fees
),

taxes as (
    select
        merchant_id,
        order_id,
        line_position,
        rate,
        stated_tax_cents,
        sum(rate) over (partition by merchant_id, order_id, line_position) as all_rates
    from {{ ref('stg_clover__line_item_taxes') }}
),

stated_taxes as (
    select
        merchant_id,
        order_id,
        line_position,
        {{ clover.total('stated_tax_cents') }} as tax_cents
    from taxes
    where stated_tax_cents is not null
    group by merchant_id, order_id, line_position
),

computed_taxes as (
    select
        taxes.merchant_id,
        taxes.order_id,
        taxes.line_position,
        {{ clover.total(
            clover.tax_of('nets.net_cents', 'taxes.rate', 'taxes.all_rates', 'nets.is_vat')
        ) }} as tax_cents
    from taxes
    inner join nets
        on
            taxes.merchant_id = nets.merchant_id
            and taxes.order_id = nets.order_id
            and taxes.line_position = nets.line_position
    where taxes.stated_tax_cents is null and not nets.is_tax_removed
    group by taxes.merchant_id, taxes.order_id, taxes.line_position
)

select
    nets.merchant_id,
    nets.order_id,
    nets.line_position,
    nets.line_item_id,
    nets.item_id,
    nets.name,
    nets.item_code,
    nets.currency,
    cast(coalesce(nets.unit_qty, 1000) / 1000.0 as numeric(18, 3)) as quantity,
    nets.unit_name,
    nets.price_cents,
    nets.full_list_cents as list_cents,
    nets.modifiers_cents,
    nets.full_gross_cents as gross_cents,
    nets.line_discount_cents,
    nets.order_discount_cents,
    nets.net_cents,
    coalesce(stated_taxes.tax_cents, 0) + coalesce(computed_taxes.tax_cents, 0) as tax_cents,
    nets.is_vat,
    nets.is_sale,
    nets.is_revenue,
    nets.is_order_fee,
    nets.is_refunded,
    nets.is_exchanged
from nets
left join stated_taxes
    on
        nets.merchant_id = stated_taxes.merchant_id
        and nets.order_id = stated_taxes.order_id
        and nets.line_position = stated_taxes.line_position
left join computed_taxes
    on
        nets.merchant_id = computed_taxes.merchant_id
        and nets.order_id = computed_taxes.order_id
        and nets.line_position = computed_taxes.line_position
