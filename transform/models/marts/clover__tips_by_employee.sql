with moves as (
    select
        merchant_id,
        currency,
        business_day,
        employee_id,
        1 as payments,
        coalesce(amount_cents, 0) as amount_cents,
        coalesce(tip_cents, 0) as paid_tips_cents,
        0 as refunded_tips_cents
    from {{ ref('stg_clover__payments') }}
    where is_collected and not is_test
    union all
    select
        merchant_id,
        currency,
        business_day,
        coalesce(sold_by_employee_id, employee_id) as employee_id,
        0 as payments,
        0 as amount_cents,
        0 as paid_tips_cents,
        -tip_cents as refunded_tips_cents
    from {{ ref('clover__refunds') }}
    where is_paid_back and not is_test and tip_cents != 0
)

select
    merchant_id,
    currency,
    business_day,
    employee_id,
    sum(payments) as payments,
    {{ clover.total('amount_cents') }} as amount_cents,
    {{ clover.total('paid_tips_cents') }} as paid_tips_cents,
    {{ clover.total('refunded_tips_cents') }} as refunded_tips_cents,
    {{ clover.total('paid_tips_cents + refunded_tips_cents') }} as tips_cents
from moves
group by merchant_id, currency, business_day, employee_id
