with payments as (
    {{ clover.source_rows('payments', [
        ['merchant_id', 'merchant_id', 'text'],
        ['payment_id', 'id', 'text'],
        ['card', 'cardTransaction', 'json'],
    ]) }}
),

cards as (
    select
        merchant_id,
        payment_id,
        {{ clover.json_field('card', 'cardType', 'text') }} as card_type,
        {{ clover.json_field('card', 'entryType', 'text') }} as entry_type,
        {{ clover.json_field('card', 'last4', 'text') }} as last4,
        {{ clover.json_field('card', 'type', 'text') }} as transaction_type,
        {{ clover.json_field('card', 'state', 'text') }} as state,
        {{ clover.json_field('card', 'authCode', 'text') }} as auth_code,
        {{ clover.json_field('card', 'referenceId', 'text') }} as reference_id,
        {{ clover.json_field('card', 'avsResult', 'text') }} as avs_result,
        {{ clover.json_field('card', 'gatewayTxState', 'text') }} as gateway_state,
        {{ clover.json_field('card', 'captured', 'boolean') }} as is_captured
    from payments
)

select
    cards.*,
    staged.order_id,
    staged.currency,
    staged.business_day,
    staged.amount_cents,
    staged.tip_cents,
    staged.is_collected,
    staged.is_test
from cards
left join {{ ref('stg_clover__payments') }} as staged
    on cards.merchant_id = staged.merchant_id and cards.payment_id = staged.payment_id
where cards.card_type is not null or cards.last4 is not null or cards.transaction_type is not null
