# EPIC: two commands do all: `make run` and `make test`. `make` alone lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --python $(BIN)/python --quiet
# Bytecode is compiled at install, so that the first start is as fast as the second.
SYNC := $(UV) --compile-bytecode --require-hashes
# Bytecode of the sources themselves is kept too, whatever the machine says: tests start many processes.
unexport PYTHONDONTWRITEBYTECODE
say = if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$(1)"; else printf '%s\n' "$(1)"; fi

.DEFAULT_GOAL := help
.PHONY: help setup dev run test test-long faults bench bench-quick check lint check-tests lock docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/.runtime ## make .venv with the pinned packages and .venv/bin/epic
	@echo "Ready: .venv/bin/epic --help"

dev: .venv/.dev ## the same, with what the tests and checks need

.venv/.uv: requirements/uv.txt
	@$(call say,Setting up .venv)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "EPIC needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.runtime: .venv/.uv requirements/runtime.txt pyproject.toml
	@$(call say,Installing the pinned packages that EPIC runs on)
	@$(SYNC) -r requirements/runtime.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@$(call say,Installing the pinned packages that the tests need)
	@$(SYNC) -r requirements/dev.txt
	@touch $@

run: .venv/.runtime ## the main job on embedded stores: play Prime Day 2024, print it, then serve
	@EPIC_BY_MAKE_RUN=1 exec $(BIN)/epic up --play $(ARGS)

test: .venv/.dev ## everything that can run on this machine, saying what it left out
	@$(call say,Testing in two processes; this takes about 10 minutes on two processors)
	@printf '  %-62s %s\n' \
	  'rules, golden messages, the kit and the epic command' '1 minute' \
	  'embedded: services and flows on SQLite in one process' '2 minutes' \
  'OpenAPI and AsyncAPI by tools of others, on what EPIC answers' '1 minute; partly left out without Node' \
	  'Docker: contracts and flows on real Kafka, MongoDB and MySQL' '6 minutes; left out without Docker'
	@$(BIN)/python -m tests.support.docker_engine
	@$(BIN)/pytest -n 2 --dist loadfile --durations=10 $(ARGS)

test-long: .venv/.dev ## 2,000 services of ten fleets each on both set-ups, five times the API's fuzzing; 20 minutes
	@EPIC_LONG=1 $(BIN)/pytest -m long $(ARGS)

bench: .venv/.dev ## what EPIC costs against the raw drivers, on real servers in Docker; most of an hour on a quiet machine
	@$(BIN)/python -m bench $(ARGS)

bench-quick: .venv/.dev ## that every bench runs, at a fiftieth of the size; three minutes; needs Docker
	@$(BIN)/python -m bench --quick $(ARGS)

faults: .venv/.dev ## kills, outages and fuzzed records for most of an hour; needs Docker; ARGS=--help lists the options
	@PYTHONPATH=. $(BIN)/python -m tests.faults $(ARGS)

check: lint ## under a minute: format, lint, types, layers, fast tests
	@$(call say,fast tests)
	@$(BIN)/pytest -q -n 2 -m "not docker and not slow and not embedded and not long" tests

lint: .venv/.dev ## the same without the tests
	@$(call say,ruff)
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(call say,mypy --strict)
	@$(BIN)/mypy
	@$(call say,import-linter)
	@$(BIN)/lint-imports --no-cache | tail -n 12

check-tests: .venv/.dev ## the types of the tests
	@$(call say,mypy on the tests)
	@$(BIN)/mypy --config-file tests/mypy.ini tests docs/build.py

lock: .venv/.uv ## pin every package with its hashes anew
	@for name in uv runtime aws dev; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --allow-unsafe --python-version 3.11 --no-header \
	    --no-emit-index-url --no-emit-find-links requirements/$$name.in -o requirements/$$name.txt; done

docs: .venv/.dev ## write docs/reference from the code
	@PYTHONPATH=. $(BIN)/python docs/build.py

clean: ## remove .venv and caches; the data folder .epic stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
