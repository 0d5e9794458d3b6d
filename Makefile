# The one entry point for people. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install serve page test lint types layers unit fuzz docs golden golden-check bench bench-peers bench-service clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

install: $(STAMP) ## Make the virtual environment .venv with Kandong and the development tools

serve: $(STAMP) ## Serve page and API on http://127.0.0.1:8765 (ARGS="--port 9000 …"); builds the page if Node.js is here
	@$(BIN)/python -m samples.serve $(ARGS)

page: ## Build the web page (Node.js 20 or newer)
	cd web && npm ci --no-audit --no-fund && npm run build

test: lint types layers unit ## The whole check: style, types, layers, tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/python -m pytest

fuzz: $(STAMP) ## Send 2,000 random requests by the service's own description
	KANDONG_TEST_FUZZ_CASES=2000 $(BIN)/python -m pytest tests/server/test_fuzz.py -q -s

docs: $(STAMP) ## Write the generated documentation again
	$(BIN)/python -m docs.generate

golden: ## Write the golden arrays again from transformers (own environment with torch)
	$(PYTHON) -m venv .venv-golden
	.venv-golden/bin/python -m pip install --quiet --disable-pip-version-check -e '.[golden]'
	.venv-golden/bin/python -m tests.golden.make_golden

golden-check: ## Compare the golden arrays with what transformers gives today
	$(PYTHON) -m venv .venv-golden
	.venv-golden/bin/python -m pip install --quiet --disable-pip-version-check -e '.[golden]'
	.venv-golden/bin/python -m tests.golden.make_golden --check

bench-peers: $(STAMP) ## Set up OpenVINO GenAI, llama.cpp and transformers to be measured beside (KANDONG_BENCH_HOME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench.setup_peers all

bench: $(STAMP) ## Measure speed on random weights of 2B shapes beside the peers that are set up
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench.engine
	$(BIN)/python -m bench.workloads
	$(BIN)/python -m docs.generate

bench-service: $(STAMP) ## Measure the service under overload and floods (10 minutes): docs/reliability.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench.service

clean: ## Remove what was built and cached
	rm -rf $(VENV) .venv-golden dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
