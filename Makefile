# Everything here runs on a fresh Debian with Go and make. `make help` says what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run test check lint bench torture kubernetes mutate vuln man ansible clean

RELEASE := $(shell git describe --tags --always --dirty 2>/dev/null)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

help: ## say what there is
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./harden, static and reproducible
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.release=$(RELEASE)' -o harden ./cmd/harden

run: build ## show this host's plan; nothing is changed
	@./harden --dry-run; code=$$?; [[ $$code -eq 2 ]] || exit $$code # 2 says that there is something to do

test: lint ## install what the tests need, then run all of them
	scripts/setup
	go test -timeout 80m -parallel 3 ./... # virtual machines wait more than they work

check: lint ## format, vet, lint, and the tests that need no other machine
	go test -short ./...

lint:
	@bad=$$(gofmt -l cmd checks remediate fixtures scripts); [[ -z $$bad ]] || { printf 'not gofmt-ed: %s\n' $$bad; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

bench: ## measure speed and memory, as ratios, on this machine
	scripts/setup
	go test -run '^$$' -bench . -benchtime 20x -timeout 30m ./scripts/bench

torture: ## kill at every system call, cut the power at every write; takes long
	scripts/setup
	HARDEN_TORTURE=full go test -v -run Torture -timeout 6h ./...

kubernetes: ## roll out to a control plane under a real kubelet, and take it back; takes a few minutes
	scripts/setup
	go test -v -count 1 -run RollOut -timeout 1h ./scripts/kube

# The packages in which a mistake does most harm. `make mutate MUTATE=./checks/be SAMPLE=0` tries every mutant of one package.
MUTATE := ./remediate/apply ./remediate/edit ./checks/rule ./checks/be ./checks/report
SAMPLE := 150
mutate: ## put faults into the code, a sample of them, and fail where the tests catch fewer than 90 %
	scripts/setup
	go run ./scripts/mutate -sample $(SAMPLE) -skip Torture $(MUTATE)

vuln: ## look for known vulnerabilities in what is linked, where their database can be reached
	@scripts/vuln $(GOVULNCHECK)

man: ## write the man pages to dist/man
	mkdir -p dist/man
	go run -tags docs ./cmd/harden docs man dist/man

ANSIBLE_OUT := dist/ansible
ansible: ## build the Ansible collection, for amd64 and arm64, below dist/ansible
	scripts/ansible/build $(ANSIBLE_OUT)

clean: ## remove what was built here
	rm -rf harden dist
