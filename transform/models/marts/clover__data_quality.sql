{% set checks = [
    ['orders without a time', 'stg_clover__orders', 'ordered_at is null'],
    ['orders without a currency', 'stg_clover__orders', 'currency is null'],
    ['orders without a total', 'stg_clover__orders', 'total_cents is null'],
    [
        'orders whose state at Clover is paid, without a collected payment',
        'int_clover__order_totals',
        "payment_state = 'PAID' and payments = 0 and total_cents != 0"
    ],
    [
        'orders whose total is not what their lines come to',
        'int_clover__order_totals',
        'is_counted and stated_total_cents != computed_total_cents'
    ],
    ['deleted orders with a collected payment', 'clover__reconciliation',
        "status = 'deleted but paid'"],
    ['overpaid orders', 'clover__reconciliation', "status = 'overpaid'"],
    ['payments without a time', 'stg_clover__payments', 'paid_at is null'],
    ['payments without a currency', 'stg_clover__payments', 'currency is null'],
    ['payments without an amount', 'stg_clover__payments', 'amount_cents is null'],
    ['collected payments without an order', 'clover__reconciliation',
        "status = 'payment without order'"],
    ['lines without a price', 'stg_clover__line_items',
        'price_cents is null and fee_rate is null'],
    ['discounts without an amount and a percentage', 'stg_clover__discounts',
        'stated_cents is null and rate is null'],
    ['refunds without a time', 'clover__refunds', 'refunded_at is null'],
    ['refunds without an amount', 'clover__refunds', 'amount_cents is null'],
    ['refunds of a payment that is not here', 'clover__refunds',
        "kind = 'refund' and sold_on is null"],
    ['days without orders where the weeks around have some', 'clover__missing_days',
        'business_day is not null'],
    ['streams with holes', 'clover__coverage', 'holes > 0'],
] %}

{% for check, model, condition in checks %}
    select
        '{{ check }}' as check_name,
        '{{ model }}' as model_name,
        count(*) as found
    from {{ ref(model) }}
    where {{ condition }}
    {{ 'union all' if not loop.last }}
{% endfor %}
