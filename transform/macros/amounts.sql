{# Whole numbers: money in minor units, quantities in thousandths, rates. An amount of more than
   fifteen digits is none: sums of it would not fit, and one odd record would end every build. #}

{% macro whole_amount(value) %}
    case
        when {{ value }} between -999999999999999 and 999999999999999
            then cast({{ value }} as {{ dbt.type_bigint() }})
    end
{%- endmacro %}


{# A whole number as text, or nothing. #}

{% macro text_to_amount(text) %}
    {{- return(adapter.dispatch('text_to_amount', 'clover')(text)) -}}
{% endmacro %}

{% macro default__text_to_amount(text) %}
    case
        when regexp_full_match({{ text }}, '-?[0-9]{1,15}')
            then cast({{ text }} as {{ dbt.type_bigint() }})
    end
{%- endmacro %}

{% macro postgres__text_to_amount(text) %}
    case when {{ text }} ~ '^-?[0-9]{1,15}$' then cast({{ text }} as bigint) end
{%- endmacro %}

{% macro snowflake__text_to_amount(text) %}
    case when regexp_like({{ text }}, '-?[0-9]{1,15}') then cast({{ text }} as bigint) end
{%- endmacro %}

{% macro bigquery__text_to_amount(text) %}
    case when regexp_contains({{ text }}, r'^-?[0-9]{1,15}$') then cast({{ text }} as int64) end
{%- endmacro %}


{# `value * by / of`, rounded half up and away from zero, in whole numbers all the way; none where
   that has more than fifteen digits, or `of` is not above zero. #}

{% macro share_of(value, by, of) %}
    {{- return(adapter.dispatch('share_of', 'clover')(value, by, of)) -}}
{% endmacro %}

{% macro default__share_of(value, by, of) %}
    case
        when abs(cast({{ value }} as hugeint) * {{ by }}) < cast(999999999999999 as hugeint) * {{ of }}
            then cast(
                sign({{ value }}) * sign({{ by }}) * (
                    (2 * abs(cast({{ value }} as hugeint) * {{ by }}) + {{ of }}) // (2 * {{ of }})
                ) as {{ dbt.type_bigint() }}
            )
    end
{%- endmacro %}

{% macro postgres__share_of(value, by, of) %}
    case
        when abs(cast({{ value }} as numeric) * {{ by }}) < cast(999999999999999 as numeric) * {{ of }}
            then cast(
                sign({{ value }}) * sign({{ by }}) * div(
                    2 * abs(cast({{ value }} as numeric) * {{ by }}) + {{ of }}, 2 * {{ of }}
                ) as bigint
            )
    end
{%- endmacro %}

{% macro snowflake__share_of(value, by, of) %}
    case
        when
            abs(cast({{ value }} as number(38, 0)) * {{ by }})
            < cast(999999999999999 as number(38, 0)) * {{ of }}
            then cast(
                sign({{ value }}) * sign({{ by }}) * floor(
                    (2 * abs(cast({{ value }} as number(38, 0)) * {{ by }}) + {{ of }}) / (2 * {{ of }})
                ) as bigint
            )
    end
{%- endmacro %}

{% macro bigquery__share_of(value, by, of) %}
    case
        when
            abs(cast({{ value }} as bignumeric) * {{ by }})
            < cast(999999999999999 as bignumeric) * {{ of }}
            then cast(
                sign({{ value }}) * sign({{ by }}) * div(
                    2 * abs(cast({{ value }} as bignumeric) * {{ by }}) + {{ of }},
                    cast(2 * {{ of }} as bignumeric)
                ) as int64
            )
    end
{%- endmacro %}


{# Percent x 10,000: what Clover states with decimals, else its whole percentage. #}

{% macro rate_of(percentage_decimal, percentage) %}
    coalesce({{ percentage_decimal }}, {{ clover.share_of(percentage, 10000, 1) }})
{%- endmacro %}


{# A percentage as Clover writes it, times 10,000; 1,000,000 are the whole. #}

{% macro percent_of(value, rate) %}{{ clover.share_of(value, rate, 1000000) }}{% endmacro %}


{# What a discount states: an amount of whichever sign, else a percentage of its base. #}

{% macro off(stated, rate, base) %}
    case
        when coalesce({{ stated }}, 0) != 0 then abs({{ stated }})
        else coalesce(abs({{ clover.percent_of(base, rate) }}), 0)
    end
{%- endmacro %}


{# What discounts come to, one after the other: no more is off than there is. #}

{% macro discount_within(off, base, of, position) %}
    {%- set through -%}
        sum({{ off }}) over (
            partition by {{ of | join(', ') }} order by {{ position }}
            rows between unbounded preceding and current row
        )
    {%- endset %}
    cast(
        least({{ through }} - {{ off }}, greatest({{ base }}, 0))
        - least({{ through }}, greatest({{ base }}, 0)) as {{ dbt.type_bigint() }}
    )
{%- endmacro %}


{# A tax as Clover writes its rate: 10,000,000 are the whole. #}

{% macro tax_of(value, rate, all_rates, is_vat) %}
    case
        when {{ is_vat }} then {{ clover.share_of(value, rate, '(10000000 + ' ~ all_rates ~ ')') }}
        else {{ clover.share_of(value, rate, 10000000) }}
    end
{%- endmacro %}


{# Sums are wider than what they sum up; amounts leave as whole numbers, none as 0. #}

{% macro total(value) %}
    coalesce(cast(sum({{ value }}) as {{ dbt.type_bigint() }}), 0)
{%- endmacro %}
