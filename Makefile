# Builds, checks and runs everything here; `make` alone lists the targets. Needs Go, make and git: every tool is
# pinned in a go.mod and built from modules.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The tools live in modules of their own; a workspace above this checkout would mix their requirements.
export GOWORK := off

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)
LDFLAGS = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

DOCKER ?= docker
IMG ?= kms-key-import-operator:$(VERSION)
NAMESPACE := kms-key-import-system
CRDS := kmskeyimports.kms.keyimport.dev kmskeyrecords.kms.keyimport.dev

# Where kube-apiserver, etcd and kubectl are.
ASSETS := $(or $(KUBEBUILDER_ASSETS),$(CURDIR)/bin/k8s)
# For clusters of your own: the kubectl you have, else the one built here.
KUBECTL ?= $(shell command -v kubectl || echo "$(ASSETS)/kubectl")
APPLY = "$(KUBECTL)" apply --server-side -f -

PACKAGES ?= ./...
TESTFLAGS ?= -timeout 30m
FUZZTIME ?= 60s

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ See it work

.PHONY: demo
demo: controlplane build ## Two operators, a real kube-apiserver and a local KMS import keys (DIALECT=QKMS; KEEP=1: leave them running)
	@KUBEBUILDER_ASSETS="$(ASSETS)" DIALECT="$(DIALECT)" KEEP="$(KEEP)" hack/demo/demo.sh

.PHONY: demo-stop
demo-stop: ## End what demo KEEP=1 left running
	@hack/demo/demo.sh stop

##@ Build

.PHONY: build
build: ## Build bin/manager and bin/localkms
	go build -trimpath -ldflags "$(LDFLAGS)" -o bin/manager .
	go build -trimpath -ldflags "$(LDFLAGS)" -o bin/localkms ./hack/localkms

.PHONY: docker-build
docker-build: ## Build the image IMG with DOCKER
	$(DOCKER) build --build-arg VERSION="$(VERSION)" --build-arg COMMIT="$(COMMIT)" -t "$(IMG)" .

.PHONY: controlplane
controlplane: ## Build kube-apiserver, etcd and kubectl into bin/k8s: 6 minutes once (KUBEBUILDER_ASSETS: use those instead)
	@hack/controlplane/build.sh

.PHONY: clean
clean: ## Remove bin/, the built control plane included
	@if [ -e bin/demo/helper ]; then hack/demo/demo.sh stop; fi
	rm -rf bin

##@ Change

.PHONY: generate
generate: ## Generate deep copies from the API types
	go tool controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: generate ## Generate the CRDs, the operator's roles and Argo CD's patch, and what generate makes
	go tool controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	go tool controller-gen rbac:roleName=kms-key-import-operator paths=./controllers/... output:rbac:dir=config/rbac
	hack/argocd/patch.sh

##@ Check

# The race detector needs a C compiler. Go switches cgo off where there is none. The controllers' suite leaves its objects
# for `make argocd`, once for the same sources: a run that writes files is never cached.
.PHONY: test
test: controlplane ## Run the tests of PACKAGES on the control plane, with the race detector
	@race=-race; \
	if [ "$$(go env CGO_ENABLED)" != 1 ]; then race=; echo "test: no C compiler here, so no race detector"; fi; \
	objects="$$(hack/argocd/objects.sh)"; \
	if [ -e "$$objects/complete" ]; then objects=; fi; \
	OBJECTS_DIR="$$objects" KUBEBUILDER_ASSETS="$$(cd "$(ASSETS)" && pwd)" go test $$race $(PACKAGES) $(TESTFLAGS)
	@echo "test: ok"

.PHONY: simulation
simulation: ## Let 200 keys live for 3 years in about 4 minutes (SEED: replay one; KEYS, YEARS, RESYNC)
	SEED="$(or $(SEED),1)" go test -count=1 -v -timeout 40m ./controllers/simulation -run TestLives \
		-keys="$(or $(KEYS),200)" -years="$(or $(YEARS),3)" -resync="$(or $(RESYNC),24h)"
	@echo "simulation: ok"

.PHONY: kill
kill: controlplane ## Kill managers while they import, renew, heal, adopt, withdraw and interrupt keys (SEED: make the choices of an earlier run; KILLS, KEYS)
	@rm -rf bin/kill && mkdir -p bin/kill
	KUBEBUILDER_ASSETS="$$(cd "$(ASSETS)" && pwd)" go test -tags kill -count=1 -v -parallel 4 -timeout 40m \
		-artifacts -outputdir "$(CURDIR)/bin/kill" ./hack/kill \
		$(if $(SEED),-seed="$(SEED)") $(if $(KILLS),-kills="$(KILLS)") $(if $(KEYS),-keys="$(KEYS)")
	@echo "kill: ok"

.PHONY: argocd
argocd: controlplane ## Run Argo CD's health check, actions and diff over the objects of real runs
	@KUBEBUILDER_ASSETS="$$(cd "$(ASSETS)" && pwd)" hack/argocd/test.sh

.PHONY: awscli
awscli: build ## Import keys into the local KMS with the AWS CLI and OpenSSL alone
	@hack/awscli/flow.sh

# What may create keys and use one up is taken from the command line alone, not from a variable that is around.
given = $(if $(filter command,$(firstword $(origin $1))),$($1))

.PHONY: conformance
conformance: ## Check the KMS at ENDPOINT, on one empty KEY or on keys it creates; asks first (docs/conformance.md)
	@hack/conformance/run.sh \
		-endpoint="$(call given,ENDPOINT)" -dialect="$(or $(call given,DIALECT),AWS)" -region="$(call given,REGION)" \
		-key="$(call given,KEY)" $(if $(call given,SETTLE),-settle="$(SETTLE)") $(if $(filter 1,$(call given,YES)),-yes)

.PHONY: conformance-local
conformance-local: build ## Run conformance on the local KMS in both dialects, and check that it cleans up
	@hack/conformance/local.sh

.PHONY: bench
bench: ## Run the benchmarks of PACKAGES
	go test -run '^$$' -bench . -benchmem $(PACKAGES)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME
	@hack/fuzz.sh "$(FUZZTIME)"

.PHONY: mutation
mutation: ## Take each check and condition out of the plan, and demand that a test fails (docs/mutations.md)
	go run ./hack/mutation -write docs/mutations.md

.PHONY: lint
lint: ## Run golangci-lint and kube-api-linter
	@hack/golangci-lint/build.sh
	@bin/tools/golangci-lint config verify
	bin/tools/golangci-lint run
	cd hack/argocd && ../../bin/tools/golangci-lint run
	@echo "lint: ok"

.PHONY: verify
verify: manifests ## Regenerate everything, then fail where the tree differs from the commit
	@hack/verify/verify.sh

##@ On a cluster of your own (the current kubeconfig)

.PHONY: kubectl
kubectl:
	@command -v "$(KUBECTL)" >/dev/null || hack/controlplane/build.sh kubectl

.PHONY: install
install: kubectl ## Install the CRDs
	"$(KUBECTL)" kustomize config/crd | $(APPLY)

# Deleting a CRD deletes its objects, and records are the custody evidence.
.PHONY: uninstall
uninstall: kubectl ## Remove the CRDs; refuses while objects exist (FORCE=1: delete those too, and leave all keys as they are)
	@crds="$$("$(KUBECTL)" get crd $(CRDS) --ignore-not-found --output name)"; \
	left="$$(for crd in $$crds; do "$(KUBECTL)" get "$${crd##*/}" --all-namespaces --output name || exit 1; done)"; \
	if [ -n "$$left" ] && [ -z "$(FORCE)" ]; then \
		printf 'uninstall: these would be deleted; delete them yourself or say FORCE=1:\n%s\n' "$$left" >&2; \
		exit 1; \
	fi; \
	if [[ $$crds == *kmskeyimports* ]]; then KUBECTL="$(KUBECTL)" hack/uninstall/let-go.sh; fi
	"$(KUBECTL)" delete --ignore-not-found -k config/crd

.PHONY: run
run: build kubectl ## Run the manager here, without leader election (ARGS: more flags)
	"$(KUBECTL)" apply --server-side -f config/default/namespace.yaml
	bin/manager --leader-elect=false --operator-namespace=$(NAMESPACE) $(ARGS)

# The image goes into an overlay under bin/, so that no tracked file changes.
.PHONY: deploy
deploy: kubectl ## Install the CRDs and the operator with image IMG
	@mkdir -p bin/deploy
	@printf '%s\n' \
		'resources: [../../config/default]' \
		'patches:' \
		'- target: {kind: Deployment, name: kms-key-import-operator}' \
		'  patch: |-' \
		'    - {op: replace, path: /spec/template/spec/containers/0/image, value: "$(IMG)"}' \
		>bin/deploy/kustomization.yaml
	"$(KUBECTL)" kustomize bin/deploy | $(APPLY)

# Keys keep their material, and what vouches for it stays: the objects, the records and the fingerprint key.
.PHONY: undeploy
undeploy: kubectl ## Remove the operator and its roles; CRDs, objects and the namespace with its records stay
	"$(KUBECTL)" delete --ignore-not-found -k config/manager
	"$(KUBECTL)" delete --ignore-not-found -k config/rbac
