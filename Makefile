SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test bench images lint lock clean

BIN := .venv/bin
LOCKS := requirements/run.txt requirements/dev.txt
PROJECTS := pyproject.toml $(wildcard sdk/pyproject.toml demo/pyproject.toml)
EDITABLE := $(foreach project,$(PROJECTS),-e ./$(dir $(project)))
CODE := src $(wildcard sdk/src demo/src)
READY := .venv/ready
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
COMPILE := PIP_FIND_LINKS= CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## start Clew and the demo shop; Ctrl-C stops all of it
	@exec $(BIN)/clew demo

# Three workers for two cores: tests also wait for servers and processes (docs/decisions/0005-test-workers.md).
test: $(READY)  ## run all tests; ARGS="tests/flow -x" for some of them, ARGS="-n 0" in one process
	@$(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

bench: $(READY)  ## measure throughput, latency and memory
	@$(BIN)/python -m bench $(ARGS)

images: $(READY)  ## take the pictures of README and docs anew, from a story of the demo
	@$(BIN)/python -m docs.make_images

lint: $(READY)  ## check style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict $(CODE)
	@$(BIN)/mypy --strict --follow-imports=silent bench

# Compiled on Python 3.11, the oldest one supported: it needs everything that newer ones need.
lock: $(READY)  ## resolve the dependencies into requirements/*.txt; ARGS=--upgrade for the newest ones
	@$(BIN)/python requirements/collect.py > requirements/run.in
	@$(COMPILE) $(ARGS) --output-file requirements/dev.txt requirements/dev.in
	@$(COMPILE) $(ARGS) --constraint requirements/dev.txt --output-file requirements/run.txt requirements/run.in

clean:  ## remove all that was made here
	rm -rf .venv .demo build dist tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(wildcard src sdk demo tests bench requirements) -name __pycache__ -prune -exec rm -rf {} +
	find . -maxdepth 3 -name '*.egg-info' -prune -exec rm -rf {} +

$(READY): $(LOCKS) $(PROJECTS) requirements/make-venv
	@requirements/make-venv
	@echo "installing the pinned dependencies into .venv"
	@$(PIP) install --require-hashes $(LOCKS:%=-r %)
	@$(PIP) install --no-deps --no-build-isolation $(EDITABLE)
	@touch $@
