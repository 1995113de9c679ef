# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PY    := .venv/bin/python
UV    := .venv/bin/uv
UV_V  := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help run test check format bench soak lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/ok  ## the platform with its sandbox; prints an address, a key and calls to paste
	@exec $(PY) -m yuanjing serve --sandbox --demo

test: .venv/dev .venv-sdks/ok  ## every check and every test
	@$(PY) tests/run.py all

check: .venv/dev  ## the fast part: format, lint, layers, types, unit tests
	@$(PY) tests/run.py check

format: .venv/dev  ## put the code into shape
	$(PY) -m ruff format src tests bench
	$(PY) -m ruff check --fix-only -q src tests bench

bench: .venv/bench  ## side by side with nginx, Envoy and smg (two cores, some minutes)
	@$(PY) -m bench

soak: .venv/dev  ## what takes longer than `make test` may
	@$(PY) tests/run.py soak

lock: .venv/uv  ## resolve the pins again
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/dev.in -o requirements/dev.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" -c requirements/dev.txt requirements/main.in -o requirements/main.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/bench.in -o requirements/bench.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/sdks.in -o requirements/sdks.txt

clean:  ## remove the environments (never the data in ./var)
	rm -rf .venv .venv-sdks build dist .pytest_cache .ruff_cache .coverage

.venv/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Yuanjing needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check uv==$(UV_V)
	@touch $@

# Once the tests have been set up, what they need is kept up to date for runs as well: it is more.
.venv/ok: .venv/uv requirements/main.txt pyproject.toml $(wildcard .venv/dev)
	@test -f .venv/dev || $(MAKE) --no-print-directory .venv/main
	@touch $@

.PHONY: .venv/main
.venv/main:
	@echo "Setting up .venv (once, some seconds) ..."
	@$(UV) pip sync -q --require-hashes --compile-bytecode -p .venv requirements/main.txt
	@$(PY) -m pip install -q --disable-pip-version-check uv==$(UV_V)
	@$(UV) pip install -q -p .venv --no-deps -e .

.venv/dev: .venv/uv requirements/dev.txt pyproject.toml
	@echo "Setting up .venv for development (once, some seconds) ..."
	@$(UV) pip sync -q --require-hashes --compile-bytecode -p .venv requirements/dev.txt
	@$(PY) -m ensurepip -q 2>/dev/null || true
	@$(UV) pip install -q -p .venv --no-deps -e .
	@touch $@ .venv/ok

.venv/bench: .venv/dev requirements/bench.txt
	@$(UV) pip install -q --require-hashes -p .venv -r requirements/bench.txt
	@touch $@

.venv-sdks/ok: .venv/dev requirements/sdks.txt
	@echo "Setting up .venv-sdks, the vendors' SDKs (once, some seconds) ..."
	@$(UV) venv -q --clear -p $(PY) .venv-sdks
	@$(UV) pip sync -q --require-hashes -p .venv-sdks requirements/sdks.txt
	@touch $@
