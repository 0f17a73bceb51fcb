.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-long test-loaders test-models test-airflow test-lowest bench lint format lock audit model-docs dist clean
PYTHON ?=
ARGS ?=
KEEP ?=
ROUNDS ?= 5
WORKERS ?= $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))
ROWS ?= emission,wall,many,quiet,start,growth,end
PORT ?= 0
UPGRADE ?=
export PYTHON
unexport PYTHONDONTWRITEBYTECODE # every process of the tests would compile every module again
LOWEST ?= clover/test_auth.py clover/test_transport.py planning runs/test_sync.py scheduling/test_admission.py settings singer records
GROUPS = $(shell sed -n '/^\[dependency-groups\]/,/^\[tool/s/^\([a-z-]*\) = .*/--group \1/p' pyproject.toml)
bin := .venv/bin
inputs := pyproject.toml requirements.txt .make/environment

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: .venv/.demo ## See two merchants arrive in PostgreSQL; KEEP=1 leaves it running until Enter
	@$(bin)/python -m tap_clover_export.demo --port=$(PORT) $(if $(KEEP),--keep)

test: .venv/.test .venv/models/.installed ## Run the tests; ARGS="-k orders" and the like go to pytest
	$(bin)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

coverage: .venv/.test .venv/models/.installed ## Run the tests and say which lines they leave out; takes twice as long
	$(bin)/python -m pytest -n auto --dist loadgroup --cov $(ARGS)

test-long: .venv/.test .venv/models/.installed ## Run the long tests too
	$(bin)/python -m pytest -n auto --dist loadgroup --timeout 1800 --long --chance "$(shell date +%F)" $(ARGS)

test-loaders: .venv/.test ## Run loaders of others behind the tap, each in an environment of its own
	$(bin)/python -m pytest $(ARGS) tests/loaders

test-models: .venv/.test .venv/models/.installed ## Build the models in DuckDB and PostgreSQL, held against the shops' books
	$(bin)/python -m pytest --timeout 1800 --long $(ARGS) tests/models

test-lowest: .venv/.test ## Run the core tests with the oldest dependencies that pyproject.toml allows
	$(bin)/uv venv --quiet --clear --python $(bin)/python .venv/lowest
	UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python .venv/lowest/bin/python \
		--resolution lowest-direct --editable '.[simulator]'
	UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python .venv/lowest/bin/python \
		--constraints requirements.txt --group core
	.venv/lowest/bin/python -m pytest -n auto --dist loadgroup $(LOWEST:%=tests/%) $(ARGS)

test-airflow: .venv/.test .venv/airflow/.installed .venv/airflow-oldest/.installed ## Run the DAGs in a real Airflow
	$(bin)/python -m pytest -x tests/airflow $(ARGS)

bench: .venv/.bench ## Measure speed and memory against others; ROUNDS=3, ROWS=emission,start
	@$(bin)/python -m benchmarks --rounds=$(ROUNDS) --rows=$(ROWS)

lint: .venv/.lint .venv/models/.linted ## Check style, types, arrows, models, workflows, manifests and the container file
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports --no-logo --no-cache
	$(bin)/zizmor --offline --quiet .github
	$(bin)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(bin)/hadolint .container/Containerfile
	$(bin)/kubernetes-validate --quiet --strict --kubernetes-version 1.29.0 orchestrate/kubernetes/*.yml
	$(bin)/kubernetes-validate --quiet --strict orchestrate/kubernetes/*.yml
	$(bin)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(bin)/check-jsonschema --builtin-schema vendor.github-issue-forms \
		.github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/question.yml

format: .venv/.lint ## Put the code in shape
	$(bin)/ruff check --fix
	$(bin)/ruff format

lock: .venv/.uv ## Bring requirements.txt and that of transform in step with what asks for them; UPGRADE=1 takes the newest
	UV_SYSTEM_CERTS=1 $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate $(if $(UPGRADE),--upgrade) --output-file requirements.txt \
		--all-extras $(GROUPS) pyproject.toml
	UV_SYSTEM_CERTS=1 $(bin)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate $(if $(UPGRADE),--upgrade) --output-file transform/requirements.txt \
		transform/requirements.in

audit: .venv/.audit ## Look for known weaknesses of what requirements.txt and that of transform hold
	$(bin)/pip-audit --requirement requirements.txt --disable-pip --require-hashes --strict
	$(bin)/pip-audit --requirement transform/requirements.txt --disable-pip --require-hashes --strict

model-docs: .venv/models/.installed ## Write a page of the models and their columns into build/models
	cd transform && DBT_DUCKDB_PATH=:memory: ../.venv/models/bin/dbt --quiet docs generate --static --empty-catalog \
		--profiles-dir profiles/duckdb --target-path ../build/models

dist: .venv/.build ## Build the sdist and the wheel into dist
	rm -rf dist
	UV_SYSTEM_CERTS=1 $(bin)/uv build --python $(bin)/python --require-hashes --build-constraints requirements.txt

clean: ## Remove the environment and caches
	rm -rf .venv .venv-loaders .coverage* .mypy_cache .pytest_cache .ruff_cache build dist
	find . -maxdepth 3 \( -name __pycache__ -o -name .hypothesis \) -prune -exec rm -rf {} +

.venv/.%: $(inputs)
	@sh .make/environment $*

.venv/models/.installed: transform/requirements.txt | .venv/.test
	@echo "Installing dbt into .venv/models ..." >&2
	@$(bin)/uv venv --quiet --clear --python $(bin)/python .venv/models
	@UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python .venv/models/bin/python --require-hashes --requirement $<
	@touch $@

.venv/models/.linted: .venv/models/.installed $(shell find transform -name target -prune -o -type f -print)
	@! test -x .venv/models/bin/sqlfluff || (cd transform && ../.venv/models/bin/sqlfluff lint --nocolor)
	@touch $@

.venv/airflow/.installed: tests/airflow/requirements.txt
.venv/airflow-oldest/.installed: tests/airflow/requirements-oldest.txt
.venv/airflow/.installed .venv/airflow-oldest/.installed: | .venv/.test
	@echo "Installing Airflow into $(@D) ..." >&2
	@$(bin)/python -m venv --clear $(@D)
	@UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python $(@D)/bin/python -r $<
	@UV_SYSTEM_CERTS=1 $(bin)/uv pip install --quiet --python $(@D)/bin/python --no-deps --editable .
	@touch $@
