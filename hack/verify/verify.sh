#!/usr/bin/env bash
# What `make verify` checks once it has regenerated everything. Reports every problem, not just the first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

failed=0
fail() {
	printf 'verify: %s\n' "$@" >&2
	failed=1
}

# present PATTERN lists the files that a commit of everything here would hold.
present() {
	git ls-files --cached --others --exclude-standard -- "$1" | sort -u | while IFS= read -r file; do
		if [[ -e $file ]]; then
			echo "$file"
		fi
	done
}

unformatted=$(present '*.go' | tr '\n' '\0' | xargs -0 gofmt -l)
if [[ -n $unformatted ]]; then
	fail "not formatted, run gofmt -w on:" "$unformatted"
fi

while IFS= read -r file; do
	module=$(dirname "$file")
	if ! go -C "$module" mod tidy -diff; then
		fail "$file is not tidy: run 'go -C $module mod tidy'"
	fi
done < <(present '*go.mod')

while IFS= read -r script; do
	if ! bash -n "$script"; then
		fail "$script does not parse"
	fi
done < <(
	present '*.sh'
	echo .ci/run
)

if ! hack/verify/dependencies.sh; then
	fail "docs/dependencies.md does not list the dependencies there are"
fi

changes=$(git status --porcelain)
if [[ -n $changes ]]; then
	fail "the working tree differs from the commit:" "$changes" \
		"generated files among these: commit what 'make verify' made of them; others: commit or stash them, then try again"
fi

if ((failed)); then
	exit 1
fi
echo "verify: ok"
