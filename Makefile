# SPDX-License-Identifier: GPL-2.0-or-later
# make prove: the whole matrix. make test: all tests. Both set up a virtual environment in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: all prove test test-kernel bench clean
all: prove

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

# A refutation is a result: exit code 1 passes. Errors (2), unknowns (3) and contradictions (4) do not.
prove: $(VENV)/ready
	@$(BIN)/pteproof prove --jobs $(JOBS) $(ARGS); code=$$?; [ $$code -le 1 ] || exit $$code

test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --ignore=tests/kernel

# Lifts the kernel's own C. Needs clang-19, make, flex, bison, bc and a kernel tree; says what is missing.
test-kernel: $(VENV)/ready
	@test -n "$(KERNEL_TREE)" || { echo "make test-kernel KERNEL_TREE=DIR: a Linux source tree"; exit 2; }
	KERNEL_TREE="$(KERNEL_TREE)" $(BIN)/pytest tests/kernel

bench: $(VENV)/ready
	$(BIN)/python bench/matrix.py
	$(BIN)/python bench/engine.py

clean:
	rm -rf $(VENV) build dist *.egg-info
