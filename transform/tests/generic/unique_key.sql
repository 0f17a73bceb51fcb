{% test unique_key(model, columns, never_null=none) %}

    select
        {{ columns | join(', ') }},
        count(*) as rows_found
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
    {%- for column in never_null or [columns[0]] %} or {{ column }} is null{% endfor %}

{% endtest %}
