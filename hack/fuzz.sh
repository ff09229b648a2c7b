#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the time given: hack/fuzz.sh 30s.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=$1
targets=0
while IFS=: read -r file declaration; do
	target=${declaration#func }
	target=${target%%(*}
	echo "fuzz: $target in ${file%/*} for $time"
	go test "./${file%/*}" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
	targets=$((targets + 1))
done < <(git grep --untracked -E '^func Fuzz[A-Za-z0-9_]+\(' -- '*_test.go')
echo "fuzz: $targets targets, nothing found"
