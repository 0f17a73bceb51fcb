with payments as (
    {{ clover.source_rows('payments', [
        ['merchant_id', 'merchant_id', 'text'],
        ['payment_id', 'id', 'text'],
        ['created_at', 'createdTime', 'time'],
        ['client_created_at', 'clientCreatedTime', 'time'],
        ['modified_at', 'modifiedTime', 'time'],
        ['amount_cents', 'amount', 'amount'],
        ['tip_cents', 'tipAmount', 'amount'],
        ['tax_cents', 'taxAmount', 'amount'],
        ['cashback_cents', 'cashbackAmount', 'amount'],
        ['cash_tendered_cents', 'cashTendered', 'amount'],
        ['result', 'result', 'text'],
        ['void_reason', 'voidReason', 'text'],
        ['external_payment_id', 'externalPaymentId', 'text'],
        ['is_offline', 'offline', 'boolean'],
        ['order_reference', 'order', 'json'],
        ['tender', 'tender', 'json'],
        ['employee', 'employee', 'json'],
        ['device', 'device', 'json'],
        ['service_charge', 'serviceCharge', 'json'],
        ['card_transaction', 'cardTransaction', 'json'],
        ['additional_charges', 'additionalCharges', 'json'],
    ]) }}
),

surcharges as (
    select
        merchant_id,
        payment_id,
        {{ clover.total('amount_cents') }} as surcharge_cents
    from ({{ clover.elements('payments', ['merchant_id', 'payment_id'], 'additional_charges', [
        ['amount_cents', 'amount', 'amount'],
    ]) }}) as charges
    group by merchant_id, payment_id
),

clocks as (
    {{ clover.clocks() }}
),

orders as (
    select
        merchant_id,
        order_id,
        currency,
        is_test,
        is_vat,
        is_deleted
    from {{ ref('stg_clover__orders') }}
),

usual as (
    {{ clover.usual('orders') }}
),

named as (
    select
        payments.*,
        {{ clover.json_field('order_reference', 'id', 'text') }} as order_id,
        {{ clover.json_field('card_transaction', 'currency', 'text') }} as card_currency,
        {{ clover.day_starts_at_minute() }} as day_starts_at_minute,
        {{ clover.to_local(
            'coalesce(payments.client_created_at, payments.created_at)', clover.time_zone()
        ) }} as paid_at_local
    from payments
    left join clocks on payments.merchant_id = clocks.merchant_id
)

select
    named.merchant_id,
    named.payment_id,
    named.order_id,
    orders.order_id is not null as has_order,
    coalesce(orders.currency, nullif(upper(trim(named.card_currency)), ''), usual.currency)
        as currency,
    coalesce(named.client_created_at, named.created_at) as paid_at,
    named.paid_at_local,
    {{ clover.business_day('named.paid_at_local', 'named.day_starts_at_minute') }} as business_day,
    named.created_at,
    named.client_created_at,
    named.modified_at,
    named.amount_cents,
    named.tip_cents,
    named.tax_cents,
    coalesce(surcharges.surcharge_cents, 0) as surcharge_cents,
    {{ clover.json_field('named.service_charge', 'amount', 'amount') }} as service_charge_cents,
    named.cashback_cents,
    named.cash_tendered_cents,
    {{ clover.json_field('named.tender', 'id', 'text') }} as tender_id,
    {{ clover.json_field('named.tender', 'label', 'text') }} as tender,
    {{ clover.json_field('named.tender', 'labelKey', 'text') }} as tender_key,
    {{ clover.json_field('named.employee', 'id', 'text') }} as employee_id,
    {{ clover.json_field('named.device', 'id', 'text') }} as device_id,
    named.result,
    named.void_reason,
    named.external_payment_id,
    coalesce(named.result = 'SUCCESS' and named.void_reason is null, false) as is_collected,
    coalesce(orders.is_test, false) as is_test,
    coalesce(orders.is_deleted, false) as is_of_deleted_order,
    coalesce(orders.is_vat, usual.is_vat, false) as is_vat,
    named.is_offline
from named
left join orders on named.merchant_id = orders.merchant_id and named.order_id = orders.order_id
left join usual on named.merchant_id = usual.merchant_id
left join surcharges
    on
        named.merchant_id = surcharges.merchant_id
        and named.payment_id = surcharges.payment_id
