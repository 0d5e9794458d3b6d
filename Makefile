# The one entry point for people. `make` alone lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install serve page page-check chromium client screenshots test lint types layers unit fuzz thorough docs golden golden-check mini mini-ship worn-lines bench bench-peers bench-service clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

install: $(STAMP) ## Make the virtual environment .venv with Kandong and the development tools

serve: $(STAMP) ## Serve page and API on http://127.0.0.1:8765 (ARGS="--port 9000 …"); builds the page if Node.js is here
	@$(BIN)/python -m samples.serve $(ARGS)

page: ## Build the web page into the package (needs Node.js 20.19 or newer)
	@$(PYTHON) -m scripts.page_build

page-check: chromium ## Check the web page: style, types, tests, build, size; tests/e2e then drive it in Chromium
	@if $(PYTHON) -m scripts.page_build --can-build; then \
	  $(PYTHON) -m scripts.page_build --packages && cd web && npm run --silent check && cd .. && \
	  $(PYTHON) -m scripts.page_build && cd web && npm run --silent budget; \
	else echo '=== SKIPPED: all checks of the web page, because Node.js 20.19 or newer is not installed ===' >&2; fi

chromium:
	@$(PYTHON) -m scripts.chromium --install

client: $(STAMP) ## Write the page's types again from the server's routes
	$(BIN)/python -m scripts.page_client

screenshots: $(STAMP) page chromium ## Take the pictures of docs/images with the real server
	$(BIN)/python -m scripts.screenshots

test: lint types layers page-check unit ## The whole check: style, types, layers, page, tests

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

thorough: $(STAMP) ## Run the tests that try many cases with their full numbers (about ten minutes)
	KANDONG_TEST_THOROUGH=1 KANDONG_TEST_FIGURES=1 $(BIN)/python -m pytest -q tests/vlm/test_schedules.py tests/vlm/test_grammar.py \
	  tests/vlm/test_engine_drafts.py tests/store/test_power.py tests/server

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

LINES ?= build/worn_lines
worn-lines: $(STAMP) ## Train the recogniser further on worn lines (own environment with torch; an hour and a half on 2 cores) and ship its weights
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	mkdir -p $(LINES) training/lines/record
	.venv-train/bin/python -m training.lines.run $(LINES)/worn_lines.safetensors
	install -m 644 $(LINES)/worn_lines.safetensors src/kandong/reading/weights/worn_lines.safetensors
	cp $(LINES)/worn_lines.log.jsonl training/lines/record/log.jsonl
	.venv-train/bin/python -m training.lines.evaluate
	$(BIN)/python -m docs.generate

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
	rm -rf $(VENV) .venv-golden .venv-train dist src/kandong/server/page web/node_modules web/test-results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
