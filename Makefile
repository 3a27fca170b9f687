PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lowest newest contract api-schema verb-tables vendor pictures boards bench chaos celery-suite themes lint clean

# Worker, beat and site on 127.0.0.1; Ctrl-C stops all of them.
demo: $(VENV)/.demo
	@$(BIN)/python manage.py demo

# The storm of the chaos tests wants the machine for itself.
CHAOS_TESTS := tests/process/test_chaos.py
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --ignore $(CHAOS_TESTS)
	$(BIN)/python -m pytest $(CHAOS_TESTS)

# With the lowest versions that pyproject.toml promises; and with the newest Django, which wants a
# newer Python. Each in an environment of its own, beside the first. TESTS= names others.
TESTS := tests/unit tests/integration tests/process/test_bulk.py tests/process/test_celery_endings.py \
	tests/process/test_group_retries.py tests/process/test_purges.py tests/process/test_retries.py \
	tests/process/test_revoking.py tests/process/test_workflow_retries.py
NEWEST_PYTHON ?= python3.13
lowest newest: %: $(VENV)-%/.test
	$(VENV)-$*/bin/python -m pytest --numprocesses 2 --dist loadfile $(TESTS)

# Asks a live server whatever the API's schema allows, and looks at every answer: four minutes.
# OPTIONS= go to schemathesis, or name another database.
contract: $(VENV)/.dev
	$(BIN)/python -m tests.contract $(OPTIONS)

# z4j_django/api/openapi.json, from what the views declare, and docs/reference/api.md from that.
api-schema: $(VENV)/.dev
	$(BIN)/python docs/api_schema.py

# The tables of docs/ about verbs, permissions, conditions and metrics, from the declarations.
verb-tables: $(VENV)/.dev
	$(BIN)/python docs/verb_tables.py

# The dashboard and the rules in docs/boards/, from the declarations of metrics and conditions.
boards: $(VENV)/.dev
	$(BIN)/python docs/boards.py

# The scripts of others that the admin's pages are made with, as tools/vendor.json pins them.
vendor:
	$(PYTHON) -m tools.vendor

# The pictures of docs/images, of a shop that has a bad day. WALK= names a folder for a picture of
# every page instead: light, dark, on a phone and from right to left.
pictures: $(VENV)/.dev
	$(BIN)/python -m tools.pictures $(WALK)

# The short forms of all, in about ten minutes; then the tables of figures in README.md and docs/
# are written anew. FORM= runs the long ones; each script says at its head what else it can do.
FORM := --short
FIGURES := build/bench
bench: $(VENV)/.bench
	$(BIN)/python -m bench.capture $(FORM) --json $(FIGURES)/capture.json
	$(BIN)/python -m bench.throughput $(FORM) --json $(FIGURES)/throughput.json
	$(BIN)/python -m bench.ingest $(FORM) --json $(FIGURES)/ingest.json
	$(BIN)/python -m bench.read $(FORM) --json $(FIGURES)/read.json
	$(BIN)/python -m bench.prune $(FORM) --json $(FIGURES)/prune.json
	$(BIN)/python -m bench.scrape $(FORM) --json $(FIGURES)/scrape.json
	$(BIN)/python -m bench.report $(FIGURES)

# A million tasks under kill -9, for hours; CI runs the short form with the other tests.
CHAOS := --tasks 1000000 --kills 5000 --outages 20 --outage 60 --full-disks 20
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.process.chaos --broker redis --database postgresql $(CHAOS)

# Celery's own integration suite, with the app and without, and the records against its result
# backend: forty minutes. SUITE= names other tests of it.
CELERY := 5.7.0
celery-suite: $(VENV)-suite/.test
	$(VENV)-suite/bin/python -m tests.celery_suite $(SUITE)

# Every page of ours under each theme of the admin, light and dark, under axe. THEMES= names fewer;
# PICTURES= a folder for a picture of each page; VENV=.venv6 PYTHON=python3.13 has a newer Django.
THEMES := stock unfold jazzmin grappelli admin_interface simpleui
themes: $(VENV)-themes/.themes
	@set -e; for theme in $(THEMES); do echo "== $$theme"; THEME=$$theme \
		DJANGO_SETTINGS_MODULE=tests.themes.settings \
		$(VENV)-themes/bin/python -m pytest -q tests/themes; done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-newest $(VENV)-suite $(VENV)-themes .demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The stamps say for which pyproject.toml an extra was installed.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@

$(VENV)-lowest/.test: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(PYTHON) tests/lowest.py >$(@D)/lowest.txt
	$(@D)/bin/python -m pip install --quiet --constraint $(@D)/lowest.txt --editable ".[beat,test]"
	@touch $@

# Without beat: django-celery-beat 2.9 asks for a Django before 6.1.
$(VENV)-newest/.test: pyproject.toml
	$(NEWEST_PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --upgrade "django>=6.1" --editable ".[test]"
	@touch $@

$(VENV)-themes/.themes: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable ".[themes]"
	@touch $@

$(VENV)-suite/.test: pyproject.toml tests/celery_suite/requirements.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable . "celery[redis]==$(CELERY)" \
		--requirement tests/celery_suite/requirements.txt
	$(@D)/bin/python -m pip download --quiet --no-deps --no-binary celery --dest $(@D) \
		celery==$(CELERY)
	mkdir -p $(@D)/source
	tar -xzf $(@D)/celery-$(CELERY).tar.gz -C $(@D)/source --strip-components 1 celery-$(CELERY)/t
	@touch $@
