# SPDX-License-Identifier: GPL-2.0-or-later
# make prove: the first answer, half a minute. make matrix: everything, an hour. make test: all tests.
# Each sets up a virtual environment in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
DEBIAN_SOURCE ?= /usr/src/linux-source-6.12.tar.xz
OF_VARIANTS := $(addprefix tests/kernel/test_,archs.py native.py emulated.py hugetlb_blocks.py hugetlb_pages.py parisc_hugetlb.py powerpc_hugetlb.py)

.PHONY: all prove matrix mistakes test test-whole test-kernel test-kernel-whole coverage docs hints sites bench clean
all: prove

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

# A refutation is a result: exit code 1 passes. Errors (2), unknowns alone (3) and contradictions (4) do not.
prove: $(VENV)/ready
	@$(BIN)/pteproof prove --jobs $(JOBS) $(ARGS); code=$$?; [ $$code -le 1 ] || exit $$code

matrix: $(VENV)/ready
	@$(BIN)/pteproof prove --all --jobs $(JOBS) $(ARGS); code=$$?; [ $$code -le 1 ] || exit $$code

# The mistakes that patches to the kernel make, planted in every code (docs/mistakes.md): minutes.
mistakes: $(VENV)/ready
	@mkdir -p build
	$(BIN)/pteproof mutate --kind patch --jobs $(JOBS) --state build/mistakes $(ARGS)

test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n $(JOBS) --dist loadfile --ignore=tests/kernel

# Which lines of verifier/ the tests run: a table at the end. What runs in processes that a test starts does not count.
coverage: $(VENV)/ready
	$(BIN)/pip install --quiet --editable '.[test,coverage]'
	$(BIN)/pytest -n $(JOBS) --dist loadfile --ignore=tests/kernel --cov=verifier --cov-report=term:skip-covered

# What `make test` samples, all of it: minutes more.
test-whole: $(VENV)/ready
	$(BIN)/pytest -n $(JOBS) --dist loadfile --whole --ignore=tests/kernel

# Lifts the kernel's own C; with ARCH="NAME..." only holds these variants against it, with what is claimed of their pages of
# several entries, and runs their helpers under qemu-user where the architecture's gcc and C library are installed (skips say
# which packages those are). Needs clang-19, make, flex, bison, bc and a kernel tree (KERNEL_TREE=DIR, else Debian's
# linux-source-6.12 is unpacked to build/); installs nothing.
test-kernel: $(VENV)/ready
	@test -n "$(KERNEL_TREE)" -o -f "$(DEBIAN_SOURCE)" || \
	  { echo "make test-kernel KERNEL_TREE=DIR: a Linux source tree; or apt install linux-source-6.12"; exit 2; }
	@for tool in clang-19 flex bison bc xz; do command -v $$tool >/dev/null || \
	  { echo "make test-kernel: $$tool is missing; apt install clang-19 llvm-19 lld-19 flex bison bc xz-utils"; exit 2; }; done
	@test -n "$(KERNEL_TREE)" -o -d build/linux-source-6.12 || { mkdir -p build && tar -C build -xf "$(DEBIAN_SOURCE)"; }
	KERNEL_TREE="$(or $(KERNEL_TREE),$(CURDIR)/build/linux-source-6.12)" ARCH="$(ARCH)" $(BIN)/pytest -n $(JOBS) --dist loadfile $(WHOLE) $(if $(ARCH),$(OF_VARIANTS),tests/kernel tests/test_export.py)

# What `make test-kernel` samples, all of it: twice as long.
test-kernel-whole:
	$(MAKE) test-kernel WHOLE=--whole

# Writes docs/transitions.md and the console blocks of README.md and docs/ anew, and runs all variants that their ids name: minutes.
docs: $(VENV)/ready
	$(BIN)/pytest tests/test_catalogue.py tests/test_pages.py --update-docs

# Writes hints/sequences.yaml anew, from the traces that a run of the whole matrix keeps in the cache: half an hour or more.
# Hints decide nothing: what they lead to is recomputed.
hints: $(VENV)/ready
	@mkdir -p build
	@$(BIN)/pteproof prove --all --consequences --jobs $(JOBS); code=$$?; [ $$code -le 1 ] || exit $$code
	$(BIN)/python bench/sequences.py > build/sequences.yaml && mv build/sequences.yaml hints/sequences.yaml

# Writes hints/sites.tsv anew: the uses of helpers that other kernels are compared with. Seconds.
sites: $(VENV)/ready
	$(BIN)/pteproof sites --tree "$(KERNEL_TREE)" --keep hints/sites.tsv

bench: $(VENV)/ready
	$(BIN)/python bench/matrix.py
	$(BIN)/python bench/engine.py

clean:
	rm -rf $(VENV) build dist *.egg-info
