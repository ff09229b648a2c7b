#!/usr/bin/env bash
# Runs Argo CD's own Lua VM and diff, at the version that go.mod beside this script pins, over the objects of real runs.
# Those come from the controllers' suite, which is run when `make test` has not left any of these sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

objects=$(hack/argocd/objects.sh)
if [[ ! -e $objects/complete ]]; then
	echo "argocd: running the controllers' suite, which makes the objects"
	OBJECTS_DIR=$objects go test -count=1 -run '^TestControllers$' -timeout 20m ./controllers
fi
echo "argocd: $(find "$objects/seen" -type f | wc -l) objects; building Argo CD's packages takes 3 minutes the first time"
# Nothing is cached: Go does not notice when files of another module change.
OBJECTS_DIR=$objects go -C hack/argocd test -mod=readonly -count=1 ./...
echo "argocd: ok"
