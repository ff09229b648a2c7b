#!/usr/bin/env bash
# Prints the folder for the objects that the controllers' suite makes of the sources as they are now, and removes those
# of other sources. The name is a hash of all that decides what the objects are, so none of them can be out of date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

files=$(find api controllers internal config/crd go.mod go.sum -type f | LC_ALL=C sort)
hash=$({ echo "$files"; git hash-object --stdin-paths <<<"$files"; } | git hash-object --stdin)

for other in bin/objects/*; do
	if [[ -e $other && ${other##*/} != "$hash" ]]; then
		rm -rf "$other"
	fi
done
echo "$PWD/bin/objects/$hash"
