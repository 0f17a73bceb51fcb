with lines as (
    {{ clover.counted_lines() }}
),

rates as (
    select
        *,
        sum(rate) over (partition by merchant_id, order_id, line_position) as all_rates
    from {{ ref('stg_clover__line_item_taxes') }}
),

removed as (
    select
        merchant_id,
        order_id
    from {{ ref('stg_clover__orders') }}
    where is_tax_removed
),

owed as (
    select
        lines.merchant_id,
        lines.currency,
        lines.business_day,
        rates.tax_rate_id,
        rates.name,
        rates.rate,
        lines.is_vat,
        1 as lines,
        lines.net_cents as taxable_cents,
        case
            when rates.stated_tax_cents is not null then rates.stated_tax_cents
            when removed.order_id is not null then 0
            else coalesce({{ clover.tax_of(
                'lines.net_cents', 'rates.rate', 'rates.all_rates', 'lines.is_vat'
            ) }}, 0)
        end as tax_cents,
        0 as refunded_tax_cents
    from rates
    inner join lines
        on
            rates.merchant_id = lines.merchant_id
            and rates.order_id = lines.order_id
            and rates.line_position = lines.line_position
    left join removed
        on rates.merchant_id = removed.merchant_id and rates.order_id = removed.order_id
),

refunded as (
    select
        merchant_id,
        currency,
        business_day,
        cast(null as {{ dbt.type_string() }}) as tax_rate_id,
        cast(null as {{ dbt.type_string() }}) as name,
        cast(null as {{ dbt.type_bigint() }}) as rate,
        is_vat,
        0 as lines,
        0 as taxable_cents,
        0 as tax_cents,
        -tax_cents as refunded_tax_cents
    from {{ ref('clover__refunds') }}
    where is_paid_back and not is_test and tax_cents != 0
),

stacked as (
    select * from owed
    union all
    select * from refunded
)

select
    merchant_id,
    currency,
    business_day,
    tax_rate_id,
    name,
    rate,
    is_vat,
    sum(lines) as lines,
    {{ clover.total('taxable_cents') }} as taxable_cents,
    {{ clover.total('tax_cents') }} as taxes_cents,
    {{ clover.total('refunded_tax_cents') }} as refunded_taxes_cents
from stacked
group by merchant_id, currency, business_day, tax_rate_id, name, rate, is_vat
