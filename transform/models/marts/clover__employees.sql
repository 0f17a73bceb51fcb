{% set with_names = var('clover_include_names') %}

with seen as (
    select
        merchant_id,
        employee_id,
        ordered_at as seen_at,
        1 as orders,
        0 as payments
    from {{ ref('stg_clover__orders') }}
    union all
    select
        merchant_id,
        employee_id,
        paid_at as seen_at,
        0 as orders,
        1 as payments
    from {{ ref('stg_clover__payments') }}
    union all
    select
        merchant_id,
        employee_id,
        refunded_at as seen_at,
        0 as orders,
        0 as payments
    from {{ ref('clover__refunds') }}
){% if with_names %},

raw_orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['employee', 'employee', 'json'],
    ]) }}
),

names as (
    select
        merchant_id,
        {{ clover.json_field('employee', 'id', 'text') }} as employee_id,
        max({{ clover.json_field('employee', 'name', 'text') }}) as name
    from raw_orders
    group by 1, 2
){% endif %}

select
    seen.merchant_id,
    seen.employee_id,
    {% if with_names -%}
        max(names.name) as name,
    {%- endif %}
    min(seen.seen_at) as first_seen_at,
    max(seen.seen_at) as last_seen_at,
    sum(seen.orders) as orders,
    sum(seen.payments) as payments
from seen
{% if with_names -%}
    left join names
        on seen.merchant_id = names.merchant_id and seen.employee_id = names.employee_id
{%- endif %}
where seen.employee_id is not null
group by seen.merchant_id, seen.employee_id
