"""What the DAG `clover_export` is made of, without Airflow."""
