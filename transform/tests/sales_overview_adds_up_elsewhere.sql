{{ config(severity='warn') }}

-- Days whose orders are paid on others; the difference is what those days moved.
select * from {{ ref('int_clover__sum_check') }}
where not is_closed and difference_cents != 0
