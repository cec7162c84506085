# make run      the bot, at http://127.0.0.1:7860 (make run ARGS="--port 8000 --llm scripted")
# make test     format, lint, types and all tests but those that need the local model's weights
# make test-fast the tests that take no real time, in under a minute
# make test-llm the tests that need the local model's weights
# make lock     the exact packages anew, after a change of pyproject.toml (ARGS=--upgrade: the newest)
# make audit    looks for known faults in them (ARGS=--may-be-offline: a warning if nobody tells them)
# make parts    lists all parts and their licences
# make bench    voice-to-voice times, word error rate, CPU and memory of whole calls
#
# Needs Python 3.11 or newer and make; everything else comes from the Python package index into .venv.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PYTEST := .ci/steady $(BIN)/python
PARALLEL := $(PYTEST) --numprocesses auto --dist worksteal
# The folders of tests/lanes.py; a bot, or a browser, is shared by the tests of a file.
REAL_TIME := tests/clients tests/calls tests/browser
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The lists are whole, so nothing else is installed; what they ask of each other has been settled by `make lock`.
LOCKED := $(PIP) --no-deps --require-hashes --requirement
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--override requirements/overrides.txt --constraint requirements/constraints.txt --custom-compile-command "make lock"

.PHONY: run test test-parallel test-fast test-llm lint lock audit parts bench clean
.DELETE_ON_ERROR:

run: $(VENV)/installed-run
	@$(BIN)/python bot.py serve $(ARGS)

# Lanes: see tests/lanes.py. What counts on the real clock runs after all else, and what measures it alone.
test: $(VENV)/installed-test
	@$(MAKE) --no-print-directory --jobs 2 lint test-parallel
	$(PYTEST) --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not timed and not llm" $(REAL_TIME) $(ARGS)
	$(PYTEST) -m "timed and not llm" $(REAL_TIME) $(ARGS)

test-parallel: $(VENV)/installed-test
	$(PARALLEL) -m "not realtime and not llm" $(ARGS)

test-fast: $(VENV)/installed-test
	$(PARALLEL) -m "not realtime and not slow and not registry and not llm" $(ARGS)

test-llm: $(VENV)/installed-test
	$(PYTEST) -m llm $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

# Known faults in the exact packages, and the list of all parts with their licences; both tools run from uv's cache.
audit: $(VENV)/installed-test
	@$(BIN)/python .ci/audit.py $(ARGS)

parts: $(VENV)/installed-test
	$(BIN)/uv tool run pip-licenses --python $(BIN)/python --format=markdown --with-urls --order=name

bench: $(VENV)/installed-test
	$(BIN)/python -m bench.calls $(ARGS)
	$(BIN)/python -m bench.resources

clean:
	rm -rf $(VENV)

# Each stamp is renewed when the list of packages changes, so that a second start installs nothing.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing the bot's packages into $(VENV); this takes a minute or two, once."
	@$(LOCKED) requirements/run.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/installed-test: requirements/test.txt $(VENV)/installed-run
	$(LOCKED) requirements/test.txt
	@touch $@

# The exact packages and their hashes, for every platform: run again after a change of pyproject.toml.
lock: $(VENV)/installed-test
	$(LOCK) $(ARGS) --output-file requirements/run.txt
	$(LOCK) $(ARGS) --constraint requirements/run.txt --extra test --extra mcp --output-file requirements/test.txt
