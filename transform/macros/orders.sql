{# The lines of orders that count, each on its order's business day. #}

{% macro counted_lines() %}
    select
        lines.*,
        orders.business_day
    from {{ ref('clover__line_items') }} as lines
    inner join {{ ref('int_clover__order_totals') }} as orders
        on lines.merchant_id = orders.merchant_id and lines.order_id = orders.order_id
    where orders.is_counted and not lines.is_exchanged
{%- endmacro %}


{# What a merchant's orders have in common: their currency, if it is one, and whether all have VAT. #}

{% macro usual(orders) %}
    select
        merchant_id,
        case when min(currency) = max(currency) then min(currency) end as currency,
        count(*) = sum(case when is_vat then 1 else 0 end) as is_vat
    from {{ orders }}
    group by merchant_id
{%- endmacro %}
