# The one entry point for people. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install serve test lint types layers unit docs golden golden-check mini mini-ship bench bench-peers clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

install: $(STAMP) ## Make the virtual environment .venv with Kandong and the development tools

serve: $(STAMP) ## Run the main job: ask about samples/card.png
	@$(BIN)/python -m samples.serve

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

MINI ?= build/mini
mini: ## Train the miniature from nothing, or go on (own environment with torch; hours on 2 cores) into $(MINI)
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	OMP_WAIT_POLICY=PASSIVE .venv-train/bin/python -m training.run $(MINI)
	.venv-train/bin/python -m training.export $(MINI)/state.pt $(MINI)/model
	.venv-train/bin/python -m training.samples $(MINI)/model
	.venv-train/bin/python -m training.evaluate $(MINI)/model --json $(MINI)/evaluation.json

mini-ship: $(STAMP) ## Take what `make mini` trained into the package, with samples, test cards and its record
	.venv-train/bin/python -m training.export $(MINI)/state.pt src/kandong/models/mini
	.venv-train/bin/python -m training.samples src/kandong/models/mini --test-cards
	.venv-train/bin/python -m training.reference src/kandong/models/mini
	mkdir -p training/record
	.venv-train/bin/python -m training.evaluate src/kandong/models/mini --json training/record/evaluation.json
	cp $(MINI)/log.jsonl training/record/log.jsonl
	$(BIN)/python -m docs.generate

bench-peers: $(STAMP) ## Set up OpenVINO GenAI, llama.cpp and transformers to be measured beside (KANDONG_BENCH_HOME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench.setup_peers all

bench: $(STAMP) ## Measure speed on random weights of 2B shapes beside the peers that are set up
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench.engine
	$(BIN)/python -m bench.workloads
	$(BIN)/python -m docs.generate

clean: ## Remove what was built and cached
	rm -rf $(VENV) .venv-golden .venv-train dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
