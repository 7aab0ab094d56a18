# Every target sets up .venv by itself and leaves .venv/bin/firstlight. Wants python3 >= 3.11 and its venv module.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCES := src tests benchmarks docs
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check install --root-user-action=ignore --constraint constraints.txt

.PHONY: help demo test lint format bench docs system clean
help:
	@echo 'make demo     simulate a night, process it, show where the pictures are'
	@echo 'make test     lint and the whole test suite'
	@echo 'make lint     ruff only;  make format  lets ruff rewrite the sources'
	@echo 'make bench    measure beside Siril and numpy (long: see benchmarks/README.md)'
	@echo 'make docs     write the generated pages of docs/'
	@echo 'make system   install optional programs with apt-get (Debian, Ubuntu)'
	@echo 'make clean    remove .venv, demo/ and benchmarks/work/'

# A broken or half-made .venv (no pip in it) is made anew; otherwise only the packages are brought up to date.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "firstlight needs Python 3.11 to 3.13; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
	       "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: ensurepip or venv is missing." \
	       "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo 'setting up .venv'
	@$(PIP) hatchling editables setuptools wheel
	@$(PIP) --no-build-isolation --editable '.[test]'
	@$(BIN)/python -m compileall -q src
	@touch $@

demo: $(READY)
	@test -f demo/night/.truth/night.json || $(BIN)/firstlight simulate demo/night --preset demo-cfa
	@$(BIN)/firstlight process demo/night
	@echo; echo 'Pictures:'; ls -1 demo/night/firstlight/pictures/* | sed 's/^/  /'
	@echo 'The report, for a browser:'; echo '  demo/night/firstlight/report.html'

test: $(READY) lint
	@$(BIN)/python -m pytest --numprocesses 2 --doctest-modules --quiet

lint: $(READY)
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)

format: $(READY)
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: $(READY)
	@$(BIN)/python benchmarks/kernels.py
	@$(PIP) --editable '.[bench]' --no-build-isolation
	@$(BIN)/python benchmarks/stack.py
	@$(BIN)/python benchmarks/rejection.py
	@$(BIN)/python benchmarks/siril.py
	@for name in stars "solve real" timeseries colour finish detail resampling executors; do set -- $$name; \
	  one=$$1; shift; $(BIN)/python benchmarks/$$one.py "$$@" || exit 1; done

docs: $(READY)
	@$(BIN)/python docs/generate.py

# Optional: plate solvers, the programs that tests and benchmarks compare with, a browser for the review page.
PROGRAMS := python3-venv libgomp1 astrometry.net astrometry-data-tycho2-07 astrometry-data-tycho2-10-19 source-extractor psfex scamp swarp stiff indi-bin chromium siril fitsverify
system:
	@sh -c 'set -u; \
	command -v apt-get >/dev/null || { echo "make system: no apt-get here; optional programs were not installed"; exit 0; }; \
	as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	export DEBIAN_FRONTEND=noninteractive; \
	get="$$as apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends -y install"; \
	$$as apt-get -qq update || echo "make system: apt-get update failed; going on with the lists at hand"; \
	$$get $(PROGRAMS) >/dev/null 2>&1 && exit 0; \
	for program in $(PROGRAMS); do \
	  $$get $$program >/dev/null 2>&1 || echo "make system: $$program could not be installed; what needs it is skipped"; \
	done; exit 0'

clean:
	@rm -rf .venv demo benchmarks/work
