{% set with_names = var('clover_include_names') %}

with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['order_id', 'id', 'text'],
        ['customers', 'customers', 'json'],
    ]) }}
),

customers as (
    {{ clover.elements('orders', ['merchant_id', 'order_id'], 'customers', [
        ['customer_id', 'id', 'text'],
        ['first_name', 'firstName', 'text'],
        ['last_name', 'lastName', 'text'],
        ['is_marketing_allowed', 'marketingAllowed', 'boolean'],
        ['customer_since', 'customerSince', 'time'],
    ]) }}
)

select
    customers.merchant_id,
    customers.customer_id,
    {% if with_names -%}
        max(customers.first_name) as first_name,
        max(customers.last_name) as last_name,
    {%- endif %}
    max(case when customers.is_marketing_allowed then 1 else 0 end) = 1 as is_marketing_allowed,
    min(customers.customer_since) as customer_since,
    min(staged.ordered_at) as first_seen_at,
    max(staged.ordered_at) as last_seen_at,
    count(distinct customers.order_id) as orders
from customers
left join {{ ref('stg_clover__orders') }} as staged
    on customers.merchant_id = staged.merchant_id and customers.order_id = staged.order_id
where customers.customer_id is not null
group by customers.merchant_id, customers.customer_id
