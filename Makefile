# make nightly [profile=laptop] [data=ml-100k-wheel]   one night, from nothing
# make test                                           everything that CI tests
.DEFAULT_GOAL := help
SHELL := /bin/bash
python := .venv/bin/python
profile ?= laptop
data ?=
# The query reaches the shell as text, whatever quotes it has.
export q
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export TOKENIZERS_PARALLELISM := false

.PHONY: help nightly backfill test test-slow chaos check bench-gpu sql reports serve lock rollback gc dictionary docs

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

# The one lock file says what is installed; a second call finds it done.
.venv/installed: requirements.lock
	@test -x $(python) || python3 -m venv .venv
	@echo "installing what requirements.lock lists into .venv (once; two to five minutes)"
	@$(python) -m pip install -qq --disable-pip-version-check -r requirements.lock
	@touch $@

nightly: .venv/installed  ## one night: data, training, prediction, metrics, report
	@$(python) -m flows.nightly --profile $(profile) $(if $(data),--data '$(data)') \
		$(if $(changes),--changes '$(changes)')

from ?=
to ?=
every ?= 1
backfill: .venv/installed  ## nights of past days, from=2018-09-17 to=2018-09-23, and their trend
	@$(python) -m flows.backfill --from '$(from)' --to '$(to)' --every-days $(every) \
		--profile $(profile) $(if $(data),--data '$(data)') $(if $(changes),--changes '$(changes)')

test: .venv/installed  ## the tests
	@$(python) -m pytest -m "not slow and not chaos"

test-slow: .venv/installed  ## the tests that take minutes
	@$(python) -m pytest -m slow

chaos: .venv/installed  ## nights that are killed, starved, damaged: each loses nothing
	@$(python) -m pytest -v tests/chaos

check: .venv/installed  ## lint, format, types, import contracts
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench-gpu: .venv/installed  ## training BLOOM-1b7 in bf16 on a GPU, beside the original's recipe
	@$(python) -m bench.train --shapes 1b7 --no-pieces --flex

lock: .venv/installed  ## write what is installed into requirements.lock
	@$(python) -m pip install --quiet --disable-pip-version-check ".[dev,bench]"
	@$(python) -m pip freeze --exclude content-advisor | sed 's/+cpu//' > requirements.lock

dictionary: .venv/installed  ## write the data dictionary from the code
	@$(python) -m tasks.data_dictionary
	@$(python) -m flows.settings_reference

docs: .venv/installed  ## the documentation as a site: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(python) -m mkdocs build --strict --quiet

sql: .venv/installed  ## the metric file, read-only; with q='select ...' one query
	@$(python) -m flows.sql "$$q"

port ?= 4200
serve: .venv/installed  ## a Prefect server, the deployments and a worker; ctrl-c ends both
	@export PREFECT_API_URL=http://127.0.0.1:$(port)/api PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	prefect server start --host 127.0.0.1 --port $(port) & server=$$!; \
	trap 'kill $$server' EXIT; \
	prefect server status --wait --timeout 60; \
	prefect --no-prompt work-pool create local --type process --overwrite && \
	prefect --no-prompt deploy --all </dev/null && \
	python -m flows.watch && \
	prefect worker start --pool local --type process --limit 1

rollback: .venv/installed  ## the champion before this one again; with to=FINGERPRINT any earlier one
	@$(python) -m flows.rollback --to '$(to)'

nights ?= 7
gc: .venv/installed  ## what neither champions nor the last 7 nights stand on; with apply=yes it goes
	@$(python) -m flows.gc --nights $(nights) $(if $(apply),--apply)

# Parameters reach the shell as text as well.
asked := user film title run_id metric predictor against
export $(asked)
name ?=
export name
reports: .venv/installed  ## what sql/reports answer; run one with name=user user=196
	@$(python) -m flows.reports "$$name" $(foreach p,$(asked),$(if $($(p)),$(p)="$$$(p)"))
