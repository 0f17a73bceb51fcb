with moves as (
    select
        merchant_id,
        currency,
        business_day,
        tender_id,
        tender,
        1 as payments,
        0 as refunds,
        coalesce(amount_cents, 0) as amount_cents,
        coalesce(tip_cents, 0) as tips_cents,
        surcharge_cents as surcharges_cents,
        0 as refunds_cents,
        coalesce(cashback_cents, 0) as cashback_cents
    from {{ ref('stg_clover__payments') }}
    where is_collected and not is_test
    union all
    select
        merchant_id,
        currency,
        business_day,
        tender_id,
        tender,
        0 as payments,
        1 as refunds,
        0 as amount_cents,
        0 as tips_cents,
        0 as surcharges_cents,
        -(coalesce(amount_cents, 0) + surcharge_cents) as refunds_cents,
        0 as cashback_cents
    from {{ ref('clover__refunds') }}
    where is_paid_back and not is_test
),

keyed as (
    select
        *,
        coalesce(tender_id, tender, '') as tender_key
    from moves
)

select
    merchant_id,
    currency,
    business_day,
    tender_key,
    max(tender_id) as tender_id,
    max(tender) as tender,
    sum(payments) as payments,
    sum(refunds) as refunds,
    {{ clover.total('amount_cents') }} as amount_cents,
    {{ clover.total('tips_cents') }} as tips_cents,
    {{ clover.total('surcharges_cents') }} as surcharges_cents,
    {{ clover.total('refunds_cents') }} as refunds_cents,
    {{ clover.total('amount_cents + tips_cents + surcharges_cents + refunds_cents') }}
        as amount_collected_cents,
    {{ clover.total('cashback_cents') }} as cashback_cents
from keyed
group by merchant_id, currency, business_day, tender_key
