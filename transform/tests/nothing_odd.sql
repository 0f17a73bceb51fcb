{{ config(severity='warn') }}

select * from {{ ref('clover__data_quality') }}
where found > 0
