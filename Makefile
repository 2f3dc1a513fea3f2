# setup, check, test, demo and bench: nothing else is needed.
PY := .venv/bin/python
PACKAGES := libs/contracts libs/runtime libs/llm libs/cli libs/testing \
	services/gateway services/ingest services/observer services/learner services/search
PORT ?= 8029

.PHONY: setup check test demo bench lock clean

setup: .venv/.ready

.venv/.ready: requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --require-hashes --requirement requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))
	touch $@

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/docker-compose -f docker-compose.yml config --quiet

test: setup
	.venv/bin/pytest

demo: setup
	.venv/bin/craftlog demo --port $(PORT) $(if $(ONCE),--once)

bench: setup
	$(PY) -m tests.benchmarks

lock:
	.venv/bin/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --prerelease if-necessary-or-explicit --quiet \
		$(foreach p,$(PACKAGES),--no-emit-package craftlog-$(notdir $(p))) --output-file requirements.lock

clean:
	rm -rf .venv .craftlog
