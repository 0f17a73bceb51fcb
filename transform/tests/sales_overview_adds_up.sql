-- On a day whose orders were all paid within it, and whose payments are all of such orders.
select * from {{ ref('int_clover__sum_check') }}
where is_closed and is_off
