"""The DAGs for many merchants: chunks of them, a `meltano run` each, in a region's hours.

Airflow's environment has what this room needs, so there the package goes in without its own
dependencies: `pip install --no-deps ./tap-clover-export`, a clone.
"""
