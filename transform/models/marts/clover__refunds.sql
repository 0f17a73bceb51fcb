{% set common = [
    ['refund_id', 'id', 'text'],
    ['refunded_order_id', 'orderRef.id', 'text'],
    ['refunded_payment_id', 'payment.id', 'text'],
    ['employee_id', 'employee.id', 'text'],
    ['created_at', 'createdTime', 'time'],
    ['client_created_at', 'clientCreatedTime', 'time'],
    ['deleted_at', 'deletedTime', 'time'],
    ['amount_cents', 'amount', 'amount'],
    ['tax_cents', 'taxAmount', 'amount'],
    ['tip_cents', 'tipAmount', 'amount'],
    ['service_charge_cents', 'serviceChargeAmount.amount', 'amount'],
    ['is_voided', 'voided', 'boolean'],
    ['reason', 'reason', 'text'],
    ['additional_charges', 'additionalCharges', 'json'],
] %}
{% set fields = common + [
    ['tender_id', 'overrideMerchantTender.id', 'text'],
    ['tender', 'overrideMerchantTender.label', 'text'],
    ['status', 'status', 'text'],
] %}
{% set credit_fields = common + [
    ['tender_id', 'tender.id', 'text'],
    ['tender', 'tender.label', 'text'],
    ['status', 'result', 'text'],
] %}

with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['record_id', 'id', 'text'],
        ['modified_at', 'modifiedTime', 'time'],
        ['refunds', 'refunds', 'json'],
        ['credits', 'credits', 'json'],
    ]) }}
),

payments as (
    {{ clover.source_rows('payments', [
        ['merchant_id', 'merchant_id', 'text'],
        ['record_id', 'id', 'text'],
        ['modified_at', 'modifiedTime', 'time'],
        ['refunds', 'refunds', 'json'],
    ]) }}
),

of_payments as (
    {{ clover.elements(
        'payments', ['merchant_id', 'record_id', 'modified_at'], 'refunds', fields
    ) }}
),

of_orders as (
    {{ clover.elements('orders', ['merchant_id', 'record_id', 'modified_at'], 'refunds', fields) }}
),

credits as (
    {{ clover.elements(
        'orders', ['merchant_id', 'record_id', 'modified_at'], 'credits', credit_fields
    ) }}
),

-- A refund stands in its payment and in its order; one without an id is known by its payment and
-- its time, else by its place.
stacked as (
    select
        of_payments.*,
        'refund' as kind,
        'payment' as found_in
    from of_payments
    union all
    select
        of_orders.*,
        'refund' as kind,
        'order' as found_in
    from of_orders
    union all
    select
        credits.*,
        'manual refund' as kind,
        'order' as found_in
    from credits
),

referred as (
    select
        stacked.*,
        case
            when stacked.found_in = 'payment' then stacked.record_id
            else stacked.refunded_payment_id
        end as payment_id,
        case
            when stacked.found_in = 'order' then stacked.record_id
            else stacked.refunded_order_id
        end as order_id
    from stacked
),

named as (
    select
        referred.*,
        coalesce(
            referred.refund_id,
            referred.payment_id
            || ' ' || cast(
                coalesce(referred.client_created_at, referred.created_at)
                as {{ dbt.type_string() }}
            ),
            referred.record_id || ' ' || cast(referred.element_position as {{ dbt.type_string() }})
        ) as key_id
    from referred
),

ranked as (
    select
        named.*,
        row_number() over (
            partition by named.merchant_id, named.kind, named.key_id
            order by
                case when named.modified_at is null then 1 else 0 end asc,
                named.modified_at desc,
                named.found_in desc,
                named.record_id asc
        ) as rank_of_copy
    from named
),

latest as (
    select * from ranked
    where rank_of_copy = 1
),

surcharges as (
    select
        merchant_id,
        kind,
        key_id,
        {{ clover.total('amount_cents') }} as surcharge_cents
    from ({{ clover.elements('latest', ['merchant_id', 'kind', 'key_id'], 'additional_charges', [
        ['amount_cents', 'amount', 'amount'],
    ]) }}) as charges
    group by merchant_id, kind, key_id
),

clocks as (
    {{ clover.clocks() }}
),

staged_orders as (
    select
        merchant_id,
        order_id,
        currency,
        is_test,
        is_vat
    from {{ ref('stg_clover__orders') }}
),

staged_payments as (
    select * from {{ ref('stg_clover__payments') }}
),

usual as (
    {{ clover.usual('staged_orders') }}
),

placed as (
    select
        latest.*,
        coalesce(latest.order_id, staged_payments.order_id) as known_order_id,
        staged_payments.business_day as sold_on,
        staged_payments.employee_id as sold_by,
        staged_payments.tender_id as paid_by_id,
        staged_payments.tender as paid_by,
        staged_payments.currency as payment_currency,
        staged_payments.is_test as is_payment_test,
        staged_payments.is_vat as is_payment_vat,
        surcharges.surcharge_cents,
        {{ clover.day_starts_at_minute() }} as day_starts_at_minute,
        {{ clover.to_local(
            'coalesce(latest.client_created_at, latest.created_at)', clover.time_zone()
        ) }} as refunded_at_local
    from latest
    left join clocks on latest.merchant_id = clocks.merchant_id
    left join staged_payments
        on
            latest.merchant_id = staged_payments.merchant_id
            and latest.payment_id = staged_payments.payment_id
    left join surcharges
        on
            latest.merchant_id = surcharges.merchant_id
            and latest.kind = surcharges.kind
            and latest.key_id = surcharges.key_id
),

dated as (
    select
        *,
        {{ clover.business_day('refunded_at_local', 'day_starts_at_minute') }} as business_day
    from placed
)

select
    dated.merchant_id,
    dated.key_id as refund_id,
    dated.kind,
    dated.known_order_id as order_id,
    dated.payment_id,
    coalesce(dated.payment_currency, staged_orders.currency, usual.currency) as currency,
    coalesce(dated.client_created_at, dated.created_at) as refunded_at,
    dated.refunded_at_local,
    dated.business_day,
    dated.sold_on,
    {{ dbt.datediff('dated.sold_on', 'dated.business_day', 'day') }} as days_after, -- noqa: LT05
    dated.amount_cents,
    coalesce(dated.tax_cents, 0) as tax_cents,
    coalesce(dated.tip_cents, 0) as tip_cents,
    coalesce(dated.service_charge_cents, 0) as service_charge_cents,
    coalesce(dated.surcharge_cents, 0) as surcharge_cents,
    coalesce(dated.tender_id, dated.paid_by_id) as tender_id,
    coalesce(dated.tender, dated.paid_by) as tender,
    dated.employee_id,
    dated.sold_by as sold_by_employee_id,
    dated.status,
    dated.reason,
    coalesce(dated.is_payment_vat, staged_orders.is_vat, usual.is_vat, false) as is_vat,
    coalesce(staged_orders.is_test, dated.is_payment_test, false) as is_test,
    not coalesce(dated.is_voided, false)
    and dated.deleted_at is null
    and coalesce(dated.status, 'SUCCESS') not in ('FAIL', 'VOIDED') as is_paid_back
from dated
left join staged_orders
    on
        dated.merchant_id = staged_orders.merchant_id
        and dated.known_order_id = staged_orders.order_id
left join usual on dated.merchant_id = usual.merchant_id
