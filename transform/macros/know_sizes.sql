{# PostgreSQL plans joins of a table that was just written by guesses until it is analysed. #}

{% macro know_sizes() %}{{ return(adapter.dispatch('know_sizes', 'clover')()) }}{% endmacro %}

{% macro default__know_sizes() %}{% endmacro %}

{% macro postgres__know_sizes() %}analyze {{ this }}{% endmacro %}


{# PostgreSQL's own 4 MB send every larger sort and join of a build to disk. #}

{% macro sort_in_memory() %}{{ return(adapter.dispatch('sort_in_memory', 'clover')()) }}{% endmacro %}

{% macro default__sort_in_memory() %}{% endmacro %}

{% macro postgres__sort_in_memory() %}set local work_mem = '64MB'{% endmacro %}
