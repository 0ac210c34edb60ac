# Two commands on a fresh machine: make demo, make test. Everything else is for those who change the code.
# What they install, each only where it is missing:
#   .venv                  Python packages, at the versions and hashes of requirements.lock
#   ~/.cache/synthprobe    Allure, from npm; ~/.cache/ms-playwright Playwright's own Chromium, where it can be downloaded
#   by apt, as root or with sudo: python3-venv, libatomic1 (for Playwright's driver), chromium-headless-shell when the
#   download does not work, and for the tests alone postgresql and openssh-client
PYTHON ?= python3
BIN := .venv/bin
# uv installs in seconds what takes pip a minute; where it reaches no registry, as it knows no pip.conf, pip does it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Without Python's compiled files every start of synthprobe would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo fleet-demo test coverage check format lock setup clean bench docs images

demo: setup ## start the dispatch centre, run the journeys healthy and with two faults, build the report
	$(BIN)/synthprobe demo

fleet-demo: setup .venv/.programs ## three locations on a real Temporal server: one loses its network, then the centre breaks
	$(BIN)/synthprobe demo --fleet

test: setup .venv/.programs ## the tests, a real browser included; OPTIONS are more options for pytest: --long for all
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --durations 12 $(OPTIONS)

coverage: setup .venv/.programs ## the tests, and which lines of the product they run, child processes included
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort cover

check: setup ## format, lint, types, import contracts, workflows, manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 0 tests/docs/test_plain_english.py
	$(BIN)/actionlint .github/workflows/*.yml src/synthprobe/cli/scaffold/github/workflows/*.yml
	$(BIN)/actionlint -ignore 'label ".+" is unknown' deploy/github/*.yml
	$(BIN)/zizmor --offline --pedantic --quiet .github src/synthprobe/cli/scaffold/github deploy/github/fleet.yml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes/[!k]*.yaml deploy/kubernetes/workers/[!k]*.yaml
	! command -v kubectl || for it in deploy/kubernetes deploy/kubernetes/workers; do \
	  kubectl kustomize $$it | $(BIN)/kubernetes-validate --strict --quiet - || exit 1; done

format: setup ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --universal --all-extras --group dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade --output-file requirements.lock

docs: setup ## the documentation as a site, in site/; it needs no internet
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html; to search in it, serve it: $(BIN)/mkdocs serve"

images: demo ## renew docs/images by a real browser, from what the demonstration shows
	$(BIN)/python .ci/images

bench: setup ## the figures of docs/performance.md
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/redaction.py

setup: .venv/.installed .venv/.tools ## environment, browser and Allure

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "synthprobe needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; .ci/install-venv; $(PYTHON) -m venv .venv; }
	@awk '/^[^ #]/ {is_uv = /^uv==/} is_uv' requirements.lock > .venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock || \
	  $(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation --editable .
	@touch $@

.venv/.tools: .venv/.installed
	$(BIN)/synthprobe doctor --fix
	@touch $@

.venv/.programs: .ci/install-test-programs .venv/.installed
	.ci/install-test-programs
	@touch $@

clean: ## remove what the other commands made
	rm -rf .venv .synthprobe .mypy_cache .ruff_cache .pytest_cache dist
