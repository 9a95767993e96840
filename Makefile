# Everything works from a fresh clone: the first target that needs it builds .venv from requirements-dev.lock.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ORDERS := .venv-orders
LOCK_TOOL := uv==0.13.9
# make lock keeps the versions already locked; make lock UPGRADE=1 takes the newest of everything.
COMPILE := .venv-lock/bin/uv pip compile --no-config --quiet --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# FIND_PYTHON sets $$python to the first interpreter that is new enough, or stops and says what is missing.
# PYTHON=... on the command line of make names another one.
define FIND_PYTHON
python=""; \
for name in $(if $(PYTHON),$(PYTHON),python3.11 python3); do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python="$$name"; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "error: Python 3.11 or newer is needed: neither python3.11 nor python3 is one. Name one: make PYTHON=/path/to/python3" >&2; exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	echo "error: $$python has no venv module. On Debian and Ubuntu: apt-get install python3-venv (or python3.11-venv)" >&2; exit 1; \
fi
endef

.DEFAULT_GOAL := help
.PHONY: help setup run test lint proto bench bench-peers orders lock

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked dependencies and this package (once; again when the lock changes)

$(READY): requirements-dev.lock pyproject.toml
	@$(FIND_PYTHON); \
	set -e; \
	echo "Building $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch $@

run: $(READY) ## plan the sunny Sunday of fixtures/days and print the plan
	@$(BIN)/scheduler plan fixtures/days/sunny-sunday/request.json

test: lint ## lint and types, then every test that is not slow (generated code is compared there too)
	$(BIN)/python -m pytest -n 2

lint: $(READY) ## ruff, mypy and buf lint; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint

proto: $(READY) ## generate scheduler/v1 anew from protos/
	$(BIN)/python tools/generate_protos.py

bench: $(READY) ## measure time and gap on the scale fixtures; takes hours (see python -m bench.run --help)
	$(BIN)/python -m bench.run

PEERS := .venv-peers/pypsa/.ready .venv-peers/flexmeasures/.ready

.venv-peers/%/.ready: bench/peers/%.lock
	@$(FIND_PYTHON); \
	set -e; \
	"$$python" -m venv --clear $(@D); \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	touch $@

bench-peers: $(READY) $(PEERS) ## measure against PyPSA and FlexMeasures, each in an environment of its own
	$(BIN)/python -m bench.peers.run

orders: $(READY) $(ORDERS)/.ready ## have another package judge our order files, in an environment of its own
	$(BIN)/python -m pytest -n 2 tests/independent

# It pins other versions than ours: it is never installed beside the package.
$(ORDERS)/.ready: tests/independent/requirements.lock
	@$(FIND_PYTHON); \
	set -e; \
	"$$python" -m venv $(ORDERS); \
	$(ORDERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	touch $@

lock: ## pin the dependencies of pyproject.toml again (UPGRADE=1: to the newest)
	@$(FIND_PYTHON); \
	set -e; \
	"$$python" -m venv .venv-lock; \
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check $(LOCK_TOOL); \
	$(COMPILE) pyproject.toml --output-file requirements.lock; \
	$(COMPILE) pyproject.toml --extra dev --extra frames --constraint requirements.lock --output-file requirements-dev.lock; \
	$(COMPILE) tests/independent/requirements.in --output-file tests/independent/requirements.lock; \
	$(COMPILE) bench/peers/pypsa.in --output-file bench/peers/pypsa.lock; \
	$(COMPILE) bench/peers/flexmeasures.in --output-file bench/peers/flexmeasures.lock
