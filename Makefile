# Six targets; each sets up what it needs in .venv inside this checkout.
PYTHON ?= python3
BIN := .venv/bin
# One test process a core, each of one thread: two threads beside another process were measured ten times slower. Files
# go out in their own order, so that the long ones of end_to_end are not the last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder
# Where the executed notebook goes; the committed one is of a run on CIFAR-10 (TRIALWISE_NOTEBOOK=full).
NOTEBOOK ?= runs/ML_Optimization.ipynb

.PHONY: help demo test test-all notebook check clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "trialwise needs Python 3.11 or newer; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=26' --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

demo: .venv/.installed  ## Set everything up and see it work on embedded data
	$(BIN)/trialwise demo

test: .venv/.installed check  ## Set everything up, check the house, run the tests
	$(PYTEST)

test-all: .venv/.installed check  ## The same with the slow tests
	$(PYTEST) -m ''

notebook: .venv/.installed  ## Execute the notebook, small and offline
	mkdir -p runs
	$(BIN)/jupytext --to ipynb --execute --output $(NOTEBOOK) notebooks/ML_Optimization.py

check: .venv/.installed  ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check

clean:  ## Remove the environment and what the tools left; runs stay
	rm -rf .venv build .pytest_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info
