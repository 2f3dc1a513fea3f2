# setup, check, test, faults, conformance, demo, bench, eval-observe and test-llm: nothing else is needed.
PY := .venv/bin/python
PACKAGES := libs/contracts libs/runtime libs/llm libs/cli libs/testing \
	services/gateway services/ingest services/observer services/learner services/search
PORT ?= 8029
SDKS := 0.0.8 0.0.9 0.0.10 0.1.3
COMPILE := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--no-header --quiet

.PHONY: setup check test faults conformance demo bench eval-observe test-llm lock clean

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

# What becomes of everything when servers, services and the model fail.
faults: setup
	.venv/bin/pytest tests/faults

# The published SDKs against all of Craftlog; their environments are made once, in .conformance.
conformance: setup
	.venv/bin/pytest tests/conformance

demo: setup
	.venv/bin/craftlog demo --port $(PORT) $(if $(ONCE),--once)

bench: setup
	$(PY) -m tests.benchmarks

# How right the configured engine's boards are: the rules', or a model's (CRAFTLOG_LLM_*).
eval-observe: setup
	$(PY) -m tests.observer.evaluation

# Real runs with a real small model, whose weights come from wheels (0.5 GB once); skipped where ../shared is not there.
test-llm: setup
	.venv/bin/pytest tests/local_llm

lock:
	$(COMPILE) requirements.in --prerelease if-necessary-or-explicit \
		$(foreach p,$(PACKAGES),--no-emit-package craftlog-$(notdir $(p))) --output-file requirements.lock
	$(foreach v,$(SDKS),echo acontext==$(v) | $(COMPILE) - --output-file tests/conformance/sdk/acontext-$(v).txt &&) true
	cd tests/conformance/sdk && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit

clean:
	rm -rf .venv .craftlog .conformance
