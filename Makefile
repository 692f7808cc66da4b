# Everything runs in .venv; the lock files hold exact versions and hashes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup run test contract check fix bench chaos soak lock

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/.runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

.venv/.development: requirements-dev.lock .venv/.runtime
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

setup: .venv/.development  ## install everything, tools for development included

run: .venv/.runtime  ## start deskclock (without accounts: with two local helpdesks)
	@exec $(BIN)/deskclock run

test: setup  ## run all tests, the files of them side by side
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

contract: setup  ## hold sandbox and requests against the vendors' documents, and list differences
	$(BIN)/python -m pytest -v tests/contract $(ARGS)

check: setup  ## format, lint, imports, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

fix: setup  ## format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## run the benchmarks and print their figures
	$(BIN)/python -m benchmarks

chaos: setup  ## kill deskclock 200 times under load, and say whether anything was lost
	$(BIN)/python -m benchmarks.chaos $(ARGS)

soak: setup  ## a steady load for half an hour; lag and memory must stay flat
	$(BIN)/python -m benchmarks.soak $(ARGS)

lock:  ## renew the lock files (needs pip-tools on PATH: pip install pip-tools)
	pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock requirements.in pyproject.toml
	pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev -c requirements.lock -o requirements-dev.lock requirements.in pyproject.toml
