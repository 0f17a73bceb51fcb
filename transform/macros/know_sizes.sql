{# PostgreSQL plans joins of a table that was just written by guesses until it is analysed. #}

{% macro know_sizes() %}{{ return(adapter.dispatch('know_sizes', 'clover')()) }}{% endmacro %}

{% macro default__know_sizes() %}{% endmacro %}

{% macro postgres__know_sizes() %}analyze {{ this }}{% endmacro %}
