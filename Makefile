# `make run` opens ktui on the samples, `make test` runs every test; both set the machine up first.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup run test lint check bench conformance dev
help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

setup: ## Debian packages, .venv, ktui (idempotent)
	@scripts/setup.sh

run: setup ## open ktui on sample_manifests/ with real Podman containers
	@scripts/sample-image.sh
	@$(BIN)/ktui --manifests sample_manifests

test: setup ## every test, real Podman and a real terminal among them
	@scripts/sample-image.sh
	@$(BIN)/pytest -n 2 --dist loadfile -m "not podman and not tmux"
	@$(BIN)/pytest -m "podman or tmux" # one after another: they share Podman, ports and the terminal

lint: setup ## ruff, pyright, import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright && $(BIN)/lint-imports

check: lint test ## what CI runs

bench: ## benchmarks against named peers (minutes; see docs/benchmarks.md)
	@scripts/setup.sh --bench
	@for b in benchmarks/[a-z]*.py; do $(BIN)/python $$b; done

conformance: setup ## Kubernetes' official conformance suite against ktui (hours; FOCUS='regular expression' for a part)
	@scripts/setup.sh --bench
	@scripts/conformance.sh $(if $(FOCUS),'$(FOCUS)')

dev: setup ## ktui with Textual's devtools (run `.venv/bin/textual console` in another terminal)
	@$(BIN)/textual run --dev -c $(BIN)/ktui --manifests sample_manifests
