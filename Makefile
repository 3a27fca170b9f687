PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test bench chaos lint clean

# Worker, beat and site on 127.0.0.1; Ctrl-C stops all of them.
demo: $(VENV)/.demo
	@$(BIN)/python manage.py demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

# The short forms; each script says at its head how to run the long one.
bench: $(VENV)/.dev
	$(BIN)/python -m bench.capture --rounds 9
	$(BIN)/python -m bench.throughput --tasks 10000 --rounds 3
	$(BIN)/python -m bench.ingest --tasks 50000 --shippers 1,2
	$(BIN)/python -m bench.read --short

# A million tasks under kill -9, for hours; CI runs the short form with the other tests.
CHAOS := --tasks 1000000 --kills 5000 --outages 20 --outage 60
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.process.chaos --broker redis --database postgresql $(CHAOS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps say for which pyproject.toml an extra was installed.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@
