#!/usr/bin/env bash
# Provides bin/tools/golangci-lint, with kube-api-linter linked in, from the modules that go.mod beside this script pins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

module=hack/golangci-lint
version=$(awk '$1 == "github.com/golangci/golangci-lint/v2" { print $2 }' $module/go.mod)
hack/build-tool.sh $module . bin/tools/golangci-lint "-X main.version=${version#v}" \
	"$version, from Go modules; the first time about 90 seconds on 2 cores"
