# Every target sets up what it needs in .venv: Python 3.11 or newer and make are enough.
# PYTHON=/path/to/python picks the interpreter; PYTEST_ARGS="-k relay" is passed on to pytest.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHON ?=
PYTEST_ARGS ?=
CHAOS_ARGS ?= --kills 100 --seed 1 --json
EXPLORE_ARGS ?= --seconds 280 --seed 1
BENCH_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help example test lint types imports docs chaos explore bench versions ci clean rebuild

help:
	@echo "make example   set up and tell the story of the example library"
	@echo "make test      set up and run the test suite"
	@echo "make lint      ruff and the import contracts"
	@echo "make types     mypy --strict and pyright"
	@echo "make docs      run every snippet of README.md and docs/"
	@echo "make chaos     kill real processes and compare with the ledger"
	@echo "make explore   simulate our own worlds under crashes and orders, for five minutes"
	@echo "make bench     run the benchmarks"
	@echo "make versions  run the suite on the other supported Pythons that are installed"
	@echo "make ci        all that a change must pass"

example: $(VENV)/.core
	@$(BIN)/python -m library_example

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

imports: $(VENV)/.dev
	@$(BIN)/lint-imports

types: $(VENV)/.dev
	@$(BIN)/mypy
	@$(BIN)/pyright

docs: $(VENV)/.dev
	@$(BIN)/python -m pytest tests/docs $(PYTEST_ARGS)

chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos $(CHAOS_ARGS)

explore: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation.ourselves $(EXPLORE_ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

versions:
	@bash .ci/versions 3.12 3.13

ci:
	@bash .ci/run

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A virtual environment whose interpreter is gone (an upgraded Python) is built anew.
ifneq ($(shell $(BIN)/python -c "print('alive')" 2>/dev/null),alive)
$(VENV)/pyvenv.cfg: rebuild
endif

$(VENV)/pyvenv.cfg:
	@found=""; \
	for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer with the venv module was found (looked for: $(or $(PYTHON),python3, python3.11 to python3.14, python))." >&2; \
	  echo "Install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name yours: make PYTHON=/path/to/python3.12 example" >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$($$found --version)"; \
	$$found -m venv --clear $(VENV)

# Stamps: installing again is needed only when pyproject.toml or the environment changed.
$(VENV)/.core: pyproject.toml $(VENV)/pyvenv.cfg
	@test -f $(VENV)/.dev -a $(VENV)/.dev -nt pyproject.toml || { echo "Installing effect_runtime"; $(PIP) --editable .; }
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/pyvenv.cfg
	@echo "Installing effect_runtime with its development tools"
	@$(PIP) --editable '.[dev]'
	@touch $@
