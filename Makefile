# make run      the bot, at http://127.0.0.1:7860 (make run ARGS="--port 8000 --llm scripted")
# make test     format, lint, types and all tests but those that need the local model's weights
# make test-fast the tests that take no real time, in under a minute
# make test-llm the tests that need the local model's weights
# make bench    voice-to-voice times, word error rate, CPU and memory of whole calls
#
# Needs Python 3.11 or newer and make; everything else comes from the Python package index into .venv.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PARALLEL := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test test-fast test-llm lint bench clean
.DELETE_ON_ERROR:

run: $(VENV)/installed-run
	@$(BIN)/python bot.py serve $(ARGS)

# Lanes: see tests/lanes.py. What counts on the real clock runs last and alone.
test: lint
	$(PARALLEL) -m "not realtime and not llm" $(ARGS)
	$(BIN)/python -m pytest -m "realtime and not llm" $(ARGS)

test-fast: $(VENV)/installed-test
	$(PARALLEL) -m "not realtime and not slow and not registry and not llm" $(ARGS)

test-llm: $(VENV)/installed-test
	$(BIN)/python -m pytest -m llm $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/installed-test
	$(BIN)/python -m bench.calls $(ARGS)
	$(BIN)/python -m bench.resources

clean:
	rm -rf $(VENV)

# Each stamp is renewed when the list of packages changes, so that a second start installs nothing.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-run: pyproject.toml | $(BIN)/python
	@echo "Installing the bot's packages into $(VENV); this takes a minute or two, once."
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml $(VENV)/installed-run
	$(PIP) --editable '.[test,mcp]'
	@touch $@
