# heatpool. `make demo` and `make test` install what is missing and need nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SHELLFLAGS := -euo pipefail -c
STATE ?= .state
VENV := .venv
STAMP := $(VENV)/.synced
RUN := $(VENV)/bin/
# Tests wait for servers half of their time; two processes a core of the smallest machine.
WORKERS ?= 4
MEMBERS := contract chassis ingest writer trainer modelhub client fleet deploy

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) victoria mosquitto influxdb caddy chromium web/node_modules/.package-lock.json  ## install what the rest needs, Python's and npm's packages by their locks

$(STAMP): uv.lock pyproject.toml $(wildcard */pyproject.toml services/*/pyproject.toml)
	@deploy/install/uv.sh
	@deploy/install/uv.sh run-uv sync --frozen --quiet
	@touch $@

victoria:
	@[ -n "$${VICTORIA_METRICS:-}" ] || deploy/install/debian.sh victoria-metrics victoria-metrics

mosquitto:
	@deploy/install/debian.sh mosquitto mosquitto

caddy:
	@deploy/install/debian.sh caddy caddy

chromium:
	@deploy/install/debian.sh chromium chromium

web/node_modules/.package-lock.json: web/package-lock.json
	@deploy/install/debian.sh npm npm
	@npm ci --prefix web --no-audit --no-fund --silent
	@touch $@

influxdb:
	@deploy/install/debian.sh influxd influxdb

test: setup lint types isolation  ## the whole suite
	$(RUN)pytest -n $(WORKERS) --dist worksteal

quick: $(STAMP)  ## tests that start no whole pool
	$(RUN)pytest -n $(WORKERS) --dist worksteal -m "not pipeline and not slow"

lint: $(STAMP)  ## ruff, import walls, docstrings of tests
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)lint-imports
	$(RUN)interrogate -q tests

fmt: $(STAMP)  ## format
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

types: $(STAMP)  ## mypy, strict
	$(RUN)mypy

isolation: $(STAMP)  ## every member imports with its own dependencies alone
	@deploy/install/isolation.sh $(MEMBERS)

sizes: $(STAMP)  ## size of the environment of each member
	@deploy/install/sizes.sh $(MEMBERS)

chaos: setup  ## every fault under load: kills, freezes, full disks; about half an hour
	PATH="$(CURDIR)/$(RUN):$$PATH" PYTHONPATH=tests $(RUN)python -m chaos $(CHAOS)

bench-pipeline: setup  ## the pipeline beside vmagent and the bare store; growth with homes
	PATH="$(CURDIR)/$(RUN):$$PATH" PYTHONPATH=tests $(RUN)python bench/pipeline/compare.py $(BENCH)

evaluate: $(STAMP)  ## detection on SKAB, LBNL and the fleet; PARTS="skab lbnl fleet ..." runs some
	PYTHONPATH=bench $(RUN)python -m evaluate $(PARTS)

wheels: $(STAMP)  ## build contract and client as wheels, try them in an empty environment
	@deploy/install/wheels.sh dist

schema: $(STAMP)  ## write JSON Schema and the table of refusals from the contract
	$(RUN)python contract/schema/generate.py

dashboards: $(STAMP)  ## write Grafana's dashboards and the page of metrics
	$(RUN)python deploy/grafana/build.py
	$(RUN)python docs/operations/metrics.py

dashboards-shots: $(STAMP)  ## pictures of all panels from a store: make dashboards-shots STORE=http://127.0.0.1:8428
	$(RUN)python deploy/grafana/draw.py --store $(STORE)

api-docs: $(STAMP)  ## write docs/api from the contract
	$(RUN)python docs/api/generate.py

demo: setup  ## the main job end to end, with a report
	$(RUN)heatpool-demo --state .state-demo

bench: bench-edge bench-hub bench-rollup bench-pipeline bench-trainer  ## every benchmark on this machine

bench-edge: setup wrk  ## the edge beside a plain FastAPI edge
	@mkdir -p .bench
	$(RUN)python bench/edge/edge_bench.py --json .bench/edge.json

bench-trainer: setup  ## counting against river; homes from nothing and with one more day (BENCH_TRAINER="--homes 1000")
	@mkdir -p .bench
	$(RUN)python bench/trainer/trainer_bench.py --json .bench/trainer.json $(BENCH_TRAINER)

bench-hub: setup nginx  ## the hub at 100,000 registered homes, downloads beside nginx
	@mkdir -p .bench
	$(RUN)python bench/hub/hub_bench.py --json .bench/hub.json

bench-rollup: setup  ## the nightly rollup and what it leaves to requests, at 10,000 homes
	@mkdir -p .bench
	$(RUN)python bench/hub/rollup_bench.py --json .bench/rollup.json

nginx: wrk
	@deploy/install/debian.sh nginx nginx-light

wrk:
	@deploy/install/debian.sh wrk wrk

faults-edge: setup  ## nats-server killed 20 times under load, the edge killed and stopped
	HEATPOOL_KILLS=20 $(RUN)pytest -q -s tests/pipeline/test_edge_faults.py

fuzz: setup  ## the edge's decoders and its HTTP side against random input, for minutes
	HEATPOOL_FUZZ=2000 $(RUN)pytest -q --timeout 1200 tests/ingest/test_fuzz.py

attacks: setup  ## every attack of the table, and a report
	$(RUN)python tests/attacks/report.py

transcript: setup  ## a home contributes, updates, and refuses bad models
	$(RUN)python tests/attacks/transcript.py

transcript-offline: setup  ## 48 hours offline with kills, then online: sums in the store
	$(RUN)pytest -q -s tests/pipeline/test_client_offline.py

up: setup  ## run all servers and services until Ctrl-C (STATE=folder)
	$(RUN)heatpoolctl up --state $(STATE)

down: $(STAMP)  ## stop what `make up` started
	$(RUN)heatpoolctl down --state $(STATE)

clean: $(STAMP)  ## delete the state of `make up` and of `make demo`
	$(RUN)heatpoolctl clean --state $(STATE) --yes
	$(RUN)heatpoolctl clean --state .state-demo --yes

.PHONY: help setup victoria mosquitto influxdb caddy chromium test quick lint fmt types isolation sizes wheels schema api-docs dashboards dashboards-shots demo attacks transcript transcript-offline bench bench-edge bench-hub bench-rollup nginx wrk bench-pipeline bench-trainer chaos evaluate faults-edge fuzz up down clean
