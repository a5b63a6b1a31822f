# Set-up, demo and tests. Everything lands in .venv and .cache; `make clean` keeps the downloads.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CACHE  := $(or $(ANOMALYGPT_EDGE_CACHE),$(CURDIR)/.cache)
LOCKED := requirements/locked
ARGS   ?=
# Processes that tests run in: most of them wait more than they compute.
WORKERS ?= 2
# LANGUAGE=no goes on where llama.cpp cannot be compiled: the calibrated score decides, and nothing is put into words.
LANGUAGE ?= yes
ifeq ($(LANGUAGE),no)
  WITHOUT := --without-language
endif

export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo bundle lint test test-training lock clean

help: ## show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: $(VENV)/.demo$(WITHOUT) ## create .venv with what the demo needs

# One stamp for each of demo, test and train: an environment gets only what it is for.
$(VENV)/.%$(WITHOUT): $(LOCKED)/%.txt $(LOCKED)/setup.txt setup.py edge/__init__.py edge/language/library.py $(wildcard build_engines/language/llama*)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "error: $(PYTHON) is not Python 3.10 to 3.13. Name one that is: make $* PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@since=$$($(PYTHON) -c 'import time; print(time.monotonic())'); \
	$(BIN)/python -c '' 2>/dev/null || { echo "creating $(VENV)" && $(PYTHON) -m venv --clear $(VENV); } && \
	$(BIN)/python -m pip install -qq --no-deps --no-compile --require-hashes --requirement $(LOCKED)/setup.txt && \
	$(BIN)/python -m build_engines.set_up $* $(WITHOUT) --since $$since
	@touch $@

demo: setup ## the main job on real images: make demo ARGS="--parts 20"
	@$(BIN)/anomalygpt-edge demo $(ARGS)

bundle: setup ## build the default model bundle into .cache
	@$(BIN)/python -m build_engines build dinov2-s $(WITHOUT)

lint: $(VENV)/.test$(WITHOUT) ## formatting, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint ## every check but those of training: make test ARGS="-k station"
	@$(BIN)/python -m build_engines build dinov2-s $(WITHOUT)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m 'not netns' $(ARGS)
	$(BIN)/pytest -m netns $(ARGS) || [ $$? = 5 ] # one after the other: cameras do not wait for a busy machine

# What needs torch, a large download, in an environment of its own.
test-training: $(VENV)/.train$(WITHOUT) ## the tests of training: make test-training VENV=.venv-train
	$(BIN)/pytest -n $(WORKERS) --dist loadfile tests/models tests/build_engines/encoders tests/test_licences.py $(ARGS)

lock: ## pin every package anew, with hashes, for all Pythons: needs uv (pip install uv)
	$(LOCK) $(LOCKED)/setup.in --output-file $(LOCKED)/setup.txt
	$(LOCK) setup.py --extra language --output-file $(LOCKED)/station.txt
	$(LOCK) setup.py --extra language --extra tensorrt --output-file $(LOCKED)/station-gpu.txt
	$(LOCK) setup.py --extra build --extra demo --extra language --output-file $(LOCKED)/demo.txt
	$(LOCK) setup.py --extra test --extra language --output-file $(LOCKED)/test.txt
	$(LOCK) setup.py --extra test --extra train --extra language --output-file $(LOCKED)/train.txt
	$(LOCK) build_engines/language/locked/llama-build.in --output-file build_engines/language/locked/llama-build.txt
	$(LOCK) build_engines/language/locked/llama-run.in --output-file build_engines/language/locked/llama-run.txt
	$(PIN) requirements/jetpack-6.txt $(JETPACK_6) --output-file $(LOCKED)/jetpack-6.txt
	$(PIN) requirements/jetpack-7.txt $(JETPACK_7) --output-file $(LOCKED)/jetpack-7.txt
	$(PIN) requirements/jetpack-6.txt requirements/jetson-opencv.txt $(JETPACK_6) --output-file $(LOCKED)/jetpack-6-opencv.txt
	$(PIN) requirements/jetpack-7.txt requirements/jetson-opencv.txt $(JETPACK_7) --output-file $(LOCKED)/jetpack-7-opencv.txt
PIN = uv pip compile --quiet --generate-hashes --no-annotate --no-header
# llama-cpp-python is compiled by build_engines.language.llama_wheel, which knows its hash.
LOCK = $(PIN) --universal --python-version 3.10 --constraint constraints.txt --no-emit-package llama-cpp-python
# A board has one Python and one glibc.
JETPACK_6 = --python-version 3.10 --python-platform aarch64-manylinux_2_35 --only-binary :all:
JETPACK_7 = --python-version 3.12 --python-platform aarch64-manylinux_2_39 --only-binary :all:

clean: ## remove the environments and what tools leave behind; downloads and bundles stay in .cache
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.cache/*' -prune -exec rm -rf {} +
