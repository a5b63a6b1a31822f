# Set-up, demo and tests. Everything lands in .venv and .cache; `make clean` keeps the downloads.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CACHE  := $(or $(ANOMALYGPT_EDGE_CACHE),$(CURDIR)/.cache)
ARGS   ?=
# `make test EXTRAS=demo,build,test,train` tests training too; torch is a large download.
EXTRAS ?= demo,build,test

export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo bundle lint test clean

help: ## show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## create .venv with everything that the demo and the tests need

$(STAMP): setup.py constraints.txt edge/__init__.py edge/language/library.py $(wildcard build_engines/llama*)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "error: $(PYTHON) is not Python 3.10 to 3.13. Name one that is: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -qq --upgrade pip 'setuptools>=68' wheel
	$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[$(EXTRAS)]'
	-@$(BIN)/python -m build_engines.llama_wheel # where it cannot be built, it says why, and all else works
	@touch $@

demo: setup ## the main job on real images: make demo ARGS="--parts 20"
	@$(BIN)/anomalygpt-edge demo $(ARGS)

bundle: setup ## build the default model bundle into .cache
	@$(BIN)/python -m build_engines build dinov2-s

lint: setup ## formatting, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: bundle lint ## everything that .ci/run checks: make test ARGS="-k station"
	$(BIN)/pytest $(ARGS)

clean: ## remove the environment and what tools leave behind; downloads and bundles stay in .cache
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.cache/*' -prune -exec rm -rf {} +
