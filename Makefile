# The same words on a laptop and on the build machine.

PYTHON ?= python3
export PYTHON
# Tests start hundreds of processes: each would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo setup-bench setup-hil hil rootcanal demo dashboard test lint types coverage pytest prepared format powercut outages sim campaign cluster defects setup-cluster fuzz fuzz-console fuzz-nightly setup-fuzz scenarios shell cycles test-bluez bluez-nightly explore explore-defects mutation privacy requirements docs bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## prepare .venv for development
	@.ci/setup dev

setup-demo:
	@.ci/setup demo

setup-cluster:
	@.ci/setup cluster

setup-fuzz:
	@.ci/setup fuzz

setup-bench:
	@.ci/setup bench

setup-hil:
	@.ci/setup hil

demo: setup-demo ## play the main story on the terminal, in about a minute; ARGS=--json for JSON lines
	@$(BIN)/sharebox demo $(ARGS)

dashboard: setup-demo ## module, car and people on a local page; ARGS="--scenario overdue-driver"
	@$(BIN)/sharebox dashboard $(ARGS)

test: setup ## all that must hold: style, types, coverage, tests
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target lint types coverage prepared || failed=1; \
	$(MAKE) --no-print-directory pytest ARGS=--without-gate || failed=1; \
	exit $$failed

lint: setup ## style and formatting
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: setup ## the type checker
	@$(BIN)/mypy --no-error-summary

coverage: setup ## branch coverage of the pure parts, each module by its own tests; ARGS names modules
	@$(BIN)/python -m tests.support.coverage_gate $(ARGS)

pytest: setup ## the tests alone; ARGS for pytest
	@$(BIN)/python -m pytest --numprocesses=3 --dist=worksteal -m "not slow" $(ARGS)

# In a fresh clone, once: otherwise each worker prepares every test file for itself.
prepared: setup
	@[ -e .venv/prepared.stamp ] || { $(BIN)/python -m pytest --collect-only -qq --without-gate >/dev/null; touch .venv/prepared.stamp; }

format: setup ## put the source into its form
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

powercut: setup ## the power cut at every write of the real store; IMAGES=10000, goes on where it was
	@$(BIN)/python -m tests.powercut --images $(or $(IMAGES),10000)

outages: setup ## a real broker behind a bad network: SEEDS=A..B
	@$(BIN)/python -m tests.outages --seeds $(or $(SEEDS),0..200) $(ARGS)

sim: setup ## a simulated world: SEED=n tells its story, SEEDS=A..B plays several, TRACE=file plays a stored one again
	@$(BIN)/python -m tests.simulation.run $(if $(TRACE),--trace $(TRACE),$(if $(SEEDS),--seeds $(SEEDS),--seed $(or $(SEED),0))) $(ARGS)

campaign: setup ## many worlds on all cores, goes on where it was: SEEDS=A..B, or SCHEDULER=tcp://host:8786 for a cluster
	@$(BIN)/python -m tests.simulation.campaign --seeds $(or $(SEEDS),0..200) $(if $(SCHEDULER),--scheduler $(SCHEDULER)) $(ARGS)

cluster: setup-cluster ## the same on a Dask scheduler and two workers of this machine
	@$(BIN)/python -m tests.simulation.cluster --seeds $(or $(SEEDS),0..64) $(ARGS)

defects: setup ## how many planted defects the simulator finds
	@$(BIN)/python -m tests.simulation.hunt $(ARGS)

fuzz: setup ## a million malformed inputs for each interface, in a few minutes; ARGS for targets, --inputs, --seed
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

fuzz-console: setup ## a million lines of garbage at a module's console, in a quarter of an hour; ARGS for --lines, --seed
	@nice -n 10 $(BIN)/python -m tests.fuzz.console $(ARGS)

fuzz-nightly: setup-fuzz ## guided by coverage, ten minutes for each interface; ARGS for targets, --seconds
	@$(BIN)/python -m tests.fuzz.guided $(ARGS)

scenarios: setup ## the whole library of scenarios in this process, over a serial line and over the air: one transcript
	@$(BIN)/python -m pytest -m slow tests/integration/test_scenario_links.py $(ARGS)

shell: setup ## thousands of short lives of the asyncio shell in every order; SEEDS=0..1000
	@$(BIN)/python -m tests.shell.run --seeds $(or $(SEEDS),0..1000)

cycles: setup ## connections to one module, and what they leave behind: nothing; CYCLES=10000
	@$(BIN)/python -m tests.shell.cycles --cycles $(or $(CYCLES),10000)

test-bluez: setup ## real BlueZ: the tests of the guest, in a guest with a kernel of its own; ARGS for pytest
	@$(BIN)/python -m hil.guest --out build/guest test $(ARGS)

bluez-nightly: setup ## the same on the clock on the wall, in some two and a half hours
	@$(BIN)/python -m hil.guest --real-time --wall 14400 --limit 14400 --out build/guest test $(ARGS)

explore: setup ## every life of the core up to so many lines: DEPTH=18, STATES=12000 at most in one scene
	@$(BIN)/python -m tests.exploration --depth $(or $(DEPTH),18) --states $(or $(STATES),12000) $(ARGS)

explore-defects: setup ## how many planted defects the exploration finds
	@$(BIN)/python -m tests.exploration.hunt $(ARGS)

hil: setup-hil ## the numbered bench suite, on a module process or, with ENV=file.yaml, on a module on a table; ARGS=--soak=12h
	@.venv/hil/bin/python -m pytest hil/suite $(if $(filter command,$(origin ENV)),--lg-env=$(ENV)) $(ARGS)

rootcanal: setup ## the module and its phones over RootCanal, a foreign controller; left out, by name, where it can not be had
	@$(BIN)/python -m pytest -m slow tests/integration/test_rootcanal.py $(ARGS) || test $$? = 5

mutation: setup ## does any test notice when the code is wrong? goes on where it was; ARGS names modules
	@nice -n 10 $(BIN)/python -m tests.mutation $(ARGS)

privacy: setup ## random days of a shared car at a real broker, and what it got to know: SEEDS=0..1000
	@$(BIN)/python -m tests.privacy --seeds $(or $(SEEDS),0..1000)

requirements: setup ## which test shows which rule, and which rules have none
	@$(BIN)/python -m tests.support.matrix

docs: setup ## write the generated pages of docs/
	@$(BIN)/python -m tests.support.diagram
	@$(BIN)/python -m tests.support.asyncapi
	@$(BIN)/python -m tests.support.mqtt_page
	@$(BIN)/python -m tests.support.scenario_page
	@$(BIN)/python -m tests.support.bench_page
	@$(BIN)/python -m tests.support.matrix >/dev/null

bench: setup-bench ## measure; every figure is a ratio taken in one run; ARGS=--json for JSON lines
	@failed=0; for part in tests/bench/bench_*.py; do \
	SHAREBOX_CWT_PYTHON=$${SHAREBOX_CWT_PYTHON:-.venv/cwt/bin/python} \
	$(BIN)/python -m tests.bench.$$(basename $$part .py) $(ARGS) || failed=1; \
	done; exit $$failed

clean: ## remove everything that was made
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	@find . -name __pycache__ -prune -exec rm -rf {} +
