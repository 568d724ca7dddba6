# The single entry point. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements.lock
BENCH_LOCK := requirements-bench.lock
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run browser test check fix bench docs lock clean

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
	  printf 'make %-6s  %s\n' "$$target" "$$text"; \
	done

setup: $(STAMP) ## Make .venv and install the locked dependencies and farthing into it

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "farthing needs Python 3.11 or newer, and '$(PYTHON)' is not. Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  echo "'$(PYTHON)' has neither ensurepip nor pip. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@# Where Debian left ensurepip out, the machine's own pip puts a pip into the environment.
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv --clear $(VENV); \
	else $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; fi

$(STAMP): $(LOCK) pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) ## Show a real bill and a dashboard, made from seven weeks of a fleet's traffic
	@$(BIN)/farthing demo

# The dashboard's pages are tested in the system's own Chromium; without one those tests are skipped, and say so.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get && apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --yes chromium; } >/dev/null 2>&1 || \
	  echo "There is no Chromium here: tests of the dashboard in a browser are skipped (apt-get install chromium)." >&2

test: $(STAMP) browser ## Run every test; ARGS go to pytest
	@$(BIN)/pytest $(ARGS)

check: $(STAMP) ## Lint, format, types, import graph, docs; changes nothing
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/pytest tests/test_architecture.py tests/test_docs.py

fix: $(STAMP) ## Format, and mend what the linter can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(STAMP) ## List the measurements; SCRIPT=name runs one beside its peers
ifdef SCRIPT
	@test -x $(VENV)/bench/bin/python || $(BIN)/python -m venv $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip install --quiet --require-hashes --requirement $(BENCH_LOCK)
	@$(VENV)/bench/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(VENV)/bench/bin/python bench/$(SCRIPT).py $(ARGS)
else
	@for script in $(wildcard bench/*.py bench/*/bench.py); do \
	  name=$${script#bench/}; printf 'make bench SCRIPT=%-18s  ' "$${name%.py}"; \
	  $(BIN)/python -c 'import ast, sys; print((ast.get_docstring(ast.parse(open(sys.argv[1]).read())) or "").partition("\n")[0])' "$$script"; \
	done
endif

docs: $(STAMP) ## Write the generated pages anew: docs/claims.md from the price book that ships
	@$(BIN)/python -c 'from pathlib import Path; from farthing.estimate.claims.table import render_claims; \
	from farthing.prices.book import shipped_book; \
	Path("docs/claims.md").write_text(render_claims(shipped_book()), encoding="utf-8")'

lock: | $(BIN)/python ## Resolve the dependencies anew, leaving out releases of the last week
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@$(COMPILE) --upgrade --group dev --output-file $(LOCK)
	@$(COMPILE) --upgrade --group dev --group bench --constraints $(LOCK) --output-file $(BENCH_LOCK)

clean: ## Remove everything that make made
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
