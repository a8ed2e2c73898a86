# Everything a person or CI does with this repository. `make` alone lists it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

# Build, vet and staticcheck compile the same way, so that each package is
# compiled once for all three. Only the race detector needs cgo.
STATIC := CGO_ENABLED=0 GOFLAGS=-trimpath

# The Go tool stamps the version from git, where there is a commit that it may read.
STAMP := $(shell git rev-parse --verify --quiet HEAD >/dev/null 2>&1 && echo true || echo false)

# What the tests use from outside Go. scripts/setup.sh installs what is missing.
TOOLS := gcc curl postgresql chromium python node sdk

ORACLE := internal/model/openai/oracle

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build ./errand: one static binary
	@$(STATIC) go build -buildvcs=$(STAMP) -ldflags '-s -w' -o errand .

.PHONY: demo
demo: build ## see a run's whole life: offline, in a few seconds
	@./errand demo

.PHONY: test
test: ## run all tests, with the race detector, in random order
	@scripts/setup.sh $(TOOLS)
	@PATH="$$PWD/.tools/bin:$$PATH" go run ./scripts/gotest . $(ORACLE)

.PHONY: check
check: format vet staticcheck arch build types test ## everything that CI holds

.PHONY: format
format: ## fail if gofmt would change a file
	@files=$$(find . -name '*.go' -not -path '*/testdata/*' -not -path './.*' -exec gofmt -l {} +); \
	if [[ -n $$files ]]; then \
		echo "gofmt would change these files; run 'gofmt -w' on them:"; echo "$$files"; exit 1; \
	fi

.PHONY: vet
vet: ## go vet
	@$(STATIC) go vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck, at the version that go.mod names
	@$(STATIC) go tool staticcheck ./...

.PHONY: types
types: ## check the types of the page's modules: TypeScript reads their comments
	@scripts/setup.sh node sdk
	@PATH="$$PWD/.tools/bin:$$PATH" node e2e/sdk/node_modules/typescript/bin/tsc -p internal/ui

.PHONY: arch
arch: ## who may import whom, sizes, words: in a second
	@$(STATIC) go test -vet=off ./internal/arch

.PHONY: bench
bench: ## measure Errand beside a bare floor and write docs/performance.md (5 minutes)
	@go run ./bench -out docs/performance.md

.PHONY: reference
reference: ## make docs/reference anew, from the contract, the settings, the commands and the codes
	@go test -count=1 -run 'TestReference$$' ./docs -update

.PHONY: bench-peers
bench-peers: ## measure Errand beside agent servers from npm and write docs/comparison.md (12 minutes)
	@scripts/setup.sh node
	@PATH="$$PWD/.tools/bin:$$PATH" go run ./bench peers -out docs/comparison.md

.PHONY: shots
shots: ## make the pictures in docs/images anew, of a server with a week of work behind it
	@scripts/setup.sh chromium node sdk
	@ERRAND_PICTURES="$$PWD/docs/images" go test -count=1 -timeout=10m -run 'TestShots$$' ./e2e/ui

.PHONY: cover
cover: ## run the tests and write cover.html
	@go test -coverpkg=./... -coverprofile=cover.out ./...
	@go tool cover -html=cover.out -o cover.html
	@go tool cover -func=cover.out | tail -1

.PHONY: fuzz
fuzz: ## each fuzz test for 10 s (FUZZTIME=1m for longer)
	@scripts/fuzz.sh $(or $(FUZZTIME),10s)

.PHONY: soak
soak: ## the long tests: 200 kills, half an hour of mixed load, five minutes of storm over three nodes (an hour)
	@ERRAND_KILLS=200 ERRAND_STORM_RUNS=2000 ERRAND_STORM_SECONDS=300 ERRAND_SOAK_MINUTES=30 ERRAND_SOAK=1 go test -count=1 -p=1 -timeout=3h -v ./e2e/...

.PHONY: release
release: ## build the release of HEAD's tag twice into dist/, and hold the two to be the same bytes
	@scripts/release.sh
	@scripts/reproduce.sh

.PHONY: release-dry
release-dry: ## the same of a commit without a tag
	@scripts/release.sh --snapshot
	@scripts/reproduce.sh --snapshot

# The tests that drive the program from outside, against the one that was released and
# not one built for them. E2E=./e2e names less of them.
.PHONY: release-test
release-test: ## run the end-to-end tests against the program in dist/ (20 minutes; E2E=./e2e for less)
	@scripts/setup.sh $(TOOLS)
	@rm -rf .tools/released && mkdir -p .tools/released
	@tar -xzf dist/errand_*_$$(go env GOOS)_$$(go env GOARCH).tar.gz -C .tools/released --strip-components=1
	@.tools/released/errand version
	@ERRAND_RELEASE="$$PWD/dist" go test -count=1 -run 'TestRelease$$' ./scripts/release
	@PATH="$$PWD/.tools/bin:$$PATH" ERRAND_BINARY="$$PWD/.tools/released/errand" go test -count=1 -p=1 -timeout=60m $(or $(E2E),./e2e/...)

.PHONY: clean
clean: ## remove what the other targets made
	@rm -rf errand dist cover.out cover.html .tools e2e/sdk/node_modules
