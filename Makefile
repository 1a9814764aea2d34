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
	predictor against run with
$(foreach each,$(typed),$(eval override $(each) := $$(value $(each))))
export $(typed)
# Make would expand any other variable of its command line when it starts the shell.
$(foreach each,$(filter-out $(typed) advisor MAKEFLAGS,$(.VARIABLES)),$(if \
	$(filter command line,$(origin $(each))),$(error no parameter $(each): there are $(typed))))
flag = $${$(1):+--$(2)="$$$(1)"}
settings = $(call flag,profile,profile) $(call flag,data,data) "$${settings[@]/\#/--set=}"
read_settings = read -ra settings <<< "$$set"

.PHONY: help nightly backfill test test-slow test-prefect test-gpu chaos check bench-gpu sql reports serve lock sbom audit rollback gc dictionary docs

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

# The lock files say what is installed, to the byte; a second call finds it done. The second one is
# for torch's CUDA build: where pip finds the CPU build, that is what the same pin installs.
# pip takes a file whose hash its index states before one on the disk, whatever the version: torch
# comes by itself, the CPU build where `find-links` has it, and is installed if its hash is locked.
pip := $(python) -m pip --disable-pip-version-check -qq
wheels := --only-binary :all: --no-deps
.venv/installed: requirements.lock requirements-cuda.lock
	@test -x $(python) || python3 -m venv .venv
	@echo "installing what requirements.lock lists into .venv (once; two to five minutes)"
	@rm -rf .venv/torch
	@$(pip) download $(wheels) --dest .venv/torch "$$(grep -o '^torch==[^ ]*' requirements.lock)"
	@sed -n '/^torch==/,/[^\\]$$/p' requirements.lock > .venv/torch/lock
	@$(pip) install --require-hashes $(wheels) --no-index --find-links .venv/torch -r .venv/torch/lock
	@rm -r .venv/torch
	@$(pip) install --require-hashes $(wheels) -r requirements.lock
	@$(python) -c "from importlib.metadata import version as v; exit('+cpu' not in v('torch'))" \
		|| $(pip) install --require-hashes $(wheels) -r requirements-cuda.lock
	@$(pip) check
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m flows "$$@"\n' "$(CURDIR)" "$(CURDIR)/$(python)" > $(advisor)
	@chmod +x $(advisor)
	@touch $@

nightly: .venv/installed  ## one run: data, training, prediction, metrics, report
	@$(read_settings); $(advisor) nightly $(settings)

backfill: .venv/installed  ## runs of past days, from=2018-09-17 to=2018-09-23, and their trend
	@$(read_settings); $(advisor) backfill $(call flag,from,from) $(call flag,to,to) \
		$(call flag,every,every-days) $(settings)

test: .venv/installed  ## the tests
	@$(python) -m pytest -m "not slow and not chaos" -n 2 --dist loadfile

test-slow: .venv/installed  ## the tests that take minutes
	@$(python) -m pytest -m slow --timeout=3600

chaos: .venv/installed  ## runs that are killed, starved, damaged: each loses nothing
	@$(python) -m pytest -v tests/chaos --timeout=3600

# Beside .venv, of which it takes what the newest Prefect does not replace.
test-prefect: .venv/installed  ## the tests of the flows on the newest Prefect there is
	@test -d .venv/newest || $(python) -m venv .venv/newest
	@echo "$(CURDIR)/.venv/lib/python3.11/site-packages" > .venv/newest/lib/python3.11/site-packages/locked.pth
	@ln -sf ../../bin/dask .venv/newest/bin/dask
	@.venv/newest/bin/python -m pip install --quiet --upgrade --force-reinstall --no-deps prefect
	@.venv/newest/bin/python -m pip install --quiet prefect
	@.venv/newest/bin/python -m pytest -m "not slow and not chaos" -W default::DeprecationWarning tests/flows

check: .venv/installed  ## lint, format, types, import contracts, dependencies
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry .

test-gpu: .venv/installed  ## what only a GPU can show: compiled attention, precision, memory
	@$(python) -m pytest -v -rs tests/gpu --timeout=1200

bench-gpu: .venv/installed  ## BLOOM-1b7 on a GPU: training, prediction and, of data=FOLDER, a whole run
	@$(python) -m bench.gpu --json gpu.json $(call flag,data,data)

lock: .venv/installed  ## resolve pyproject.toml into the lock files, with the hash of every wheel
	@$(python) .ci/lock.py

sbom: .venv/installed  ## what is installed, as CycloneDX: sbom.json
	@.venv/bin/cyclonedx-py environment $(python) --output-file sbom.json

audit: .venv/installed  ## known vulnerabilities of the locked packages, asked of PyPI
	@.venv/bin/pip-audit --requirement requirements.lock --disable-pip --require-hashes --strict

dictionary: .venv/installed  ## write the data dictionary from the code
	@$(python) -m tasks.data_dictionary
	@$(python) -m flows.settings_reference

docs: .venv/installed  ## the documentation as a site: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(python) -m mkdocs build --strict --quiet

sql: .venv/installed  ## the metrics database, read-only; with q='select ...' one query
	@$(advisor) sql $${q:+"$$q"}

reports: .venv/installed  ## what sql/reports answer; run one with name=user user=196
	@$(advisor) reports $${name:+"$$name"} \
		$(foreach p,user film title run_id metric predictor against run with,$${$(p):+$(p)="$$$(p)"})

serve: .venv/installed  ## a Prefect server, the deployments and a worker; ctrl-c ends both
	@$(advisor) serve $(call flag,port,port)

rollback: .venv/installed  ## the champion before this one again; with to=FINGERPRINT any earlier one
	@$(advisor) rollback $(call flag,to,to)

gc: .venv/installed  ## what neither champions nor the last 7 runs depend on; with apply=yes delete it
	@$(advisor) gc $(call flag,runs,runs) $${apply:+--apply}
