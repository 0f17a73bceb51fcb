with orders as (
    {{ clover.source_rows('orders', [
        ['merchant_id', 'merchant_id', 'text'],
        ['order_id', 'id', 'text'],
        ['currency', 'currency', 'text'],
        ['created_at', 'createdTime', 'time'],
        ['client_created_at', 'clientCreatedTime', 'time'],
        ['modified_at', 'modifiedTime', 'time'],
        ['deleted_at', 'deletedTimestamp', 'time'],
        ['total_cents', 'total', 'amount'],
        ['unpaid_balance_cents', 'unpaidBalance', 'amount'],
        ['payment_state', 'paymentState', 'text'],
        ['state', 'state', 'text'],
        ['pay_type', 'payType', 'text'],
        ['external_reference_id', 'externalReferenceId', 'text'],
        ['is_vat', 'isVat', 'boolean'],
        ['is_test', 'testMode', 'boolean'],
        ['is_tax_removed', 'taxRemoved', 'boolean'],
        ['is_manual_transaction', 'manualTransaction', 'boolean'],
        ['order_type', 'orderType', 'json'],
        ['employee', 'employee', 'json'],
        ['device', 'device', 'json'],
        ['service_charge', 'serviceCharge', 'json'],
    ]) }}
),

clocks as (
    {{ clover.clocks() }}
),

placed as (
    select
        orders.*,
        {{ clover.day_starts_at_minute() }} as day_starts_at_minute,
        {{ clover.to_local(
            'coalesce(orders.client_created_at, orders.created_at)', clover.time_zone()
        ) }} as ordered_at_local
    from orders
    left join clocks on orders.merchant_id = clocks.merchant_id
)

select
    merchant_id,
    order_id,
    nullif(upper(trim(currency)), '') as currency,
    coalesce(client_created_at, created_at) as ordered_at,
    ordered_at_local,
    {{ clover.business_day('ordered_at_local', 'day_starts_at_minute') }} as business_day,
    created_at,
    client_created_at,
    modified_at,
    deleted_at,
    total_cents,
    unpaid_balance_cents,
    payment_state,
    state,
    pay_type,
    external_reference_id,
    {{ clover.json_field('order_type', 'id', 'text') }} as order_type_id,
    {{ clover.json_field('order_type', 'label', 'text') }} as order_type,
    {{ clover.json_field('employee', 'id', 'text') }} as employee_id,
    {{ clover.json_field('device', 'id', 'text') }} as device_id,
    {{ clover.json_field('service_charge', 'id', 'text') }} as service_charge_id,
    {{ clover.json_field('service_charge', 'name', 'text') }} as service_charge_name,
    {{ clover.json_field('service_charge', 'enabled', 'boolean') }} as is_service_charge_enabled,
    {{ clover.json_field('service_charge', 'amount', 'amount') }} as service_charge_stated_cents,
    {{ clover.rate_of(
        clover.json_field('service_charge', 'percentageDecimal', 'amount'),
        clover.json_field('service_charge', 'percentage', 'amount')
    ) }} as service_charge_rate,
    is_vat,
    is_test,
    deleted_at is not null as is_deleted,
    is_tax_removed,
    is_manual_transaction
from placed
