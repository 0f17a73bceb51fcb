with exports as (
    {{ clover.source_rows('exports', [
        ['merchant_id', 'merchant_id', 'text'],
        ['export_id', 'id', 'text'],
        ['stream', 'stream', 'text'],
        ['window_start', 'window_start', 'time'],
        ['window_end', 'window_end', 'time'],
        ['created', 'created', 'time'],
        ['emitted', 'emitted', 'time'],
        ['records', 'records', 'integer'],
        ['window_field', 'window_field', 'text'],
    ]) }}
),

-- An export shows what there was when Clover made it: a window that ends later reaches to then.
reaching as (
    select
        *,
        case when created < window_end then created else window_end end as reaches_to
    from exports
    where stream is not null and window_start is not null and window_end is not null
),

ordered as (
    select
        *,
        max(reaches_to) over (
            partition by merchant_id, stream
            order by window_start, reaches_to, export_id
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from reaching
    where reaches_to > window_start
),

spans as (
    select
        *,
        sum(case when reached_before >= window_start then 0 else 1 end) over (
            partition by merchant_id, stream
            order by window_start, reaches_to, export_id
            rows between unbounded preceding and current row
        ) as span
    from ordered
),

merged as (
    select
        merchant_id,
        stream,
        span,
        min(window_start) as complete_from,
        max(reaches_to) as complete_to
    from spans
    group by merchant_id, stream, span
),

last_spans as (
    select
        merchant_id,
        stream,
        max(span) as span,
        max(span) - 1 as holes,
        min(complete_from) as earliest
    from merged
    group by merchant_id, stream
),

newest as (
    select
        merchant_id,
        stream,
        count(*) as exports,
        {{ clover.total('records') }} as records,
        max(created) as newest_export_at
    from exports
    where stream is not null
    group by merchant_id, stream
)

select
    newest.merchant_id,
    newest.stream,
    merged.complete_from,
    merged.complete_to,
    coalesce(last_spans.holes, 0) as holes,
    case when last_spans.holes > 0 then last_spans.earliest end as earliest_before_holes,
    newest.exports,
    newest.records,
    newest.newest_export_at,
    {{ clover.hours_since('newest.newest_export_at') }} as newest_export_age_hours
from newest
left join last_spans
    on newest.merchant_id = last_spans.merchant_id and newest.stream = last_spans.stream
left join merged
    on
        last_spans.merchant_id = merged.merchant_id
        and last_spans.stream = merged.stream
        and last_spans.span = merged.span
