{# Times in UTC and local, both without a zone. #}

{% macro type_utc() %}{{ return(adapter.dispatch('type_utc', 'clover')()) }}{% endmacro %}

{% macro default__type_utc() %}timestamp{% endmacro %}

{% macro snowflake__type_utc() %}timestamp_ntz{% endmacro %}

{% macro bigquery__type_utc() %}datetime{% endmacro %}


{% macro to_utc(column, type) %}
    {{- return(adapter.dispatch('to_utc', 'clover')(column, type)) -}}
{% endmacro %}

{% macro default__to_utc(column, type) %}
    {%- if 'with time zone' in type or type == 'timestamptz' -%}
        timezone('UTC', {{ column }})
    {%- else -%}
        cast({{ column }} as {{ clover.type_utc() }})
    {%- endif -%}
{% endmacro %}

{% macro snowflake__to_utc(column, type) %}
    {%- if 'tz' in type and 'ntz' not in type -%}
        cast(convert_timezone('UTC', {{ column }}) as timestamp_ntz)
    {%- else -%}
        cast({{ column }} as timestamp_ntz)
    {%- endif -%}
{% endmacro %}

{% macro bigquery__to_utc(column, type) %}
    {%- if type == 'timestamp' -%}
        datetime({{ column }})
    {%- else -%}
        cast({{ column }} as datetime)
    {%- endif -%}
{% endmacro %}


{# Milliseconds since 1970, before the year 10000. #}

{% macro epoch_to_utc(value) %}
    {{- return(adapter.dispatch('epoch_to_utc', 'clover')(value)) -}}
{% endmacro %}

{% macro default__epoch_to_utc(value) %}
    epoch_ms(case when {{ value }} between 0 and 253402300799999 then {{ value }} end)
{%- endmacro %}

{% macro postgres__epoch_to_utc(value) %}
    timestamp '1970-01-01' + interval '1 millisecond'
    * (case when {{ value }} between 0 and 253402300799999 then {{ value }} end)
{%- endmacro %}

{% macro snowflake__epoch_to_utc(value) %}
    to_timestamp_ntz(case when {{ value }} between 0 and 253402300799999 then {{ value }} end, 3)
{%- endmacro %}

{% macro bigquery__epoch_to_utc(value) %}
    datetime(
        timestamp_millis(case when {{ value }} between 0 and 253402300799999 then {{ value }} end)
    )
{%- endmacro %}


{% macro to_local(utc, time_zone) %}
    {{- return(adapter.dispatch('to_local', 'clover')(utc, time_zone)) -}}
{% endmacro %}

{% macro default__to_local(utc, time_zone) %}
    timezone({{ time_zone }}, timezone('UTC', {{ utc }}))
{%- endmacro %}

{% macro snowflake__to_local(utc, time_zone) %}
    convert_timezone('UTC', {{ time_zone }}, {{ utc }})
{%- endmacro %}

{% macro bigquery__to_local(utc, time_zone) %}
    datetime(timestamp({{ utc }}), {{ time_zone }})
{%- endmacro %}


{# The day that began at the shop's own hour. #}

{% macro business_day(local, starts_at_minute) %}
    cast({{ dbt.dateadd('minute', '-' ~ starts_at_minute, local) }} as date)
{%- endmacro %}


{% macro minutes(hours_and_minutes) %}
    (
        60 * cast({{ dbt.split_part(hours_and_minutes, "':'", 1) }} as integer)
        + cast(
            coalesce(nullif({{ dbt.split_part(hours_and_minutes, "':'", 2) }}, ''), '0') as integer
        )
    )
{%- endmacro %}


{# The seed's clocks, one row a merchant whatever stands in it: where the seed is another
   project's, dbt guesses the types, and a column without a value becomes numbers. #}

{% macro clocks() %}
    {%- set text = dbt.type_string() %}
    {%- set starts_at = "nullif(trim(cast(day_starts_at as " ~ text ~ ")), '')" %}
    select
        cast(merchant_id as {{ text }}) as merchant_id,
        max(nullif(trim(cast(time_zone as {{ text }})), '')) as time_zone,
        max({{ clover.minutes(starts_at) }}) as day_starts_at_minute
    from {{ ref('clover_merchants') }}
    group by cast(merchant_id as {{ text }})
{%- endmacro %}


{% macro time_zone() %}coalesce(clocks.time_zone, '{{ var('clover_time_zone') }}'){% endmacro %}

{# YAML reads an unquoted 4:00 as the number 240: these minutes. #}

{% macro day_starts_at_minute() %}
    {%- set starts_at = var('clover_day_starts_at') -%}
    {%- set parts = (starts_at ~ ':0').split(':') -%}
    coalesce(
        clocks.day_starts_at_minute,
        {{ starts_at if starts_at is number and starts_at > 23 else 60 * parts[0] | int + parts[1] | int }}
    )
{%- endmacro %}


{# Whole hours from a time in UTC to now. #}

{% macro hours_since(utc) %}
    {{- return(adapter.dispatch('hours_since', 'clover')(utc)) -}}
{% endmacro %}

{% macro default__hours_since(utc) %}
    cast(
        floor(extract(epoch from (timezone('UTC', current_timestamp) - {{ utc }})) / 3600) as integer
    )
{%- endmacro %}

{% macro snowflake__hours_since(utc) %}
    timestampdiff('hour', {{ utc }}, convert_timezone('UTC', current_timestamp())::timestamp_ntz)
{%- endmacro %}

{% macro bigquery__hours_since(utc) %}
    datetime_diff(current_datetime('UTC'), {{ utc }}, hour)
{%- endmacro %}
