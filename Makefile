.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-airflow bench lint format lock clean
PYTHON ?=
ARGS ?=
KEEP ?=
ROUNDS ?= 5
ROWS ?= emission,wall,many,start,growth
PORT ?= 0
UPGRADE ?=
export PYTHON
bin := .venv/bin
inputs := pyproject.toml requirements.lock .make/environment

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: .venv/.demo ## See two merchants arrive in PostgreSQL; KEEP=1 leaves it running until Enter
	@$(bin)/python -m tap_clover_export.demo --port=$(PORT) $(if $(KEEP),--keep)

test: .venv/.test ## Run the tests; ARGS="-k orders" and the like go to pytest
	$(bin)/python -m pytest -n auto --dist loadfile --cov $(ARGS)

test-long: .venv/.test ## Run the long tests too
	$(bin)/python -m pytest -n auto --dist loadfile --timeout 1800 --long $(ARGS)

test-airflow: .venv/.test .venv/airflow/.installed ## Run the DAG for 40 merchants in a real Airflow
	$(bin)/python -m pytest -x tests/airflow $(ARGS)

bench: .venv/.bench ## Measure speed and memory against others; ROUNDS=3, ROWS=emission,start
	@$(bin)/python -m benchmarks --rounds=$(ROUNDS) --rows=$(ROWS)

lint: .venv/.lint ## Check style and types
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy

format: .venv/.lint ## Put the code in shape
	$(bin)/ruff check --fix
	$(bin)/ruff format

lock: .venv/.demo ## Bring requirements.lock in step with pyproject.toml
	UV_SYSTEM_CERTS=1 $(bin)/uv lock $(if $(UPGRADE),--upgrade)
	$(bin)/uv export --quiet --frozen --all-groups --all-extras --no-emit-project --no-annotate \
		--no-header --output-file requirements.lock

clean: ## Remove the environment and caches
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache build dist
	find . -maxdepth 3 \( -name __pycache__ -o -name .hypothesis \) -prune -exec rm -rf {} +

.venv/.%: $(inputs)
	@sh .make/environment $*

.venv/airflow/.installed: tests/airflow/requirements.txt | .venv/.test
	@echo "Installing Airflow into .venv/airflow ..." >&2
	@$(bin)/python -m venv --clear .venv/airflow
	@UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python .venv/airflow/bin/python -r $<
	@touch $@
