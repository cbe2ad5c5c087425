# Everything here runs on a fresh Debian with Go and make. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build run test check lint bench torture matrix kubernetes mutate vuln man dist ansible check-new clean

# The installed Go, or a newer one where that is too old.
GO := scripts/go

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./harden, static and reproducible
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.release=$$(scripts/version)" -o harden ./cmd/harden

run: build ## show this host's plan; nothing is changed
	@./harden --dry-run; code=$$?; [[ $$code -eq 2 ]] || exit $$code # 2 says that there is something to do

test: lint ## install what the tests need, and run all of them
	scripts/setup
	$(GO) test -count=1 -timeout 80m -parallel 3 ./... # virtual machines wait more than they work

check: lint ## check format, vet, lint, and run the tests that need no other machine
	$(GO) test -short -timeout 60m ./... # minutes, but not on a machine that has other work

lint:
	@bad=$$($(GO) run cmd/gofmt -l cmd checks remediate fixtures scripts); [[ -z $$bad ]] || { printf 'not gofmt-ed: %s\n' $$bad; exit 1; }
	$(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/harden # for --source; it cannot be run here
	$(GO) run $(STATICCHECK) ./...

BASE :=
bench: ## measure speed and memory, as ratios, on this machine; BASE=FILE is another harden to compare with
	scripts/setup
	HARDEN_BASE='$(abspath $(BASE))' $(GO) test -run '^$$' -bench . -benchtime 20x -timeout 30m ./scripts/bench

torture: ## kill harden at every system call, cut the power at every write; takes hours
	scripts/setup
	HARDEN_TORTURE=full $(GO) test -v -run Torture -timeout 6h ./...

matrix: ## take all the real hosts through harden: each Debian, Engine and image store; takes hours
	scripts/setup
	HARDEN_MATRIX=full $(GO) test -v -run 'TestHost|TestSwarm|TestGuide' -parallel 2 -timeout 6h ./scripts/vm

kubernetes: ## change a control plane under a real kubelet, and roll it back; takes a few minutes
	scripts/setup
	$(GO) test -v -count 1 -run RollOut -timeout 1h ./scripts/kube

# The packages in which a mistake does most harm. `make mutate MUTATE=./checks/be SAMPLE=0` tries every mutant of one package.
MUTATE := ./remediate/apply ./remediate/edit ./checks/rule ./checks/be ./remediate/report
SAMPLE := 150
mutate: ## put a sample of faults into the code; fail if the tests find fewer than 90 %
	scripts/setup
	$(GO) run ./scripts/mutate -sample $(SAMPLE) -skip Torture $(MUTATE)

vuln: ## look for known vulnerabilities in what is linked
	@scripts/vuln $(GOVULNCHECK)

man: ## write the man pages to dist/man
	mkdir -p dist/man
	$(GO) run -tags docs ./cmd/harden docs man dist/man

dist: ## write archives, packages, the image, checksums and the SBOM to dist
	$(GO) run ./scripts/dist

ANSIBLE_OUT := dist/ansible
ansible: ## build the Ansible collection in dist/ansible, for amd64 and arm64
	scripts/ansible/build $(ANSIBLE_OUT)

# make check-new ID=docker/publish-all-ports KIND=container; FILE is another file of the catalogue than the kind's own.
check-new: ## write the literal and the recordings of a new check: ID=docker/ip6tables
	$(GO) run ./scripts/newcheck -kind "$(KIND)" -file "$(FILE)" "$(ID)"

clean: ## remove what was built here
	rm -rf harden dist
