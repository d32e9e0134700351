# `make up` starts Cairn on this machine, `make test` runs every test. Both install what is missing and are safe to repeat.
SHELL := /bin/bash
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

up: ## Install what is missing, build, start Cairn in the background, print a sign-in link
	@deploy/up.sh

down: ## Stop Cairn and everything that it runs
	@deploy/down.sh

test: ## Run every test against real parts
	@deploy/test.sh

e2e: ## Run only the browser tests
	@deploy/test.sh e2e

lint: ## Check formatting, lints, docs and licences
	@deploy/lint.sh

dev: ## Front end that reloads as you edit, against the running server
	@deploy/dev.sh

images: ## Build the base and the data science image with the local Docker engine
	@deploy/images.sh

gpu-check: ## Check what needs an NVIDIA card; says that it skipped where there is none
	@deploy/gpu-check.sh

bench: ## Measure against peers and floors: name, ours, peer, ratio, goal
	@deploy/bench.sh

.PHONY: help up down test e2e lint dev images gpu-check bench
