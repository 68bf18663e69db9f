# `make` alone prints this list.
PYTHON ?= python3
BIN    := .venv/bin
UV_PIN := 0.13.8
STAMP  := .venv/.lock-$(shell cat requirements-dev.lock pyproject.toml | cksum | cut -d' ' -f1)

# Containers often set it; here every process of the suite and of the demo would compile the whole library anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-mutations crash crash-fleet bench check fmt lock up migrate shell clean

help: ## Print this list.
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv from the hashed lock (once; again when the lock changes).

# uv installs the lock in seconds; where it has no wheel, pip reads the same file and takes a little longer.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_PIN) 2>/dev/null; then \
	    $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock && \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock && \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@rm -f .venv/.lock-*; touch $@

demo: setup ## Play 45 days of a small firm through the real worker, in under a minute.
	@$(BIN)/orchestrator demo

test: setup ## Run the quick test suite on real SQLite, PostgreSQL, Redis, HTTP and SMTP.
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: setup ## Run every test, the long crash schedules included.
	@$(BIN)/python -m pytest -n 2 --dist worksteal

bench: setup ## Measure what is promised, each as a ratio to a baseline of the same run; ARGS="--quick P1 P4".
	@$(BIN)/python -m benchmarks $(ARGS)

test-mutations: setup ## Take each safeguard away in a copy of the tree, and see the suite notice.
	@$(BIN)/python -m tests.mutations

SEEDS ?= 2000

crash: setup ## Play 2,000 seeded schedules of death, freezing and lost answers (SEEDS=n).
	@$(BIN)/python -m tests.crash --seeds $(SEEDS)

MINUTES ?= 10

crash-fleet: setup ## Kill, freeze and cut off a real fleet on PostgreSQL and Redis for 10 minutes (MINUTES=n SEED=n).
	@$(BIN)/python -m tests.crash.besiege --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON))

check: setup ## Run what CI runs beside the tests: format, lint, types, import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## Format, and mend what ruff can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Resolve again (after editing dependencies) and write the lock files.
	$(BIN)/uv lock --upgrade
	$(BIN)/uv export --quiet --extra otel --no-emit-project -o requirements-dev.lock >/dev/null
	$(BIN)/uv export --quiet --no-dev --no-emit-project -o requirements.lock >/dev/null
	$(BIN)/uv export --quiet --no-dev --extra otel --no-emit-project -o requirements-otel.lock >/dev/null

up: setup ## Run the whole worker in one process (SQLite, in-process broker).
	@$(BIN)/orchestrator up

migrate: setup ## Bring the database to the newest schema.
	@$(BIN)/orchestrator migrate

shell: setup ## Open Python with the project on its path.
	@$(BIN)/python

clean: ## Remove .venv and caches; configuration and data stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
