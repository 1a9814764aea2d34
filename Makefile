# make nightly [profile=laptop] [data=ml-100k-wheel] [set="split.ties=film train.fit.epochs=2"]
# make test                                           what CI tests
# Short cuts to `.venv/bin/advisor`: see `advisor --help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
python := .venv/bin/python
advisor := .venv/bin/advisor
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export TOKENIZERS_PARALLELISM := false

# What is typed reaches the shell in the environment, as text that make does not expand.
typed := profile data set from to every runs apply port q name user film title run_id metric \
	predictor against
$(foreach each,$(typed),$(eval override $(each) := $$(value $(each))))
export $(typed)
# Make would expand any other variable of its command line when it starts the shell.
$(foreach each,$(filter-out $(typed) advisor MAKEFLAGS,$(.VARIABLES)),$(if \
	$(filter command line,$(origin $(each))),$(error no parameter $(each): there are $(typed))))
flag = $${$(1):+--$(2)="$$$(1)"}
settings = $(call flag,profile,profile) $(call flag,data,data) "$${settings[@]/\#/--set=}"
read_settings = read -ra settings <<< "$$set"

.PHONY: help nightly backfill test test-slow chaos check bench-gpu sql reports serve lock rollback gc dictionary docs

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

# The one lock file says what is installed; a second call finds it done.
.venv/installed: requirements.lock
	@test -x $(python) || python3 -m venv .venv
	@echo "installing what requirements.lock lists into .venv (once; two to five minutes)"
	@$(python) -m pip install -qq --disable-pip-version-check -r requirements.lock
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m flows "$$@"\n' "$(CURDIR)" "$(CURDIR)/$(python)" > $(advisor)
	@chmod +x $(advisor)
	@touch $@

nightly: .venv/installed  ## one run: data, training, prediction, metrics, report
	@$(read_settings); $(advisor) nightly $(settings)

backfill: .venv/installed  ## runs of past days, from=2018-09-17 to=2018-09-23, and their trend
	@$(read_settings); $(advisor) backfill $(call flag,from,from) $(call flag,to,to) \
		$(call flag,every,every-days) $(settings)

test: .venv/installed  ## the tests
	@$(python) -m pytest -m "not slow and not chaos"

test-slow: .venv/installed  ## the tests that take minutes
	@$(python) -m pytest -m slow

chaos: .venv/installed  ## runs that are killed, starved, damaged: each loses nothing
	@$(python) -m pytest -v tests/chaos

check: .venv/installed  ## lint, format, types, import contracts, dependencies
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry .

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

sql: .venv/installed  ## the metrics database, read-only; with q='select ...' one query
	@$(advisor) sql $${q:+"$$q"}

reports: .venv/installed  ## what sql/reports answer; run one with name=user user=196
	@$(advisor) reports $${name:+"$$name"} \
		$(foreach p,user film title run_id metric predictor against,$${$(p):+$(p)="$$$(p)"})

serve: .venv/installed  ## a Prefect server, the deployments and a worker; ctrl-c ends both
	@$(advisor) serve $(call flag,port,port)

rollback: .venv/installed  ## the champion before this one again; with to=FINGERPRINT any earlier one
	@$(advisor) rollback $(call flag,to,to)

gc: .venv/installed  ## what neither champions nor the last 7 runs depend on; with apply=yes delete it
	@$(advisor) gc $(call flag,runs,runs) $${apply:+--apply}
