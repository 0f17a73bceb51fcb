with orders as (
    select * from {{ ref('int_clover__order_totals') }}
),

strays as (
    select * from {{ ref('stg_clover__payments') }}
    where is_collected and not has_order
),

stacked as (
    select
        merchant_id,
        order_id,
        cast(null as {{ dbt.type_string() }}) as payment_id,
        currency,
        ordered_on as business_day,
        stated_total_cents,
        computed_total_cents,
        total_cents,
        paid_cents,
        computed_total_cents - stated_total_cents as computed_difference_cents,
        total_cents - paid_cents as unpaid_cents,
        case
            when is_deleted and payments > 0 then 'deleted but paid'
            when is_deleted then 'deleted'
            when
                abs(total_cents - paid_cents) <= {{ var('clover_rounding_tolerance_cents') }}
                and (payments > 0 or total_cents = 0)
                then 'paid'
            when payments = 0 then 'unpaid'
            when paid_cents > total_cents then 'overpaid'
            else 'partly paid'
        end as status,
        is_test
    from orders
    union all
    select
        merchant_id,
        order_id,
        payment_id,
        currency,
        business_day,
        cast(null as {{ dbt.type_bigint() }}) as stated_total_cents,
        cast(null as {{ dbt.type_bigint() }}) as computed_total_cents,
        cast(null as {{ dbt.type_bigint() }}) as total_cents,
        amount_cents as paid_cents,
        cast(null as {{ dbt.type_bigint() }}) as computed_difference_cents,
        -amount_cents as unpaid_cents,
        'payment without order' as status,
        false as is_test
    from strays
)

select * from stacked
