with seen as (
    select
        merchant_id,
        device_id,
        ordered_at as seen_at,
        1 as orders,
        0 as payments
    from {{ ref('stg_clover__orders') }}
    union all
    select
        merchant_id,
        device_id,
        paid_at as seen_at,
        0 as orders,
        1 as payments
    from {{ ref('stg_clover__payments') }}
)

select
    merchant_id,
    device_id,
    min(seen_at) as first_seen_at,
    max(seen_at) as last_seen_at,
    sum(orders) as orders,
    sum(payments) as payments
from seen
where device_id is not null
group by merchant_id, device_id
