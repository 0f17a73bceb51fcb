"""The DAG under a real Airflow; `make test-airflow`."""
