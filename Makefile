# `make help` lists what there is. Everything runs in .venv, which is made on first use from the
# hashed locks, so a machine needs python3 (3.11 or newer) and make, and nothing else.

PYTHON ?= python3
SECONDS ?= 300
VENV   := .venv
RUN    := $(VENV)/bin/python
PIP    := $(RUN) -m pip --disable-pip-version-check --quiet
CHECKED := coalmine discovery admin_api proxy migrations examples bench tests

# Stamps: a second `make test` finds them newer than the locks and installs nothing.
MADE    := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV     := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help init demo serve bench test check format lint types layers fuzz coverage lock wheel clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+%?:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

init: $(DEV) ## make .venv with everything for development

demo: $(RUNTIME) ## two pet stores, a gateway in front of them, and what to try; Ctrl-C ends it
	@$(RUN) -m coalmine demo

serve: $(RUNTIME) ## the gateway itself, with its defaults
	@$(RUN) -m coalmine serve

# Two processes: one waits for sockets and timers while the other computes. A file stays in one of them, because
# its tests share a gateway.
test: $(DEV) ## the whole test suite, in two processes
	$(RUN) -m pytest -n 2 --dist loadfile

check: $(DEV) lint types layers coverage ## everything that has to be green before a change lands

format: $(DEV) ## write the code in the house format
	$(RUN) -m ruff format $(wildcard $(CHECKED))
	$(RUN) -m ruff check --fix $(wildcard $(CHECKED))

lint: $(DEV) ## format and lint rules, without changing anything
	$(RUN) -m ruff format --check $(wildcard $(CHECKED))
	$(RUN) -m ruff check $(wildcard $(CHECKED))

types: $(DEV) ## mypy --strict
	$(RUN) -m mypy

layers: $(DEV) ## imports point one way
	$(VENV)/bin/lint-imports

fuzz: $(DEV) ## fuzz the embedded engine, 5 minutes: make fuzz SECONDS=1800 for half an hour
	$(RUN) -m tests.proxy.fuzz $(SECONDS)

coverage: $(DEV) ## the test suite with branch coverage
	$(RUN) -m pytest --cov --cov-branch --cov-report=term

bench: $(DEV) ## a worker beside other proxies, about a quarter of an hour; writes docs/benchmarks.md
	$(RUN) -m bench.proxy

cases: $(DEV) ## the case table: rows by group, and who is held to them
	@$(RUN) -m tests.support.counts

bench-%: $(DEV) ## one benchmark of bench/, such as bench-lookup
	$(RUN) -m bench.$(subst -,_,$*)

# The lock tool has an environment of its own, so that the locks do not have to lock it.
# Locks carry names, versions and hashes, and no word of where they come from: --no-emit-options.
LOCK := --quiet --generate-hashes --no-emit-options --strip-extras --allow-unsafe --no-annotate
lock: ## pin the newest allowed versions again
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check --quiet install pip-tools==7.6.2
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --upgrade $(LOCK) --build-deps-for=editable \
		-o requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --upgrade $(LOCK) --build-deps-for=editable --extra dev \
		-c requirements.lock -o requirements-dev.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --upgrade $(LOCK) \
		-o bench/proxy/peers.lock bench/proxy/peers.in

wheel: $(DEV) ## dist/coalmine-*.whl
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove .venv and everything that was made; databases stay
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); Coalmine needs Python 3.11 or newer. Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: it has no ensurepip. On Debian and Ubuntu: apt install python3-venv. Or name another one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): $(MADE) requirements.lock pyproject.toml
	@echo "Installing what requirements.lock pins"
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@echo "Installing what requirements-dev.lock pins"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
