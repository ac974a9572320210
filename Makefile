# Needs Python 3.11 or newer, make and bash. `make help` says what there is.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Compiled code is kept, whatever the shell says: without it each process that is started compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=

python := .venv/bin/python
# Finds a Python, then makes .venv for a purpose (run, test or check); instant when it is there.
venv = found="$$(tools/find_python.sh)" && "$$found" tools/make_venv.py

# One test process more than there are cores, for many tests wait for something; a module's tests stay together, for they
# share what is slow to start.
pytest := $(python) -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadscope

.PHONY: help run test check lint types browser fresh bench clean

help: ## what there is
	@echo "Bihuan (闭环)"
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16
	@echo
	@echo "  Settings go before or after: PORT=8123 VAR_DIR=/tmp/other make run"

run: ## start everything with the demo district: http://127.0.0.1:8000/chat
	@$(venv) run && exec $(python) -m district.run

test: ## the test suite (PYTEST="-k words" to choose)
	@$(venv) test && exec $(pytest) -m "not browser and not install" $(PYTEST)

check: lint types ## lint, types, tests and browser tests: what CI runs
	@exec $(pytest) $(PYTEST)

lint: ## style
	@$(venv) check && exec $(python) -m ruff check .

types: ## types
	@$(venv) check && exec $(python) -m mypy

browser: ## the tests that need Chromium
	@$(venv) check && exec $(pytest) -m browser $(PYTEST)

fresh: ## the test that installs and starts the project in an empty folder
	@$(venv) test && exec $(python) -m pytest -m install $(PYTEST)

bench: ## how fast, beside floors measured in the same run
	@$(venv) check && exec $(python) -m bench

clean: ## remove what was made, except your data in var/
	@rm -rf .venv .venv.lock .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
