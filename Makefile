# Second Look: everything a newcomer needs. `make run` opens the desk, `make test` runs every check.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
SYSTEM  := $(VENV)/.system
DEMO    ?= build/demo.secondlook
BENCH   ?= build/bench
export SECONDLOOK_LOG_LEVEL ?= warning

.PHONY: help run test lint types layers unit bench install clean
.DEFAULT_GOAL := help

help: ## Say what can be done
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) ## Set up, then open the desk on the demo workspace (off screen where there is no display)
	@packaging/run.sh $(BIN) $(DEMO)

test: $(STAMP) lint types layers unit ## Set up, then run every check and every test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	packaging/test.sh $(BIN)

bench: $(STAMP) ## Measure speed against named peers; writes build/bench/*.json
	packaging/bench.sh $(BIN) $(BENCH)

install: $(STAMP) ## Set up only

$(SYSTEM): packaging/system.sh packaging/apt.txt
	packaging/system.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	touch $@

$(STAMP): $(SYSTEM) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --constraint constraints.txt \
	  --editable '.[dev,minilm,fast]'
	touch $@

clean: ## Remove the virtual environment and everything that was built
	rm -rf $(VENV) build dist
