# `make repro` brings everything up to date, `make test` runs the tests; both install what they need.
SHELL := /bin/bash
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --all-extras
# A stage is a process of its own: without bytecode files each would compile torch's sources anew, for seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: repro test slow check report serve stop lint env browser clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

repro: env ## Build, train, score and report what is out of date (ONLY=imagenet_e for one method)
	$(RUN) python -m flows $(ONLY)

test: env browser ## Run the quick tests
	$(RUN) pytest --numprocesses=auto --dist=worksteal

slow: env browser ## Run the slow tests
	$(RUN) pytest -m slow --numprocesses=auto --dist=worksteal

check: env ## Check params.yaml, the lint, and that dvc.lock matches the code
	$(RUN) python -m stages --check
	$(MAKE) --no-print-directory lint
	$(RUN) dvc status

lint: env ## Check style
	$(RUN) ruff check
	$(RUN) ruff format --check

report: env ## Bring the report up to date and say where it is
	$(RUN) python -m flows summary-report
	@echo "file://$(CURDIR)/data/report/index.html"

serve: env ## Start the Prefect server, a work pool and a worker on loopback, and deploy
	$(RUN) python -m flows.serve

stop: env ## Stop the Prefect server that a run has left in the background
	$(RUN) python -m flows.server stop

env: .venv/.ready

.venv/.ready: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen --all-extras
	@touch $@

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv

browser: # The report's test looks at the page in a real browser
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -qq -y chromium >/dev/null; \
	  else echo "make: the report's test needs Chromium: sudo apt-get install chromium" >&2; exit 69; fi; }

clean: ## Remove the environment and checkpoints; DVC's cache and the data stay
	rm -rf .venv .uv .checkpoints .pytest_cache .ruff_cache
