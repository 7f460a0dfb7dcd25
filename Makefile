# `make` alone lists the targets.
.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
# Where `make up` keeps its data, and the first of its eight ports.
BAOBEI_HOME ?= .home
PORT ?= 8700
# Language of `make demo`: zh or en.
DEMO_LANG ?= zh
# The first Python that is new enough; PYTHON=/path/to/python chooses another one.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes --requirement

.PHONY: up test check demo bench lock format help clean

up: $(VENV)/.installed ## run everything on this machine: PostgreSQL, Temporal, mail sink, worker, API (PORT=8700 BAOBEI_HOME=.home REHEARSAL=1)
	@exec $(BIN)/python cli.py up --home "$(BAOBEI_HOME)" --port "$(PORT)" $(if $(REHEARSAL),--rehearsal)

# Three workers: most tests spend most of their time waiting for servers. The tests of a file run together, because they
# share its servers. Files run in the order of `testpaths`, longest first, so that no long file is left at the end.
# Bytecode is written whatever the environment says, because dozens of processes are started. For uncovered lines, run
# .venv/bin/coverage report --show-missing. COVERAGE= switches the measurement off and saves a good minute.
COVERAGE ?= --cov --cov-report=
test: $(VENV)/.installed-dev ## run all tests and print the branch coverage of the product
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(COVERAGE)

check: $(VENV)/.installed-dev ## check format, lint, types, imports and texts in both languages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/python -m pytest -q $(wildcard tests/unit/repository/test_imports.py tests/unit/texts/test_texts.py)

demo: $(VENV)/.installed ## play and verify the whole scenario on a throw-away system (DEMO_LANG=zh or en)
	@exec $(BIN)/python cli.py demo --lang "$(DEMO_LANG)"

bench: $(VENV)/.installed-dev ## run the benchmarks on this machine (see bench/README.md)
	@exec $(BIN)/python -m bench

lock: $(VENV)/.installed-dev ## update the pinned packages and their hashes
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) pyproject.toml --group dev --output-file requirements-dev.lock

format: $(VENV)/.installed-dev ## format, auto-fix lint findings, and regenerate docs/rules.md
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m docs.rules

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

clean: ## remove the virtual environment and caches (never data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An incomplete virtual environment has no stamp and is created again; so is one whose Python is gone.
$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed, and no python3 on the PATH is one$$(python3 -V 2>/dev/null | sed 's/^/ (found: /;s/$$/)/')." >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Python 3.11 or newer is needed; $(PYTHON) is not." >&2; exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; fi
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "making $(VENV) with $(PYTHON) …"; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $@

$(VENV)/.installed: requirements.lock | $(VENV)/.made
	@echo "installing the locked packages (a minute or two the first time) …"
	@$(PIP_INSTALL) requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock | $(VENV)/.made
	@echo "installing the locked packages and the tools for tests …"
	@$(PIP_INSTALL) requirements-dev.lock
	@touch $@ $(VENV)/.installed
