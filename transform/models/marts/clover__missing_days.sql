with days as (
    select distinct
        merchant_id,
        business_day
    from {{ ref('stg_clover__orders') }}
    where business_day is not null
),

-- A day's neighbours are the same weekday one and two weeks before and after it.
steps as (
    {% for step in (-14, -7, 7, 14) %}
        select {{ step }} as step
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

neighbours as (
    select
        days.merchant_id,
        cast({{ dbt.dateadd('day', 'steps.step', 'days.business_day') }} as date) as business_day,
        days.business_day as neighbour
    from days
    cross join steps
),

spans as (
    select
        merchant_id,
        min(business_day) as first_day,
        max(business_day) as last_day
    from days
    group by merchant_id
),

candidates as (
    select
        neighbours.merchant_id,
        neighbours.business_day,
        count(*) as weeks_around_with_orders
    from neighbours
    inner join spans
        on
            neighbours.merchant_id = spans.merchant_id
            and neighbours.business_day > spans.first_day
            and neighbours.business_day < spans.last_day
    group by neighbours.merchant_id, neighbours.business_day
)

select
    candidates.merchant_id,
    candidates.business_day,
    candidates.weeks_around_with_orders
from candidates
left join days
    on
        candidates.merchant_id = days.merchant_id
        and candidates.business_day = days.business_day
where days.business_day is null and candidates.weeks_around_with_orders >= 2
