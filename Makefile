# Each target does its own set-up: a virtual environment in .venv, made again only when what it depends on changed.
#
#   make demo                  a real ZEO server and three real Zope clients, and what zcheck says of them
#   make demo DEMO="--fault copy"
#   make test                  the whole suite;  make test PYTEST="tests/test_house.py"
#   make lint docs pictures axe contrib bench bench-machines clean
#
# PYTHON names the interpreter (3.10 or newer, with its venv module).

PYTHON ?= python3
VENV ?= .venv
# Without the compiled modules that it forbids to keep, each start of zcheck takes a quarter of a second longer.
unexport PYTHONDONTWRITEBYTECODE
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

DEMO ?=
# The tests on real servers wait more than they compute: four workers keep two cores busy.
PYTEST ?= -n 4 --dist worksteal
MUTATION ?=

.PHONY: demo test test-rendered lint docs pictures axe contrib bench bench-long clean test-plone test-network mutation

demo: $(VENV)/.demo
	@$(BIN)/zcheck demo $(DEMO); code=$$?; \
		echo "The command is $(BIN)/zcheck; docs/installation.rst says how to install it, docs/tutorial.rst how to go on." >&2; \
		exit $$code

test: $(VENV)/.test
	@.ci/system-parts || true
	$(BIN)/python -m pytest $(PYTEST)

# Slow: real buildouts with today's recipes, and containers by their environments.
test-rendered: $(VENV)/.test
	ZCHECK_SLOW=1 $(BIN)/python -m pytest $(PYTEST) tests/rendered

test-plone: $(VENV)/.plone
	ZCHECK_PLONE=1 $(VENV)/plone/bin/python -m pytest tests/plone

# Five machines made of namespaces, a router between them, an sshd on each; needs root.  Nothing of it stays, and nothing
# leaves this machine.
test-network: $(VENV)/.test $(VENV)/.ansible
	@PARTS="iproute2 openssh-client openssh-server" .ci/system-parts || true
	ZCHECK_NETWORK=1 ZCHECK_ANSIBLE=$(CURDIR)/$(VENV)/ansible/bin $(BIN)/python -m pytest tests/network -rs

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning -q docs build/docs
	$(BIN)/python -m sphinx --fail-on-warning -q -b man docs build/man
	@echo "build/docs/index.html build/man/zcheck.1"

# What is ready to drop in, before the programs that read it: they are installed where that may be done.
contrib: $(VENV)/.contrib
	@PARTS="prometheus icinga2-bin nagios4-core" .ci/system-parts || true
	ZCHECK_SLOW=1 $(BIN)/python -m pytest tests/test_contrib.py -rs

# The page for people, before a browser and axe-core (needs chromium and npm).
axe: $(VENV)/.test
	@npm install --silent --no-fund --no-audit --prefix build/axe axe-core@4
	@$(BIN)/python tests/pages.py build/axe
	node tests/axe.mjs build/axe/node_modules/axe-core/axe.min.js build/axe/*.html

# The pictures of the documentation, from a real run (needs chromium).
pictures: $(VENV)/.demo
	$(BIN)/python docs/pictures.py

bench: $(VENV)/.demo
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/preflight.py
	$(BIN)/python benchmarks/judge.py
	$(BIN)/python benchmarks/matrix.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/offline.py

# Those that take minutes, and 3 GB: what a long test of isolation keeps in memory, and thirty running clients.
bench-long: $(VENV)/.demo
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/all_pairs.py

# A thousand clients on two hundred machines, described, asked and looked at: a few minutes.
bench-machines: $(VENV)/.demo
	$(BIN)/python benchmarks/machines.py

# Every small change to the judge of isolation has to be noticed by its tests; prints those that are not, and the score.
#   make mutation MUTATION="--sample 60"
mutation: $(VENV)/.test
	$(BIN)/python benchmarks/mutation.py $(MUTATION)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "zcheck needs Python 3.10 or newer; say which: make PYTHON=python3.12 ..." >&2; exit 3; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "$(PYTHON) comes without venv or ensurepip; on Debian: apt-get install python3-venv" >&2; exit 3; }
	@echo "Setting up $(VENV), once; it takes about half a minute ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.py pyproject.toml | $(BIN)/python
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.test: setup.py pyproject.toml | $(BIN)/python
	@$(PIP) install --editable '.[test,lint]'
	@touch $@ $(VENV)/.demo

$(VENV)/.plone: setup.py pyproject.toml tests/plone/requirements.txt | $(BIN)/python
	@echo "Installing Plone, once; it takes a few minutes ..."
	@$(PYTHON) -m venv $(VENV)/plone
	@$(VENV)/plone/bin/python -m pip --disable-pip-version-check --quiet install \
		-r tests/plone/requirements.txt --editable '.[test]'
	@touch $@

$(VENV)/.contrib: setup.py pyproject.toml | $(BIN)/python
	@$(PIP) install --editable '.[test,contrib]'
	@touch $@ $(VENV)/.demo

# Ansible is what the role is tried with; nothing of the project needs it.
$(VENV)/.ansible: | $(BIN)/python
	@echo "Installing ansible-core, once ..."
	@$(PYTHON) -m venv $(VENV)/ansible
	@$(VENV)/ansible/bin/python -m pip --disable-pip-version-check --quiet install ansible-core
	@touch $@

$(VENV)/.docs: setup.py pyproject.toml | $(BIN)/python
	@$(PIP) install --editable '.[docs]'
	@touch $@
