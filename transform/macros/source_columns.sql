{# Which columns a table of the loader's has: the catalog may leave some out, and loaders spell
   names in their own case. The variable `clover_columns` tells it where nothing can be asked. #}

{% macro source_columns(stream, relation) %}
    {% set told = var('clover_columns') %}
    {% set columns = {} %}
    {% if told is not none %}
        {% for name in told.get(stream, []) %}
            {% set spelled = {'lower': name | lower, 'upper': name | upper}.get(
                var('clover_column_case'), name
            ) %}
            {% do columns.update({name | lower: {'name': spelled, 'type': ''}}) %}
        {% endfor %}
    {% elif execute %}
        {% set found = load_relation(relation) %}
        {% if found is not none %}
            {% for column in adapter.get_columns_in_relation(found) %}
                {% do columns.update(
                    {column.name | lower: {'name': column.name, 'type': column.dtype | lower}}
                ) %}
            {% endfor %}
        {% endif %}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}


{# The rows of a stream, `columns` as a list of [alias, Clover's name, kind]; what is not there is
   null, and a table that is not there is empty. #}

{% macro source_rows(stream, columns) %}
    {%- set relation = source('clover', stream) -%}
    {%- set found = clover.source_columns(stream, relation) -%}
    select
    {%- for alias, name, kind in columns %}
        {%- set column = found.get(name | lower) %}
        {% if column -%}
            {{ clover.typed(adapter.quote(column['name']), column['type'], kind) }} as {{ alias }}
        {%- else -%}
            {{ clover.nothing(kind) }} as {{ alias }}
        {%- endif -%}
        {{ ',' if not loop.last }}
    {%- endfor %}
    {%- if found %}
    from {{ relation }}
    {%- else %}
    from (select 1 as nothing) as no_table
    where 1 = 0
    {%- endif %}
{%- endmacro %}


{% macro typed(column, type, kind) %}
    {%- if kind == 'time' -%}
        {{ clover.to_utc(column, type) }}
    {%- elif kind == 'amount' -%}
        {{ clover.whole_amount(column) }}
    {%- elif kind == 'json' -%}
        {{ clover.to_json(column, type) }}
    {%- elif kind == 'boolean' -%}
        coalesce(cast({{ column }} as boolean), false)
    {%- elif kind == 'integer' -%}
        cast({{ column }} as {{ dbt.type_bigint() }})
    {%- else -%}
        cast({{ column }} as {{ dbt.type_string() }})
    {%- endif -%}
{% endmacro %}


{% macro nothing(kind) %}
    {%- if kind == 'time' -%}
        cast(null as {{ clover.type_utc() }})
    {%- elif kind == 'json' -%}
        cast(null as {{ clover.type_json() }})
    {%- elif kind == 'boolean' -%}
        false
    {%- elif kind in ('amount', 'integer') -%}
        cast(null as {{ dbt.type_bigint() }})
    {%- else -%}
        cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{% endmacro %}
