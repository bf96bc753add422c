# Two commands matter: `make demo` and `make test`. Everything lives in .venv, installed from locks with hashes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# A lock names everything: nothing is looked up beside it.
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

.DEFAULT_GOAL := help
.PHONY: help demo serve setup test lock clean

help: ## Show these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/runtime.stamp ## Install Mixdown into .venv

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mixdown needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Mixdown into $(VENV) (a minute or two the first time) ..."
	@$(PIP) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@echo "Installing the test tools ..."
	@$(PIP) -r requirements-dev.lock
	@touch $@

demo: $(VENV)/runtime.stamp ## Master a handful of example recordings on the embedded default
	@$(BIN)/mixdown demo

serve: $(VENV)/runtime.stamp ## Start Prefect's server, its UI and every deployment
	@$(BIN)/mixdown serve

test: $(VENV)/dev.stamp ## Run every check and test, PostgreSQL and S3 included
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -m pytest

lock: ## Resolve pyproject.toml into the two locks (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml requirements-build.in -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev -c requirements.lock pyproject.toml requirements-build.in -o requirements-dev.lock

clean: ## Remove .venv and everything the demo made
	rm -rf $(VENV) demo dist build
