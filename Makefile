# Everything a person types. `make up` and `make test` need Python 3.10 to 3.13 and nothing else.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	"$$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$p" && break; done)
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup up test check bench lock dashboards

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' Makefile | expand -t 10

setup: $(INSTALLED)  ## create .venv and install the locked dependencies

# uv installs and byte-compiles the 200 packages in half a minute; pip needs several.
$(INSTALLED): requirements.txt setup.cfg pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 found: install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing into $(VENV) (about a minute the first time)"
	@"$(PYTHON)" -m venv $(VENV) || { echo "$(PYTHON) cannot create virtual environments: install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@sed -n '/^uv==/,/# via/p' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

up: setup  ## start everything, run the loop once, stay until Ctrl-C
	@$(BIN)/pl-predictor up --attached

# A worker a core, but no more than there are long files: each has its own PostgreSQL, and the files' fixtures are dear.
test: setup  ## run the whole test suite
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup  ## lint and strict types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup  ## run the benchmarks, figures as JSON
	@$(BIN)/python -m pl_predictor_tests.bench

dashboards: setup  ## write the Grafana dashboards and alert rules again from grafana/*.py
	@$(BIN)/python -m grafana.generate

lock: setup  ## resolve requirements.txt again from setup.cfg
	@$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.10 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements.txt
