#!/usr/bin/env bash
# Checks the contract of the KMS port on a KMS of yours: make conformance runs it (docs/conformance.md). Arguments are
# flags of the program that is built here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A program rather than go test, so that Ctrl-C and the answer to its question reach it.
mkdir -p bin
echo "conformance: building bin/conformance" >&2
go test -c -tags conformance -o bin/conformance ./internal/kms/awskms
if [[ ! -t 0 ]]; then exec </dev/null; fi # consent is typed by a person, or YES=1
exec bin/conformance -test.run '^TestConformance$' -test.timeout 0 -test.v "$@"
