{# Clover's nested objects. A list is `{"elements": [...]}`, or the array itself. #}

{% macro type_json() %}{{ return(adapter.dispatch('type_json', 'clover')()) }}{% endmacro %}

{% macro default__type_json() %}json{% endmacro %}

{% macro postgres__type_json() %}jsonb{% endmacro %}

{% macro snowflake__type_json() %}variant{% endmacro %}


{% macro to_json(column, type) %}
    {{- return(adapter.dispatch('to_json', 'clover')(column, type)) -}}
{% endmacro %}

{% macro default__to_json(column, type) %}cast({{ column }} as json){% endmacro %}

{% macro postgres__to_json(column, type) %}cast({{ column }} as jsonb){% endmacro %}

{% macro snowflake__to_json(column, type) %}
    {%- if 'char' in type or 'text' in type -%}
        try_parse_json({{ column }})
    {%- else -%}
        {{ column }}
    {%- endif -%}
{% endmacro %}

{% macro bigquery__to_json(column, type) %}
    {%- if 'string' in type -%}
        safe.parse_json({{ column }})
    {%- else -%}
        {{ column }}
    {%- endif -%}
{% endmacro %}


{# Text at a path such as `item.id`; SQL null where it is not there or JSON null. #}

{% macro json_text(value, path) %}
    {{- return(adapter.dispatch('json_text', 'clover')(value, path)) -}}
{% endmacro %}

{% macro default__json_text(value, path) %}({{ value }} ->> '$.{{ path }}'){% endmacro %}

{% macro postgres__json_text(value, path) %}
    {%- set keys = path.split('.') -%}
    ({{ value }}
    {%- for key in keys %} {{ '->>' if loop.last else '->' }} '{{ key }}'{% endfor -%}
    )
{%- endmacro %}

{% macro snowflake__json_text(value, path) %}
    cast(get_path({{ value }}, '{{ path }}') as varchar)
{%- endmacro %}

{% macro bigquery__json_text(value, path) %}json_value({{ value }}, '$.{{ path }}'){% endmacro %}


{% macro json_object(value, path) %}
    {{- return(adapter.dispatch('json_object', 'clover')(value, path)) -}}
{% endmacro %}

{% macro default__json_object(value, path) %}({{ value }} -> '$.{{ path }}'){% endmacro %}

{% macro postgres__json_object(value, path) %}({{ value }} -> '{{ path }}'){% endmacro %}

{% macro snowflake__json_object(value, path) %}get_path({{ value }}, '{{ path }}'){% endmacro %}

{% macro bigquery__json_object(value, path) %}json_query({{ value }}, '$.{{ path }}'){% endmacro %}


{% macro json_field(value, path, kind) %}
    {%- if kind == 'json' -%}
        {{ clover.json_object(value, path) }}
    {%- else -%}
        {{ clover.text_to(clover.json_text(value, path), kind) }}
    {%- endif -%}
{% endmacro %}


{% macro text_to(text, kind) %}
    {%- if kind == 'amount' -%}
        {{ clover.text_to_amount(text) }}
    {%- elif kind == 'boolean' -%}
        case {{ text }} when 'true' then true when 'false' then false end
    {%- elif kind == 'time' -%}
        {{ clover.epoch_to_utc(clover.text_to_amount(text)) }}
    {%- else -%}
        {{ text }}
    {%- endif -%}
{% endmacro %}


{# The elements of a list, one a row, with their position from 1 on: `keys` are columns of the
   relation that are kept, `fields` a list of [alias, path, kind]. What is no object is left out. #}

{% macro elements(relation, keys, list, fields) %}
    {{- return(adapter.dispatch('elements', 'clover')(relation, keys, list, fields)) -}}
{% endmacro %}

{% macro element_columns(keys, fields, element) %}
    {%- for key in keys %}
        base.{{ key }},
    {%- endfor %}
    {%- for alias, path, kind in fields %}
        {{ clover.json_field(element, path, kind) }} as {{ alias }},
    {%- endfor %}
{%- endmacro %}

{% macro postgres__elements(relation, keys, list, fields) %}
    select
        {{- clover.element_columns(keys, fields, 'element.value') }}
        cast(element.position as integer) as element_position
    from {{ relation }} as base
    cross join lateral jsonb_array_elements(
        case
            when jsonb_typeof(base.{{ list }} -> 'elements') = 'array'
                then base.{{ list }} -> 'elements'
            when jsonb_typeof(base.{{ list }}) = 'array' then base.{{ list }}
        end
    ) with ordinality as element (value, position)
    where base.{{ list }} is not null and jsonb_typeof(element.value) = 'object'
{%- endmacro %}

{% macro default__elements(relation, keys, list, fields) %}
    {%- set texts = fields | rejectattr(2, 'equalto', 'json') | map(attribute=1) | list -%}
    {%- set objects = fields | selectattr(2, 'equalto', 'json') | map(attribute=1) | list -%}
    select
        {%- for key in keys %}
            base.{{ key }},
        {%- endfor %}
        {%- for alias, path, kind in fields %}
            {% if kind == 'json' -%}
                base.objects[{{ objects.index(path) + 1 }}]
            {%- else -%}
                {{ clover.text_to('base.texts[' ~ (texts.index(path) + 1) ~ ']', kind) }}
            {%- endif %} as {{ alias }},
        {%- endfor %}
        cast(base.element_position as integer) as element_position
    from (
        select
            *,
            json_extract_string(element, ['$.{{ texts | join("', '$.") }}']) as texts
            {%- if objects -%}
                , json_extract(element, ['$.{{ objects | join("', '$.") }}']) as objects
            {%- endif %}
        from (
            select
                *,
                unnest(list_of_elements) as element,
                generate_subscripts(list_of_elements, 1) as element_position
            from (
                select
                    {%- for key in keys %}
                        {{ key }},
                    {%- endfor %}
                    cast(
                        case
                            when json_type({{ list }}) = 'ARRAY' then {{ list }}
                            when json_type({{ list }}, '$.elements') = 'ARRAY'
                                then {{ list }} -> '$.elements'
                        end as json []
                    ) as list_of_elements
                from {{ relation }}
                where {{ list }} is not null
            ) as lists
        ) as listed
        where json_type(element) = 'OBJECT'
    ) as base
{%- endmacro %}

{% macro snowflake__elements(relation, keys, list, fields) %}
    select
        {{- clover.element_columns(keys, fields, 'element.value') }}
        element.index + 1 as element_position
    from {{ relation }} as base,
        lateral flatten(
            input => iff(is_array(base.{{ list }}), base.{{ list }}, get(base.{{ list }}, 'elements'))
        ) as element
    where is_object(element.value)
{%- endmacro %}

{% macro bigquery__elements(relation, keys, list, fields) %}
    select
        {{- clover.element_columns(keys, fields, 'element') }}
        position_from_zero + 1 as element_position
    from {{ relation }} as base
    cross join unnest(
        coalesce(
            json_query_array(base.{{ list }}, '$.elements'), json_query_array(base.{{ list }}, '$')
        )
    ) as element with offset as position_from_zero
    where json_type(element) = 'object'
{%- endmacro %}
