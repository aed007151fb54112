# Everything runs in .venv, from the exact versions of a lock file.
# Needs Python 3.11 to 3.13 with venv and pip; nothing else. `make help` lists the rest.

# The first of these that is there.
PYTHON ?= $(firstword $(foreach minor,11 12 13,$(shell command -v python3.$(minor))) python3.11)
BIN := .venv/bin
LOCK := $(if $(shell command -v nvidia-smi),requirements-gpu.lock,requirements.lock)
INSTALLED := .venv/installed
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--extra jax --extra jupyter --extra dev --annotation-style line \
	--no-emit-index-url --custom-compile-command "make lock" --upgrade --quiet

# Up to four cores, with up to 4 GB each; a file stays on one of them, so that what its
# tests share is made once.
TEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadscope \
	--no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup reproduce test test-fast lint format notebooks bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## Make .venv, or bring it up to date (PYTHON=python3.12 to choose)

$(INSTALLED): pyproject.toml $(LOCK)
	@test -x $(BIN)/python || command -v $(PYTHON) >/dev/null || { \
		echo "error: $(PYTHON) not found. Install it, or name another: make setup PYTHON=python3.12."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --requirement $(LOCK)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

reproduce: setup ## Answer the claims of the first paper, in under 6 minutes on 2 cores
	$(BIN)/python -m kit reproduce symmetry --budget quick

test: setup ## Run all tests (under 20 minutes on 2 cores)
	$(TEST)

test-fast: setup ## Run the tests that take under a third of a second each
	$(TEST) -m "not slow and not notebook"

lint: setup ## Check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy kit

format: setup ## Format the code and mend what can be mended
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

notebooks: setup ## Generate the exercises and notebooks from their sources
	$(BIN)/python -m kit.grading.generate
	$(BIN)/python -m kit.grading.notebooks

bench: setup ## Compare speed with PyTorch, and of blocks, as ratios (installs torch; some hours)
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation \
		--constraint $(LOCK) --editable ".[torch]"
	$(BIN)/python -m benchmarks

lock: setup ## Renew the exact versions in the lock files
	$(COMPILE) --extra tensorflow --output-file requirements.lock
	$(COMPILE) --extra gpu --output-file requirements-gpu.lock

clean: ## Remove .venv, caches and build output; runs/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
