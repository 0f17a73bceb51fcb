with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['order_id', 'id', 'text'],
        ['additional_charges', 'additionalCharges', 'json'],
    ]) }}
),

others as (
    {{ clover.elements('orders', ['merchant_id', 'order_id'], 'additional_charges', [
        ['charge_id', 'id', 'text'],
        ['name', 'type', 'text'],
        ['stated_cents', 'amount', 'amount'],
        ['rate', 'percentageDecimal', 'amount'],
    ]) }}
),

staged as (
    select * from {{ ref('stg_clover__orders') }}
),

lines as (
    select * from {{ ref('clover__line_items') }}
),

priced as (
    select
        merchant_id,
        order_id,
        line_position,
        price_cents,
        fee_rate
    from {{ ref('int_clover__priced_lines') }}
    where is_order_fee
),

charges_of_any_kind as (
    select
        merchant_id,
        order_id
    from staged
    where service_charge_rate is not null
    union all
    select
        merchant_id,
        order_id
    from others
    union all
    select
        merchant_id,
        order_id
    from priced
),

charged_orders as (
    select distinct
        merchant_id,
        order_id
    from charges_of_any_kind
),

bases as (
    select
        lines.merchant_id,
        lines.order_id,
        {{ clover.total('lines.net_cents') }} as base_cents
    from lines
    inner join charged_orders
        on
            lines.merchant_id = charged_orders.merchant_id
            and lines.order_id = charged_orders.order_id
    where lines.is_sale
    group by lines.merchant_id, lines.order_id
),

service_charges as (
    select
        staged.merchant_id,
        staged.order_id,
        'service charge' as kind,
        1 as charge_position,
        staged.service_charge_id as charge_id,
        staged.service_charge_name as name,
        staged.service_charge_stated_cents as stated_cents,
        staged.service_charge_rate as rate,
        coalesce(bases.base_cents, 0) as base_cents,
        coalesce(
            staged.service_charge_stated_cents,
            {{ clover.percent_of('bases.base_cents', 'staged.service_charge_rate') }},
            0
        ) as charge_cents
    from staged
    left join bases on staged.merchant_id = bases.merchant_id and staged.order_id = bases.order_id
    where
        coalesce(staged.is_service_charge_enabled, true)
        and (
            staged.service_charge_rate is not null
            or staged.service_charge_stated_cents is not null
        )
),

order_fees as (
    select
        lines.merchant_id,
        lines.order_id,
        'order fee' as kind,
        lines.line_position as charge_position,
        lines.line_item_id as charge_id,
        lines.name,
        priced.price_cents as stated_cents,
        priced.fee_rate as rate,
        coalesce(bases.base_cents, 0) as base_cents,
        lines.net_cents as charge_cents
    from lines
    inner join priced
        on
            lines.merchant_id = priced.merchant_id
            and lines.order_id = priced.order_id
            and lines.line_position = priced.line_position
    left join bases on lines.merchant_id = bases.merchant_id and lines.order_id = bases.order_id
    where not lines.is_exchanged
),

additional_charges as (
    select
        others.merchant_id,
        others.order_id,
        'additional charge' as kind,
        others.element_position as charge_position,
        others.charge_id,
        others.name,
        others.stated_cents,
        others.rate,
        coalesce(bases.base_cents, 0) as base_cents,
        coalesce(
            others.stated_cents, {{ clover.percent_of('bases.base_cents', 'others.rate') }}, 0
        ) as charge_cents
    from others
    left join bases on others.merchant_id = bases.merchant_id and others.order_id = bases.order_id
),

all_charges as (
    select * from service_charges
    union all
    select * from order_fees
    union all
    select * from additional_charges
)

select
    all_charges.merchant_id,
    all_charges.order_id,
    all_charges.kind,
    all_charges.charge_position,
    all_charges.charge_id,
    all_charges.name,
    staged.currency,
    all_charges.stated_cents,
    all_charges.rate,
    all_charges.base_cents,
    all_charges.charge_cents,
    all_charges.kind in ('service charge', 'order fee') as is_service_charge
from all_charges
left join staged
    on all_charges.merchant_id = staged.merchant_id and all_charges.order_id = staged.order_id
