# `make serve` is all it takes: it sets up .venv and starts meanface. Stamps in .venv remember what is installed.

# The first Python from 3.11 on that TensorFlow has wheels for; failing that, a newer one, which serves but cannot train.
PYTHON ?= $(shell for newest in 13 99; do for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(not 11 <= sys.version_info.minor <= '$$newest')' 2>/dev/null && echo $$each && exit; \
	done; done)
VENV := .venv
BIN := $(VENV)/bin
SERVE := $(VENV)/.installed-serve
ALL := $(VENV)/.installed-all
DEMO_HOME := $(CURDIR)/runs/demo-home
DEMO_EPOCHS ?= 30
PEERS := .venv-peers
RUN ?=
ARGS ?=
RESOLVE := --universal --python-version 3.11 --fork-strategy fewest --no-annotate --no-header --quiet

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help setup serve report demo test torture lint audit lock peers clean

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

serve: $(SERVE) ## install what serving needs and start it (HOST and PORT from the environment)
	$(BIN)/meanface serve $(ARGS)

setup: $(ALL) ## install what training and testing need, too, into .venv

report: $(SERVE) ## render the report from the published results into _site/
	$(BIN)/meanface report $(ARGS)

demo: export MEANFACE_HOME = $(DEMO_HOME)
demo: $(ALL) ## run every step on the demo faces, from fetch to report, in runs/demo-home (DEMO_EPOCHS=30)
	$(BIN)/meanface fetch demo
	$(BIN)/meanface ingest demo
	$(BIN)/meanface landmarks demo
	$(BIN)/meanface study demo
	$(BIN)/meanface train demo --epochs $(DEMO_EPOCHS)
	$(BIN)/meanface evaluate demo
	$(BIN)/meanface publish demo
	$(BIN)/meanface report
	@echo "The report is $(DEMO_HOME)/_site/index.html; show it with MEANFACE_HOME=$(DEMO_HOME) $(BIN)/meanface serve"

# A file's tests stay in one process: what its fixtures make is made once.
test: $(ALL) ## run the tests and print their coverage (ARGS="-m 'not slow'" for the quick ones)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --cov $(ARGS)

torture: export MEANFACE_FIGURES = results
torture: $(ALL) ## run the long tests of reliability, some two hours, and write results/reliability.json
	$(BIN)/python -m pytest -n 0 -m torture tests/reliability $(ARGS)

lint: $(ALL) ## check format, style, types, the direction of imports, dependencies, spelling and security
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/codespell
	$(BIN)/bandit --quiet --recursive --severity-level medium analysis dashboard model meanface.py

audit: $(ALL) ## ask PyPI whether a locked package has a known vulnerability
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement requirements.lock --no-deps --disable-pip

# The environment of `make peers` keeps the versions of the other one as far as it can.
lock: $(ALL) ## resolve requirements.lock again (ARGS=--upgrade for newer versions)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile $(RESOLVE) --all-extras $(ARGS) pyproject.toml -o requirements.lock
	cp requirements.lock benchmarks/peers.lock
	$(BIN)/uv pip compile $(RESOLVE) --group peers pyproject.toml -o benchmarks/peers.lock

peers: $(PEERS)/.installed ## ask another package about the test photos of a run, too (RUN=celeba)
	@test -n "$(RUN)" || { echo "name the run: make peers RUN=celeba" >&2; exit 2; }
	$(PEERS)/bin/python benchmarks/peers.py $(RUN) $(ARGS)

clean: ## remove what can be made again, but not .venv, data or runs
	rm -rf _site site/assets/bokeh site/assets/predictor build dist .quarto _freeze meanface.egg-info $(DEMO_HOME) $(PEERS)
	rm -rf .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "meanface needs Python 3.11 or newer, and found none:" \
		"install it, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "meanface needs Python 3.11" \
		"or newer, but $(PYTHON) is not: name another, make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment:" \
		"install its venv module (on Debian and Ubuntu: apt install python3-venv) and run make again" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# A virtual environment starts with the pip of its Python, which may be too old for an editable install.
$(SERVE): $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	$(BIN)/python -m pip install -c requirements.lock -e .
	@touch $@

$(ALL): $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1"
	$(BIN)/python -m pip install -c requirements.lock -e ".[train,shape,dev]"
	@touch $(SERVE) $@

# In an environment of its own: the other package asks for older versions of what decodes and scores photos here.
$(PEERS)/.installed: $(BIN)/python pyproject.toml benchmarks/peers.lock
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PEERS)/bin/python -m pip install -c benchmarks/peers.lock -e . --group peers
	@touch $@
