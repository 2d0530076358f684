# Everything a developer types. Each command makes `.venv` first when it is missing or older than the lock file.
# ARGS goes to the command behind the target: make test ARGS="-k gate -x"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The interpreter that `.venv` is made of; any CPython from 3.11 on.
PYTHON ?= $(firstword $(shell command -v python3.11 python3 python 2>/dev/null) python3)
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
SYNCED := $(VENV)/.synced
# Where uv is put when the machine has none. It stays out of `.venv`, which `uv sync` keeps to the lock file exactly.
UV_HOME := .tools/uv
PACKAGES := broker_config producer workers

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; \
	done

.PHONY: venv
venv: $(SYNCED) ## Make .venv from the lock file
	@:

# Bytecode is compiled here, once: large SDKs import several times slower without it, which no time limit of a test
# should have to forgive.
$(SYNCED): pyproject.toml uv.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Launchyard needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	}
	@uv=$$(command -v uv) && "$$uv" --version >/dev/null 2>&1 || uv=$(UV_HOME)/bin/uv; \
	echo "making $(VENV) (a minute or so; later runs reuse it)"; \
	if [[ ! -x $$uv ]]; then \
		"$(PYTHON)" -m venv $(UV_HOME); \
		$(UV_HOME)/bin/python -m pip install --quiet --disable-pip-version-check uv; \
	fi; \
	UV_PYTHON_DOWNLOADS=never "$$uv" sync --quiet --locked --compile-bytecode --python "$(PYTHON)"
	@touch $@

.PHONY: demo
demo: venv ## Run a real training job from queue to result; needs no Docker
	@$(BIN)/launchyard demo $(ARGS)

.PHONY: test
test: venv ## Run the tests; those whose service is missing are skipped with the reason
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: golden
golden: venv ## Write the golden requests anew; read the diff before you commit it
	@$(BIN)/python -m pytest tests/golden tests/k8s/test_kustomize.py tests/k8s/test_users.py -q --rewrite-golden $(ARGS)

.PHONY: screenshots
screenshots: venv ## Take the pictures of docs/pages anew; needs Chromium
	@$(BIN)/python -m tests.producer.server.page.screenshots

.PHONY: docs
docs: venv ## Make a site of the documentation in build/docs; any warning is an error
	@$(BIN)/sphinx-build -W --keep-going -q -c docs -d build/doctrees . build/docs $(ARGS)
	@echo "build/docs/index.html"

.PHONY: check
check: lint types imports structure ## Run every check that is not a test

.PHONY: lint
lint: venv ## Check style and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

.PHONY: types
types: venv ## Check types
	@$(BIN)/mypy --strict $(PACKAGES) examples/slurm/launchyard_slurm

.PHONY: imports
imports: venv ## Check the direction of imports
	@$(BIN)/lint-imports

.PHONY: structure
structure: venv ## Check sizes, names and cycles
	@$(BIN)/python -m tests.structure.rules

.PHONY: bench
bench: venv ## Print the table of measurements
	@$(BIN)/python -m benchmarks $(ARGS)

# SEED and COUNT are the soak's own; a failing seed is worth a second try with the same number.
.PHONY: soak
soak: venv ## Thousands of runs under random faults: make soak SEED=7 COUNT=5000
	@$(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(ARGS)

.PHONY: format
format: venv ## Sort imports and format
	@$(BIN)/ruff check --select I --fix
	@$(BIN)/ruff format
