# Every target makes what it needs first, on a fresh clone too, and is safe to repeat. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.stamp
STUDY ?= studies/residual_scale.py
CHAOS ?=
DIST ?= dist
PYTEST = $(BIN)/python -m pytest --durations=15

export UV_PYTHON_DOWNLOADS := never
# A study and its servers are a dozen Python processes: without written bytecode each compiles Ray and torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env study up down doctor test check bench chaos gpu dist lock audit sbom browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

env: $(STAMP) ## make .venv from requirements.lock, hashes checked (every target does this first)

# uv comes from the lock as well: pip fetches that one file, uv the rest, many times faster. On two filesystems it
# cannot link from its cache and would warn about it, so copying is asked for.
$(STAMP): requirements.lock pyproject.toml platform/paribus_ray.pth
	@set -e; python=""; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Paribus needs Python 3.11 or newer with its venv module, and found none (tried: $(PYTHON) python3" \
	    "python3.13 python3.12 python3.11 python). Install one (on Debian: python3-venv), or name it: make env PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version) from requirements.lock (the first time takes minutes, mostly the download) ..."; \
	"$$python" -m venv $(VENV); \
	awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt; \
	cache="$$($(BIN)/uv cache dir)"; mkdir -p "$$cache"; \
	if $(BIN)/python -c 'import os, sys; sys.exit(os.stat(sys.argv[1]).st_dev == os.stat(sys.argv[2]).st_dev)' "$$cache" $(VENV); then \
	  export UV_LINK_MODE=copy; \
	fi; \
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .; \
	cp platform/paribus_ray.pth "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
	touch $(STAMP)

study: env ## run STUDY (studies/residual_scale.py) on the local stack: verdicts, then the three addresses
	@$(BIN)/paribus up
	@export PATH="$(BIN):$$PATH"; \
	RAY_API_SERVER_ADDRESS="$$(python -m paribus.local.address ray)" || exit; \
	export RAY_API_SERVER_ADDRESS; \
	echo; echo "ray job submit $(STUDY)"; \
	ray job submit $(STUDY); code=$$?; \
	echo; python -m paribus.local.address; \
	exit $$code

up: env ## start what is not running of Ray, MLflow and the dashboard
	@$(BIN)/paribus up

down: ## end what `up` started, and nothing else
	@if [ -x $(BIN)/paribus ]; then $(BIN)/paribus down; else echo "Nothing was started from here: there is no $(VENV)."; fi

doctor: env ## say what is missing, busy or wrong, and what to do
	@$(BIN)/paribus doctor

test: env ## run every test but those that need a GPU
	@tests/suite.sh $(PYTEST)

check: env ## all that CI runs: format, lint, types, arrows, tables and tests
	@echo "ruff format"; $(BIN)/ruff format --check .
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "lint-imports, mypy --strict"; $(BIN)/mypy -n 2 & types=$$!; \
	  $(BIN)/lint-imports --no-logo; arrows=$$?; wait $$types && exit $$arrows
	@echo "tests, the README's tables among them"; tests/suite.sh $(PYTEST)

bench: env ## measure the ratios that Paribus promises (tests/benchmarks)
	@set -e; for file in $$(find tests/benchmarks -name 'bench_*.py' | sort); do \
	  echo; echo "$$file"; \
	  if grep -q '^def test_' "$$file"; then $(BIN)/python -m pytest -q -s --timeout=1800 "$$file"; \
	  else $(BIN)/python "$$file"; fi; \
	done

chaos: env ## throw faults at a study on machines in namespaces, as root and for hours (CHAOS="--faults 40 --minutes 60")
	@$(BIN)/python tests/benchmarks/chaos/chaos.py $(CHAOS)

gpu: env ## check and measure what needs a GPU, in eight minutes, as one table (tests/gpu)
	@$(BIN)/python tests/gpu/run.py

# setuptools keeps what it built last: a file that is gone from here would still be in the wheel.
dist: env ## build a wheel in DIST (dist): the package, the dashboard, the lock and infra
	@rm -rf build
	@$(BIN)/uv build --quiet --wheel --offline --no-build-isolation --python $(BIN)/python --out-dir $(DIST)
	@rm -rf build
	@ls $(DIST)/*.whl

lock: env ## resolve pyproject.toml afresh into requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev \
	  pyproject.toml -o requirements.lock

audit: env ## ask a public database for known faults of what the lock pins (SECURITY.md)
	@$(BIN)/uv tool run --quiet pip-audit==2.10.1 --strict --disable-pip --require-hashes -r requirements.lock --progress-spinner off || \
	  { echo "Not clean, or not audited: the lines above say which." >&2; exit 1; }

sbom: env ## write what the lock brings as a CycloneDX document, DIST/sbom.json
	@mkdir -p $(DIST)
	@$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --of JSON --output-reproducible -o $(DIST)/sbom.json
	@ls $(DIST)/sbom.json

browser: ## install Chromium, nginx, PostgreSQL, Prometheus and Fashion-MNIST for the tests, where apt-get and root allow
	@packages="$$(grep -v '^#' infra/system_packages.txt | tr '\n' ' ')"; missing=""; \
	for command in chromium nginx psql promtool shellcheck; do PATH="$$PATH:/usr/sbin" command -v $$command >/dev/null || missing=yes; done; \
	if [ ! -d /usr/share/datasets/fashion-mnist ]; then missing=yes; fi; \
	if [ -z "$$missing" ]; then echo "Chromium, nginx, PostgreSQL, Prometheus and Fashion-MNIST are here."; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$packages; \
	else echo "Tests that need them will be skipped. To run them, as root: apt-get install $$packages"; fi
